"""Tests of other programs' exports."""
