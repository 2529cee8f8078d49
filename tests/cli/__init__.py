"""Tests of the command line without the whole program around it."""
