"""Version 2: the gateway: who asked with which key, what was saved, money set aside, health over restarts."""

from __future__ import annotations

# The gateway: who asked and with which key, what was saved, money set aside by any process, health over restarts.
_USAGE_FACTS = (
    "ALTER TABLE usage ADD COLUMN cache_write_tokens INTEGER",
    "ALTER TABLE usage ADD COLUMN user_id TEXT NOT NULL DEFAULT 'local'",
    "ALTER TABLE usage ADD COLUMN key_label TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE usage ADD COLUMN saved_usd TEXT",
    "ALTER TABLE usage ADD COLUMN saved_ms REAL",
)

# What the receipt of an answer says beside its attempts.
_RECEIPTS = (
    "ALTER TABLE messages ADD COLUMN first_choice TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE messages ADD COLUMN first_choice_usd TEXT",
    "ALTER TABLE messages ADD COLUMN saved_usd TEXT",
)

_RESERVATIONS = (
    """
    CREATE TABLE reservations (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        user_id TEXT NOT NULL DEFAULT 'local',
        provider TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        needed_usd TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT
    """,
)

_HEALTH = (
    """
    CREATE TABLE health (
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        facts TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (provider, model)
    ) STRICT
    """,
    """
    CREATE TABLE breaker_events (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT ''
    ) STRICT
    """,
    "CREATE INDEX breaker_events_at ON breaker_events (at)",
)

# What is kept of answers goes with what it came from: the conversation it was first given in, the passages it used.
# A process that has some of them in memory too sees by ``cache_generation`` that it must look again.
_CACHED_ANSWERS = (
    """
    CREATE TABLE cached_answers (
        key BLOB PRIMARY KEY,
        at REAL NOT NULL,
        used_at REAL NOT NULL,
        answer TEXT NOT NULL,
        conversation_id TEXT
    ) STRICT
    """,
    "CREATE INDEX cached_answers_at ON cached_answers (at)",
    "CREATE INDEX cached_answers_used ON cached_answers (used_at)",
    "CREATE INDEX cached_answers_conversation ON cached_answers (conversation_id)",
    """
    CREATE TABLE cached_answer_documents (
        key BLOB NOT NULL REFERENCES cached_answers (key) ON DELETE CASCADE,
        document_id TEXT NOT NULL,
        PRIMARY KEY (key, document_id)
    ) STRICT
    """,
    "CREATE INDEX cached_answer_documents_document ON cached_answer_documents (document_id)",
    "INSERT INTO meta VALUES ('cache_generation', '0')",
    """
    CREATE TRIGGER cached_answers_generation AFTER DELETE ON cached_answers BEGIN
        UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'cache_generation';
    END
    """,
    """
    CREATE TRIGGER cached_answers_of_conversation AFTER DELETE ON conversations BEGIN
        DELETE FROM cached_answers WHERE conversation_id = old.id;
    END
    """,
    """
    CREATE TRIGGER cached_answers_of_passage AFTER DELETE ON chunks BEGIN
        DELETE FROM cached_answers
        WHERE key IN (SELECT key FROM cached_answer_documents WHERE document_id = old.document_id);
    END
    """,
)

VERSION_2 = (*_USAGE_FACTS, *_RECEIPTS, *_RESERVATIONS, *_HEALTH, *_CACHED_ANSWERS)
