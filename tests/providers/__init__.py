"""Tests of the provider dialects; they run without Qt."""
