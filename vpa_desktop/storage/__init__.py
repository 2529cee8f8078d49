"""SQLite: the only door to sqlite_utils."""
