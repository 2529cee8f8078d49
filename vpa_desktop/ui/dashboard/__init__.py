"""The dashboard part of the window."""
