"""VPA Desktop: one chat window over every LLM, with answers from the person's own files."""

__version__ = "0.1.0"
