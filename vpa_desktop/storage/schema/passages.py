"""Version 3: passages that are stored once, with their vectors and full text; evidence, golden questions, folders."""

from __future__ import annotations

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
