"""The tables as SQL, one tuple of statements per schema version. Not what runs them: that is ``migrations.py``.

Append-only: a version that has been released is never edited; a change is a new tuple.

Times are ISO 8601 text in UTC with microseconds, so that they sort as text; of kept answers they are Unix seconds.
Money is text (Decimal).
Each full-text table keeps no text of its own: it reads the table or view named as its content, and
triggers keep it in step.
"""

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

# A passage is stored once, however many places hold it: ``chunks`` are the places, and the passage goes with the last.
# Its vectors are by model, so that one model answers while another one's are being made; ``passages_waiting`` are those
# that the newest model still lacks. ``passages.id`` never comes back either: both indexes know passages by it.
# ``grams`` are the short runs of letters of text that is not Latin (``fulltext``), in which words alone find little.
_PASSAGES = (
    """
    CREATE TABLE passages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        text_hash TEXT NOT NULL UNIQUE,
        heading TEXT NOT NULL DEFAULT '',
        text TEXT NOT NULL,
        grams TEXT NOT NULL DEFAULT ''
    ) STRICT
    """,
    """
    CREATE TABLE vectors (
        passage_id INTEGER NOT NULL REFERENCES passages (id) ON DELETE CASCADE,
        model TEXT NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (passage_id, model)
    ) STRICT
    """,
    # What is listed and counted is in this small index, not in the table with the vectors.
    "CREATE INDEX vectors_model ON vectors (model, passage_id)",
    "CREATE TABLE passages_waiting (passage_id INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE) STRICT",
    """
    INSERT INTO passages (id, text_hash, heading, text, grams)
    SELECT min(id), text_hash, heading, text, search_grams(text) FROM chunks GROUP BY text_hash
    """,
    """
    INSERT INTO vectors (passage_id, model, vector)
    SELECT p.id, c.model, c.vector FROM passages p JOIN chunks c ON c.text_hash = p.text_hash
    WHERE c.vector IS NOT NULL GROUP BY p.id, c.model
    """,
    """
    INSERT INTO passages_waiting (passage_id)
    SELECT id FROM passages WHERE id NOT IN (SELECT passage_id FROM vectors)
    """,
    """
    CREATE TABLE chunks_placed (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
        ordinal INTEGER NOT NULL,
        passage_id INTEGER NOT NULL REFERENCES passages (id),
        page INTEGER,
        section TEXT NOT NULL DEFAULT '',
        "start" INTEGER NOT NULL DEFAULT 0,
        "end" INTEGER NOT NULL DEFAULT 0,
        tokens INTEGER NOT NULL DEFAULT 0,
        UNIQUE (document_id, ordinal)
    ) STRICT
    """,
    """
    INSERT INTO chunks_placed (id, document_id, ordinal, passage_id, page, section, "start", "end", tokens)
    SELECT c.id, c.document_id, c.ordinal, p.id, c.page, c.section, c."start", c."end", c.tokens
    FROM chunks c JOIN passages p ON p.text_hash = c.text_hash ORDER BY c.id
    """,
    "DELETE FROM sqlite_sequence WHERE name = 'chunks_placed'",
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'chunks_placed', seq FROM sqlite_sequence WHERE name = 'chunks'",
    "DROP TABLE chunks_trigram",
    "DROP VIEW chunks_unsegmented",
    "DROP TABLE chunks_vocab",
    "DROP TABLE chunks_fts",
    "DROP TABLE chunks",
    "ALTER TABLE chunks_placed RENAME TO chunks",
    "CREATE INDEX chunks_passage ON chunks (passage_id)",
    """
    CREATE TRIGGER cached_answers_of_passage AFTER DELETE ON chunks BEGIN
        DELETE FROM cached_answers
        WHERE key IN (SELECT key FROM cached_answer_documents WHERE document_id = old.document_id);
    END
    """,
    """
    CREATE TRIGGER passages_without_place AFTER DELETE ON chunks BEGIN
        DELETE FROM passages
        WHERE id = old.passage_id AND NOT EXISTS (SELECT 1 FROM chunks WHERE passage_id = old.passage_id);
    END
    """,
    """
    CREATE TRIGGER passages_wait AFTER INSERT ON passages BEGIN
        INSERT INTO passages_waiting (passage_id) VALUES (new.id);
    END
    """,
)

_PASSAGES_FULLTEXT = (
    """
    CREATE VIRTUAL TABLE passages_fts USING fts5(
        text, heading, content='passages', content_rowid='id', tokenize='porter unicode61'
    )
    """,
    "INSERT INTO passages_fts (passages_fts) VALUES ('rebuild')",
    "CREATE VIRTUAL TABLE passages_vocab USING fts5vocab('passages_fts', 'row')",
    "CREATE VIEW passages_in_grams AS SELECT id, grams FROM passages WHERE grams <> ''",
    # A gram is taken as it stands, with the marks that belong to a letter in Devanagari or Thai.
    """
    CREATE VIRTUAL TABLE passages_grams USING fts5(
        grams, content='passages_in_grams', content_rowid='id',
        tokenize="unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
    )
    """,
    "INSERT INTO passages_grams (passages_grams) VALUES ('rebuild')",
    "CREATE VIRTUAL TABLE passages_grams_vocab USING fts5vocab('passages_grams', 'row')",
    """
    CREATE TRIGGER passages_fts_insert AFTER INSERT ON passages BEGIN
        INSERT INTO passages_fts (rowid, text, heading) VALUES (new.id, new.text, new.heading);
    END
    """,
    """
    CREATE TRIGGER passages_fts_delete AFTER DELETE ON passages BEGIN
        INSERT INTO passages_fts (passages_fts, rowid, text, heading) VALUES ('delete', old.id, old.text, old.heading);
    END
    """,
    """
    CREATE TRIGGER passages_fts_update AFTER UPDATE OF text, heading ON passages BEGIN
        INSERT INTO passages_fts (passages_fts, rowid, text, heading) VALUES ('delete', old.id, old.text, old.heading);
        INSERT INTO passages_fts (rowid, text, heading) VALUES (new.id, new.text, new.heading);
    END
    """,
    """
    CREATE TRIGGER passages_grams_insert AFTER INSERT ON passages WHEN new.grams <> '' BEGIN
        INSERT INTO passages_grams (rowid, grams) VALUES (new.id, new.grams);
    END
    """,
    """
    CREATE TRIGGER passages_grams_delete AFTER DELETE ON passages WHEN old.grams <> '' BEGIN
        INSERT INTO passages_grams (passages_grams, rowid, grams) VALUES ('delete', old.id, old.grams);
    END
    """,
    """
    CREATE TRIGGER passages_grams_leave AFTER UPDATE OF grams ON passages WHEN old.grams <> '' BEGIN
        INSERT INTO passages_grams (passages_grams, rowid, grams) VALUES ('delete', old.id, old.grams);
    END
    """,
    """
    CREATE TRIGGER passages_grams_enter AFTER UPDATE OF grams ON passages WHEN new.grams <> '' BEGIN
        INSERT INTO passages_grams (rowid, grams) VALUES (new.id, new.grams);
    END
    """,
)

# What an answer stands on, and what the person said of it; as JSON, since it is only read with its answer.
_EVIDENCE = (
    "ALTER TABLE messages ADD COLUMN evidence TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE messages ADD COLUMN feedback TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX messages_evidence ON messages (created_at) WHERE evidence <> '{}'",
)

# Questions whose document (and page) must be found, and how each run of a collection's questions went.
_GOLDEN = (
    """
    CREATE TABLE golden_questions (
        id TEXT PRIMARY KEY,
        collection TEXT NOT NULL DEFAULT '',
        question TEXT NOT NULL,
        document_id TEXT NOT NULL,
        document TEXT NOT NULL,
        page INTEGER,
        created_at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX golden_questions_collection ON golden_questions (collection)",
    """
    CREATE TABLE golden_runs (
        id INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        at TEXT NOT NULL,
        questions INTEGER NOT NULL,
        found INTEGER NOT NULL,
        mean_reciprocal_rank REAL NOT NULL,
        ranks TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX golden_runs_collection ON golden_runs (collection, at)",
)

# Folders whose files are followed, the documents in them that the person took out, and how a file is known again:
# ``file_id`` is its device and number on it as the system says, empty where its content must be looked at next time;
# ``folder`` is the followed one it came with, empty where the person named the file.
_FOLLOWED = (
    """
    CREATE TABLE followed_folders (
        path TEXT NOT NULL,
        collection TEXT NOT NULL,
        file_id TEXT NOT NULL DEFAULT '',
        added_at TEXT NOT NULL,
        PRIMARY KEY (path, collection)
    ) STRICT
    """,
    """
    CREATE TABLE left_out_files (
        path TEXT NOT NULL,
        collection TEXT NOT NULL,
        PRIMARY KEY (path, collection)
    ) STRICT
    """,
    "ALTER TABLE documents ADD COLUMN file_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE documents ADD COLUMN folder TEXT NOT NULL DEFAULT ''",
)

VERSION_3 = (*_PASSAGES, *_PASSAGES_FULLTEXT, *_EVIDENCE, *_GOLDEN, *_FOLLOWED)

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
