"""The program tried on the person's own machine: what it costs in time and memory, and whether its parts work."""
