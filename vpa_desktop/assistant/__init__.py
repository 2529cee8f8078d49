"""One conversation turn, and the settings use-cases."""
