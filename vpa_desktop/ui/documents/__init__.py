"""The documents part of the window."""
