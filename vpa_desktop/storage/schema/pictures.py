"""Version 4: the pictures of questions."""

from __future__ import annotations

# The pictures of questions: each once, by its digest, and which message has it under which name.
VERSION_4 = (
    """
    CREATE TABLE pictures (
        digest TEXT PRIMARY KEY,
        media_type TEXT NOT NULL,
        data BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE message_pictures (
        message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        digest TEXT NOT NULL REFERENCES pictures (digest),
        PRIMARY KEY (message_id, position)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX message_pictures_digest ON message_pictures (digest)",
    """
    CREATE TRIGGER message_pictures_leave AFTER DELETE ON message_pictures BEGIN
        DELETE FROM pictures WHERE digest = old.digest
            AND NOT EXISTS (SELECT 1 FROM message_pictures WHERE digest = old.digest);
    END
    """,
)
