"""Documents and their passages. Not how text becomes either (that is ``rag``), and not vectors: ``vectors``.

A passage is stored once, by what it says; a chunk is a place where a document says it.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vpa_desktop.records import DocumentRecord, SearchScope
from vpa_desktop.storage.fulltext import grams_of
from vpa_desktop.storage.rows import marks, portions
from vpa_desktop.storage.scope import conditions, is_named
from vpa_desktop.storage.vectors import VectorChange, changed

if TYPE_CHECKING:
    import sqlite_utils

    from vpa_desktop.storage.database import Database

_COLUMNS = (
    "id, title, path, collection, content_hash, state, added_at, size_bytes, pages, chunks, reason, metadata, "
    "modified_ns, file_id, folder"
)


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


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the file system says of a file. ``file_id`` is its device and number there, empty where that is not known.

    ``folder`` is the followed folder it came with, empty where the person named it.
    """

    size: int
    modified_ns: int
    file_id: str = ""
    folder: str = ""


NO_FILE = FileFacts(0, 0)
"""Of a text that came without a file."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document's record and what the file system said of its file when it was read."""

    record: DocumentRecord
    facts: FileFacts


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage at one of its places, with what a citation says of the document there."""

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
    passage_id: int

    @property
    def document(self) -> str:
        """The file's name, or the title where the document did not come from a file."""
        return self.path.replace("\\", "/").rsplit("/", 1)[-1] or self.title


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

    async def count_passages(self, collection: str | None = None) -> int:
        """Returns how many different passages can be found, in one collection or in all."""
        if collection is None:
            return await self._db.read(lambda db: int(db.execute("SELECT count(*) FROM passages").fetchone()[0]))
        query = (
            "SELECT count(DISTINCT c.passage_id) FROM chunks c JOIN documents d ON d.id = c.document_id "
            "WHERE d.collection = ?"
        )
        return await self._db.read(lambda db: int(db.execute(query, [collection]).fetchone()[0]))

    async def some_texts(self, count: int) -> list[str]:
        """Texts of passages taken by chance."""
        query = "SELECT text FROM passages WHERE id IN (SELECT id FROM passages ORDER BY random() LIMIT ?)"
        return await self._db.read(lambda db: [row[0] for row in db.execute(query, [count]).fetchall()])

    async def put(self, record: DocumentRecord, facts: FileFacts, chunks: Sequence[NewChunk]) -> VectorChange:
        """Stores a document in place of what its id held. A passage that it, or another, has already is left as it is.

        The change names the passages that are nowhere any more; those that are new wait for their vectors.
        """

        return await self._db.write(lambda db: changed(db, put_document(db, record, facts, chunks), []))

    async def remove(self, document_ids: Sequence[str]) -> VectorChange:
        """Removes documents, and the passages that no other holds; ids that are not there are passed over."""

        def work(db: sqlite_utils.Database) -> VectorChange:
            removed = _drop_chunks(db, document_ids)
            for some in portions(document_ids):
                db.execute(f"DELETE FROM documents WHERE id IN ({marks(some)})", some)
            return changed(db, removed, [])

        return await self._db.write(work)

    async def passages(self, chunk_ids: Sequence[int]) -> dict[int, Passage]:
        """Returns the passages at these places that are still there, by the places' ids."""

        def work(db: sqlite_utils.Database) -> dict[int, Passage]:
            found: dict[int, Passage] = {}
            for some in portions(chunk_ids):
                rows = db.execute(f"{_PASSAGE} WHERE c.id IN ({marks(some)})", some).fetchall()
                found |= {row[0]: Passage(*row) for row in rows}
            return found

        return await self._db.read(work)

    async def places(
        self, passage_ids: Sequence[int], document_ids: frozenset[str] | None = None
    ) -> dict[int, list[Passage]]:
        """Returns where these passages are, oldest place first; in these documents, or in any."""

        def work(db: sqlite_utils.Database) -> dict[int, list[Passage]]:
            found: dict[int, list[Passage]] = {}
            for some in portions(passage_ids):
                for row in db.execute(f"{_PASSAGE} WHERE c.passage_id IN ({marks(some)}) ORDER BY c.id", some):
                    passage = Passage(*row)
                    if document_ids is None or passage.document_id in document_ids:
                        found.setdefault(passage.passage_id, []).append(passage)
            return found

        return await self._db.read(work)

    async def passages_of(self, document_id: str, first: int, last: int) -> list[Passage]:
        """Returns a document's passages with ordinals from ``first`` to ``last``, in order."""
        sql = f"{_PASSAGE} WHERE c.document_id = ? AND c.ordinal BETWEEN ? AND ? ORDER BY c.ordinal"
        return await self._db.read(
            lambda db: [Passage(*row) for row in db.execute(sql, [document_id, first, last]).fetchall()]
        )

    async def documents_in(self, scope: SearchScope) -> frozenset[str]:
        """Returns the ids of the documents that a search is limited to."""
        where, values = conditions(scope)
        sql = f"SELECT id, path, title FROM documents WHERE {where}"
        return await self._db.read(
            lambda db: frozenset(i for i, path, title in db.execute(sql, values) if is_named(scope.names, path, title))
        )

    async def passages_in(self, document_ids: frozenset[str]) -> array[int]:
        """Returns the ids of the passages of these documents, rising."""

        def work(db: sqlite_utils.Database) -> array[int]:
            found: set[int] = set()
            for some in portions(sorted(document_ids)):
                sql = f"SELECT passage_id FROM chunks WHERE document_id IN ({marks(some)})"
                found.update(i for (i,) in db.execute(sql, some))
            return array("q", sorted(found))

        return await self._db.read(work)


def put_document(
    db: sqlite_utils.Database, record: DocumentRecord, facts: FileFacts, chunks: Sequence[NewChunk]
) -> list[int]:
    """Stores a document in place of what its id held; returns the ids of passages that are nowhere any more."""
    db.execute("UPDATE chunks SET ordinal = -1 - ordinal WHERE document_id = ?", [record.id])
    _write_document(db, record, facts, len(chunks))
    for ordinal, chunk in enumerate(chunks):
        _insert_chunk(db, record.id, ordinal, chunk)
    removed = _drop_chunks(db, [record.id], "AND ordinal < 0")
    if record.state == "indexing":
        db.execute(f"UPDATE documents SET state = 'ready' WHERE id = ? AND {_COMPLETE}", [record.id])
    return removed


_COMPLETE = (
    "NOT EXISTS (SELECT 1 FROM chunks JOIN passages_waiting USING (passage_id) WHERE document_id = documents.id)"
)
_PASSAGE = (
    'SELECT c.id, c.document_id, d.title, d.path, d.collection, c.ordinal, c.page, c.section, c."start", c."end", '
    "c.tokens, p.text, p.id FROM chunks c JOIN documents d ON d.id = c.document_id "
    "JOIN passages p ON p.id = c.passage_id"
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
    return StoredDocument(record, FileFacts(row[7], row[12], row[13], row[14]))


def _write_document(db: sqlite_utils.Database, record: DocumentRecord, facts: FileFacts, chunks: int) -> None:
    values: Mapping[str, Any] = {
        "id": record.id,
        "title": record.title,
        "path": record.path,
        "collection": record.collection,
        "content_hash": record.content_hash,
        "state": record.state,
        "added_at": record.added_at.isoformat(timespec="microseconds"),
        "size_bytes": record.size_bytes,
        "modified_ns": facts.modified_ns,
        "file_id": facts.file_id,
        "folder": facts.folder,
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


def _insert_chunk(db: sqlite_utils.Database, document_id: str, ordinal: int, chunk: NewChunk) -> None:
    place = [chunk.page, chunk.section, chunk.start, chunk.end, chunk.tokens]
    db.execute(
        'INSERT INTO chunks (document_id, ordinal, passage_id, page, section, "start", "end", tokens) '
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [document_id, ordinal, _passage_id(db, chunk), *place],
    )


def _passage_id(db: sqlite_utils.Database, chunk: NewChunk) -> int:
    known = db.execute("SELECT id FROM passages WHERE text_hash = ?", [chunk.text_hash]).fetchone()
    if known is not None:
        return int(known[0])
    cursor = db.execute(
        "INSERT INTO passages (text_hash, heading, text, grams) VALUES (?, ?, ?, ?)",
        [chunk.text_hash, chunk.heading, chunk.text, grams_of(chunk.text)],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _drop_chunks(db: sqlite_utils.Database, document_ids: Sequence[str], also: str = "") -> list[int]:
    """Deletes places and returns the ids of the passages that have none left."""
    held: set[int] = set()
    for some in portions(document_ids):
        where = f"document_id IN ({marks(some)}) {also}"
        held.update(i for (i,) in db.execute(f"SELECT passage_id FROM chunks WHERE {where}", some))
        db.execute(f"DELETE FROM chunks WHERE {where}", some)
    left: set[int] = set()
    for some in portions(sorted(held)):
        left.update(i for (i,) in db.execute(f"SELECT id FROM passages WHERE id IN ({marks(some)})", some))
    return sorted(held - left)
