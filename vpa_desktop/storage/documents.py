"""Documents, their passages and the passages' vectors. Not how text becomes either: that is ``rag``.

Every change to vectors raises ``index_generation`` in the same transaction, so that a vector index beside the
database knows whether it still matches. Vectors are kept as half-precision bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vpa_desktop.records import DocumentRecord, DocumentState

if TYPE_CHECKING:
    import sqlite_utils

    from vpa_desktop.storage.database import Database

_COLUMNS = (
    "id, title, path, collection, content_hash, state, added_at, size_bytes, pages, chunks, reason, metadata, "
    "modified_ns"
)
_SQL_VARIABLES = 500


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A passage to be stored: ``heading`` is searched with it, ``text_hash`` is of what is embedded."""

    text: str
    heading: str
    page: int | None
    section: str
    start: int
    end: int
    tokens: int
    text_hash: str
    unsegmented: bool


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document's record and when its file was last changed, as the file system says."""

    record: DocumentRecord
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A stored passage with what a citation says of its document."""

    chunk_id: int
    document_id: str
    title: str
    path: str
    collection: str
    ordinal: int
    page: int | None
    section: str
    start: int
    end: int
    tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class VectorChange:
    """What a transaction did to the vectors: the generation after it, the ids gone and the vectors new."""

    generation: int
    removed: tuple[int, ...] = ()
    added: tuple[tuple[int, bytes], ...] = ()


class DocumentStore:
    """Reads and writes the tables of documents. Every method raises StorageError when the database cannot."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, document_id: str) -> StoredDocument | None:
        """Returns one document."""

        def work(db: sqlite_utils.Database) -> StoredDocument | None:
            row = db.execute(f"SELECT {_COLUMNS} FROM documents WHERE id = ?", [document_id]).fetchone()
            return _stored(row) if row else None

        return await self._db.read(work)

    async def all(self, collection: str | None = None) -> list[StoredDocument]:
        """Returns all documents, or a collection's, newest first."""

        def work(db: sqlite_utils.Database) -> list[StoredDocument]:
            where, values = ("", []) if collection is None else ("WHERE collection = ?", [collection])
            sql = f"SELECT {_COLUMNS} FROM documents {where} ORDER BY added_at DESC, path, id"
            return [_stored(row) for row in db.execute(sql, values).fetchall()]

        return await self._db.read(work)

    async def collections(self) -> list[str]:
        """Returns the names of the collections, the unnamed one left out."""

        def work(db: sqlite_utils.Database) -> list[str]:
            rows = db.execute("SELECT DISTINCT collection FROM documents WHERE collection <> '' ORDER BY collection")
            return [name for (name,) in rows.fetchall()]

        return await self._db.read(work)

    async def count_passages(self) -> int:
        """Returns how many passages can be found."""
        return await self._db.read(lambda db: int(db.execute("SELECT count(*) FROM chunks").fetchone()[0]))

    async def put(
        self, record: DocumentRecord, modified_ns: int, chunks: Sequence[NewChunk], model: str
    ) -> VectorChange:
        """Stores a document in place of what its id held; vectors of the same text and model are taken over."""

        def work(db: sqlite_utils.Database) -> VectorChange:
            kept = _vectors_by_hash(db, [chunk.text_hash for chunk in chunks], model)
            removed = _drop_chunks(db, [record.id])
            complete = all(chunk.text_hash in kept for chunk in chunks)
            state = "ready" if record.state == "indexing" and complete else record.state
            _write_document(db, record, state, modified_ns, len(chunks))
            added: list[tuple[int, bytes]] = []
            for ordinal, chunk in enumerate(chunks):
                vector = kept.get(chunk.text_hash)
                chunk_id = _insert_chunk(db, record.id, ordinal, chunk, vector, model)
                if vector is not None:
                    added.append((chunk_id, vector))
            return _changed(db, removed, added)

        return await self._db.write(work)

    async def touch(self, document_id: str, size_bytes: int, modified_ns: int) -> None:
        """Notes that a file was written again with the same content."""
        sql = "UPDATE documents SET size_bytes = ?, modified_ns = ? WHERE id = ?"
        await self._db.write(lambda db: db.execute(sql, [size_bytes, modified_ns, document_id]))

    async def remove(self, document_ids: Sequence[str]) -> VectorChange:
        """Removes documents with their passages and vectors; ids that are not there are passed over."""

        def work(db: sqlite_utils.Database) -> VectorChange:
            removed = _drop_chunks(db, document_ids)
            for some in _portions(document_ids):
                db.execute(f"DELETE FROM documents WHERE id IN ({_marks(some)})", some)
            return _changed(db, removed, [])

        return await self._db.write(work)

    async def adopt_model(self, model: str) -> None:
        """Makes ``model`` the one that vectors come from; those of another are dropped and made anew."""

        def work(db: sqlite_utils.Database) -> None:
            row = db.execute("SELECT value FROM meta WHERE key = 'embedding_model'").fetchone()
            if row is not None and row[0] == model:
                return
            db.execute("UPDATE chunks SET vector = NULL, model = '' WHERE vector IS NOT NULL AND model <> ?", [model])
            db.execute(
                "UPDATE documents SET state = 'indexing' WHERE state = 'ready' AND id IN "
                "(SELECT document_id FROM chunks WHERE vector IS NULL)"
            )
            db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('embedding_model', ?)", [model])
            _changed(db, [-1], [])

        known = await self._db.read(
            lambda db: db.execute("SELECT value FROM meta WHERE key = 'embedding_model'").fetchone()
        )
        if known is None or known[0] != model:
            await self._db.write(work)

    async def without_vector(self, limit: int) -> list[tuple[int, str, str]]:
        """Returns (id, heading, text) of passages that wait for their vector, oldest first."""
        sql = "SELECT id, heading, text FROM chunks WHERE vector IS NULL ORDER BY id LIMIT ?"
        return await self._db.read(lambda db: [(i, h, t) for i, h, t in db.execute(sql, [limit]).fetchall()])

    async def count_without_vector(self) -> int:
        """Returns how many passages wait for their vector."""
        sql = "SELECT count(*) FROM chunks WHERE vector IS NULL"
        return await self._db.read(lambda db: int(db.execute(sql).fetchone()[0]))

    async def set_vectors(self, model: str, vectors: Sequence[tuple[int, bytes]]) -> VectorChange:
        """Stores vectors of passages that are still there, and marks documents ready that lack none."""

        def work(db: sqlite_utils.Database) -> VectorChange:
            added = []
            for chunk_id, vector in vectors:
                sql = "UPDATE chunks SET vector = ?, model = ? WHERE id = ? AND vector IS NULL"
                if db.execute(sql, [vector, model, chunk_id]).rowcount:
                    added.append((chunk_id, vector))
            db.execute(
                "UPDATE documents SET state = 'ready' WHERE state = 'indexing' AND NOT EXISTS "
                "(SELECT 1 FROM chunks WHERE document_id = documents.id AND vector IS NULL)"
            )
            return _changed(db, [], added)

        return await self._db.write(work)

    async def vectors_after(self, chunk_id: int, limit: int) -> list[tuple[int, bytes]]:
        """Returns (id, vector) in the order of ids, from behind ``chunk_id`` on."""
        sql = "SELECT id, vector FROM chunks WHERE id > ? AND vector IS NOT NULL ORDER BY id LIMIT ?"
        return await self._db.read(lambda db: [(i, v) for i, v in db.execute(sql, [chunk_id, limit]).fetchall()])

    async def generation(self) -> int:
        """Returns the number that every change to vectors raises."""
        return await self._db.read(_generation)

    async def passages(self, chunk_ids: Sequence[int]) -> dict[int, Passage]:
        """Returns the passages that are still there, by id."""

        def work(db: sqlite_utils.Database) -> dict[int, Passage]:
            found: dict[int, Passage] = {}
            for some in _portions(chunk_ids):
                rows = db.execute(f"{_PASSAGE} WHERE c.id IN ({_marks(some)})", some).fetchall()
                found |= {row[0]: Passage(*row) for row in rows}
            return found

        return await self._db.read(work)

    async def passages_of(self, document_id: str, first: int, last: int) -> list[Passage]:
        """Returns a document's passages with ordinals from ``first`` to ``last``, in order."""
        sql = f"{_PASSAGE} WHERE c.document_id = ? AND c.ordinal BETWEEN ? AND ? ORDER BY c.ordinal"
        return await self._db.read(
            lambda db: [Passage(*row) for row in db.execute(sql, [document_id, first, last]).fetchall()]
        )

    async def ids_in(self, collections: Sequence[str]) -> list[int]:
        """Returns the ids of all passages in these collections."""
        sql = (
            "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id "
            f"WHERE d.collection IN ({_marks(collections)})"
        )
        return await self._db.read(lambda db: [i for (i,) in db.execute(sql, collections).fetchall()])


_PASSAGE = (
    'SELECT c.id, c.document_id, d.title, d.path, d.collection, c.ordinal, c.page, c.section, c."start", c."end", '
    "c.tokens, c.text FROM chunks c JOIN documents d ON d.id = c.document_id"
)


def _stored(row: Sequence[Any]) -> StoredDocument:
    record = DocumentRecord(
        id=row[0],
        title=row[1],
        path=row[2],
        collection=row[3],
        content_hash=row[4],
        state=row[5],
        added_at=datetime.fromisoformat(row[6]),
        size_bytes=row[7],
        pages=row[8],
        chunks=row[9],
        reason=row[10],
        metadata=json.loads(row[11]),
    )
    return StoredDocument(record, row[12])


def _write_document(
    db: sqlite_utils.Database, record: DocumentRecord, state: DocumentState, modified_ns: int, chunks: int
) -> None:
    values: Mapping[str, Any] = {
        "id": record.id,
        "title": record.title,
        "path": record.path,
        "collection": record.collection,
        "content_hash": record.content_hash,
        "state": state,
        "added_at": record.added_at.isoformat(timespec="microseconds"),
        "size_bytes": record.size_bytes,
        "modified_ns": modified_ns,
        "pages": record.pages,
        "chunks": chunks,
        "reason": record.reason,
        "metadata": json.dumps(dict(record.metadata), ensure_ascii=False),
    }
    updates = ", ".join(f"{name} = excluded.{name}" for name in values if name != "id")
    db.execute(
        f"INSERT INTO documents ({', '.join(values)}) VALUES ({', '.join(':' + name for name in values)}) "
        f"ON CONFLICT (id) DO UPDATE SET {updates}",
        dict(values),
    )


def _insert_chunk(
    db: sqlite_utils.Database, document_id: str, ordinal: int, chunk: NewChunk, vector: bytes | None, model: str
) -> int:
    cursor = db.execute(
        'INSERT INTO chunks (document_id, ordinal, page, section, "start", "end", tokens, text, heading, text_hash, '
        "unsegmented, vector, model) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            document_id,
            ordinal,
            chunk.page,
            chunk.section,
            chunk.start,
            chunk.end,
            chunk.tokens,
            chunk.text,
            chunk.heading,
            chunk.text_hash,
            int(chunk.unsegmented),
            vector,
            model if vector is not None else "",
        ],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _vectors_by_hash(db: sqlite_utils.Database, hashes: Sequence[str], model: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for some in _portions(list(dict.fromkeys(hashes))):
        sql = f"SELECT text_hash, vector FROM chunks WHERE text_hash IN ({_marks(some)}) AND model = ?"
        found |= {key: vector for key, vector in db.execute(sql, [*some, model]).fetchall() if vector is not None}
    return found


def _drop_chunks(db: sqlite_utils.Database, document_ids: Sequence[str]) -> list[int]:
    """Deletes passages and returns the ids of those that had a vector."""
    removed: list[int] = []
    for some in _portions(document_ids):
        marks = _marks(some)
        sql = f"SELECT id FROM chunks WHERE document_id IN ({marks}) AND vector IS NOT NULL"
        removed += [i for (i,) in db.execute(sql, some).fetchall()]
        db.execute(f"DELETE FROM chunks WHERE document_id IN ({marks})", some)
    return removed


def _changed(db: sqlite_utils.Database, removed: Sequence[int], added: Sequence[tuple[int, bytes]]) -> VectorChange:
    if removed or added:
        db.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'index_generation'")
    return VectorChange(_generation(db), tuple(removed), tuple(added))


def _generation(db: sqlite_utils.Database) -> int:
    return int(db.execute("SELECT value FROM meta WHERE key = 'index_generation'").fetchone()[0])


def _portions(values: Sequence[Any]) -> list[list[Any]]:
    return [list(values[i : i + _SQL_VARIABLES]) for i in range(0, len(values), _SQL_VARIABLES)]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
