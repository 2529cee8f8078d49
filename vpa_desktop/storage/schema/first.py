"""Version 1: conversations, documents, usage, audit."""

from __future__ import annotations

_META = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "INSERT INTO meta VALUES ('uuid', lower(hex(randomblob(16)))), ('index_generation', '0')",
)

_CONVERSATIONS = (
    """
    CREATE TABLE conversations (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL DEFAULT '',
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX conversations_updated ON conversations (updated_at)",
    "CREATE VIRTUAL TABLE conversations_fts USING fts5(title, content='conversations', content_rowid='seq')",
    """
    CREATE TRIGGER conversations_fts_insert AFTER INSERT ON conversations BEGIN
        INSERT INTO conversations_fts (rowid, title) VALUES (new.seq, new.title);
    END
    """,
    """
    CREATE TRIGGER conversations_fts_delete AFTER DELETE ON conversations BEGIN
        INSERT INTO conversations_fts (conversations_fts, rowid, title) VALUES ('delete', old.seq, old.title);
    END
    """,
    """
    CREATE TRIGGER conversations_fts_update AFTER UPDATE OF title ON conversations BEGIN
        INSERT INTO conversations_fts (conversations_fts, rowid, title) VALUES ('delete', old.seq, old.title);
        INSERT INTO conversations_fts (rowid, title) VALUES (new.seq, new.title);
    END
    """,
)

# An answer is journaled several times a second while it streams, so it enters the full-text index only
# when it is settled. ``place`` is its position in the conversation: an answer given anew has the place of
# the one it supersedes.
_MESSAGES = (
    """
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
        content TEXT NOT NULL,
        created_at TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('done', 'streaming', 'interrupted', 'stopped', 'failed')),
        owner TEXT NOT NULL DEFAULT '',
        supersedes TEXT,
        is_superseded INTEGER NOT NULL DEFAULT 0,
        provider TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        finish_reason TEXT,
        usage TEXT,
        cost_usd TEXT,
        ttft_ms REAL,
        latency_ms REAL,
        citations TEXT NOT NULL DEFAULT '[]',
        attempts TEXT NOT NULL DEFAULT '[]',
        warnings TEXT NOT NULL DEFAULT '[]',
        reasoning TEXT NOT NULL DEFAULT '',
        error TEXT NOT NULL DEFAULT ''
    ) STRICT
    """,
    "CREATE INDEX messages_conversation ON messages (conversation_id, place)",
    "CREATE INDEX messages_streaming ON messages (state) WHERE state = 'streaming'",
    "CREATE VIEW messages_settled AS SELECT seq, content FROM messages WHERE state <> 'streaming'",
    "CREATE VIRTUAL TABLE messages_fts USING fts5(content, content='messages_settled', content_rowid='seq')",
    """
    CREATE TRIGGER messages_fts_insert AFTER INSERT ON messages WHEN new.state <> 'streaming' BEGIN
        INSERT INTO messages_fts (rowid, content) VALUES (new.seq, new.content);
    END
    """,
    """
    CREATE TRIGGER messages_fts_delete AFTER DELETE ON messages WHEN old.state <> 'streaming' BEGIN
        INSERT INTO messages_fts (messages_fts, rowid, content) VALUES ('delete', old.seq, old.content);
    END
    """,
    """
    CREATE TRIGGER messages_fts_leave AFTER UPDATE OF content, state ON messages WHEN old.state <> 'streaming' BEGIN
        INSERT INTO messages_fts (messages_fts, rowid, content) VALUES ('delete', old.seq, old.content);
    END
    """,
    """
    CREATE TRIGGER messages_fts_enter AFTER UPDATE OF content, state ON messages WHEN new.state <> 'streaming' BEGIN
        INSERT INTO messages_fts (rowid, content) VALUES (new.seq, new.content);
    END
    """,
)

# ``chunks.id`` never comes back after a deletion (AUTOINCREMENT): the vector index knows passages by it.
# ``heading`` is the document's title and the passage's section: searched with the text, not shown as part of it.
# ``unsegmented`` is 1 where the text is in a script written without spaces (Chinese, Japanese, Thai ...),
# in which the word index finds nothing; only those passages pay for the trigram index.
_DOCUMENTS = (
    """
    CREATE TABLE documents (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        path TEXT NOT NULL DEFAULT '',
        collection TEXT NOT NULL DEFAULT '',
        content_hash TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'indexing', 'ready', 'image_only', 'failed')),
        added_at TEXT NOT NULL,
        size_bytes INTEGER NOT NULL DEFAULT 0,
        modified_ns INTEGER NOT NULL DEFAULT 0,
        pages INTEGER,
        chunks INTEGER NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT '',
        metadata TEXT NOT NULL DEFAULT '{}'
    ) STRICT
    """,
    "CREATE INDEX documents_path ON documents (path)",
    "CREATE INDEX documents_collection ON documents (collection)",
    "CREATE INDEX documents_hash ON documents (content_hash)",
    """
    CREATE TABLE chunks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
        ordinal INTEGER NOT NULL,
        page INTEGER,
        section TEXT NOT NULL DEFAULT '',
        "start" INTEGER NOT NULL DEFAULT 0,
        "end" INTEGER NOT NULL DEFAULT 0,
        tokens INTEGER NOT NULL DEFAULT 0,
        text TEXT NOT NULL,
        heading TEXT NOT NULL DEFAULT '',
        text_hash TEXT NOT NULL,
        unsegmented INTEGER NOT NULL DEFAULT 0,
        vector BLOB,
        model TEXT NOT NULL DEFAULT '',
        UNIQUE (document_id, ordinal)
    ) STRICT
    """,
    "CREATE INDEX chunks_hash ON chunks (text_hash, model)",
    "CREATE INDEX chunks_without_vector ON chunks (id) WHERE vector IS NULL",
    """
    CREATE VIRTUAL TABLE chunks_fts USING fts5(
        text, heading, content='chunks', content_rowid='id', tokenize='porter unicode61'
    )
    """,
    "CREATE VIRTUAL TABLE chunks_vocab USING fts5vocab('chunks_fts', 'row')",
    "CREATE VIEW chunks_unsegmented AS SELECT id, text FROM chunks WHERE unsegmented = 1",
    """
    CREATE VIRTUAL TABLE chunks_trigram USING fts5(
        text, content='chunks_unsegmented', content_rowid='id', tokenize='trigram'
    )
    """,
    """
    CREATE TRIGGER chunks_fts_insert AFTER INSERT ON chunks BEGIN
        INSERT INTO chunks_fts (rowid, text, heading) VALUES (new.id, new.text, new.heading);
    END
    """,
    """
    CREATE TRIGGER chunks_fts_delete AFTER DELETE ON chunks BEGIN
        INSERT INTO chunks_fts (chunks_fts, rowid, text, heading) VALUES ('delete', old.id, old.text, old.heading);
    END
    """,
    """
    CREATE TRIGGER chunks_fts_update AFTER UPDATE OF text, heading ON chunks BEGIN
        INSERT INTO chunks_fts (chunks_fts, rowid, text, heading) VALUES ('delete', old.id, old.text, old.heading);
        INSERT INTO chunks_fts (rowid, text, heading) VALUES (new.id, new.text, new.heading);
    END
    """,
    """
    CREATE TRIGGER chunks_trigram_insert AFTER INSERT ON chunks WHEN new.unsegmented = 1 BEGIN
        INSERT INTO chunks_trigram (rowid, text) VALUES (new.id, new.text);
    END
    """,
    """
    CREATE TRIGGER chunks_trigram_delete AFTER DELETE ON chunks WHEN old.unsegmented = 1 BEGIN
        INSERT INTO chunks_trigram (chunks_trigram, rowid, text) VALUES ('delete', old.id, old.text);
    END
    """,
    """
    CREATE TRIGGER chunks_trigram_leave AFTER UPDATE OF text, unsegmented ON chunks WHEN old.unsegmented = 1 BEGIN
        INSERT INTO chunks_trigram (chunks_trigram, rowid, text) VALUES ('delete', old.id, old.text);
    END
    """,
    """
    CREATE TRIGGER chunks_trigram_enter AFTER UPDATE OF text, unsegmented ON chunks WHEN new.unsegmented = 1 BEGIN
        INSERT INTO chunks_trigram (rowid, text) VALUES (new.id, new.text);
    END
    """,
)

# What was spent stays known after its conversation is deleted, so there is no foreign key.
_USAGE = (
    """
    CREATE TABLE usage (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        outcome TEXT NOT NULL,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cached_input_tokens INTEGER,
        cost_usd TEXT,
        ttft_ms REAL,
        latency_ms REAL,
        error_class TEXT NOT NULL DEFAULT '',
        conversation_id TEXT,
        message_id TEXT,
        estimated INTEGER NOT NULL DEFAULT 0,
        cached INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE INDEX usage_at ON usage (at)",
)

_AUDIT = (
    """
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        result TEXT NOT NULL,
        facts TEXT NOT NULL DEFAULT '{}',
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
        SELECT RAISE(ABORT, 'the audit log is append-only');
    END
    """,
    """
    CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
        SELECT RAISE(ABORT, 'the audit log is append-only');
    END
    """,
)

VERSION_1 = (*_META, *_CONVERSATIONS, *_MESSAGES, *_DOCUMENTS, *_USAGE, *_AUDIT)
