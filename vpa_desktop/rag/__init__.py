"""Files to context: read, cut, embed, index, find."""
