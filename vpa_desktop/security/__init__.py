"""Keys, redaction, audit, policy."""
