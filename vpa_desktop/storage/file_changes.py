"""What reading files changes: several files' documents in one commit, since each commit is a wait for the disk.

A file is read before the commit it waits for, and somebody else may write meanwhile (another window, the command line,
the person who takes a document out). So each change says as what its file was known when it was read, and is left out
where that is no longer so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vpa_desktop.records import DocumentRecord
from vpa_desktop.storage.documents import FileFacts, NewChunk, put_document
from vpa_desktop.storage.known_files import COLUMNS, KnownFile
from vpa_desktop.storage.vectors import VectorChange, changed

if TYPE_CHECKING:
    import sqlite_utils


@dataclass(frozen=True, slots=True)
class FileChange:
    """A change of one file's document. ``known`` is as what the file was known; None where it was not."""

    path: str
    collection: str
    known: KnownFile | None

    @property
    def document_id(self) -> str:
        """The document it changes or makes."""
        raise NotImplementedError

    def make(self, db: sqlite_utils.Database) -> list[int]:
        """Makes it, and returns the ids of passages that are nowhere any more."""
        raise NotImplementedError

    def is_possible(self, db: sqlite_utils.Database) -> bool:
        """True where all is still known as it was."""
        sql = f"SELECT {COLUMNS} FROM documents WHERE path = ? AND collection = ?"
        row = db.execute(sql, [self.path, self.collection]).fetchone()
        return _is_same(KnownFile(*row) if row else None, self.known)


@dataclass(frozen=True, slots=True)
class FileRead(FileChange):
    """A file's text, or why there is none, in place of what was there.

    ``other_id`` is for a new document whose id another one has kept that moved away from here.
    """

    record: DocumentRecord
    other_id: str
    facts: FileFacts
    chunks: Sequence[NewChunk]

    @property
    def document_id(self) -> str:
        """The document it changes or makes."""
        return self.record.id

    def make(self, db: sqlite_utils.Database) -> list[int]:
        """Stores the document and its passages."""
        is_taken = self.known is None and _by_id(db, self.record.id) is not None
        record = replace(self.record, id=self.other_id) if is_taken else self.record
        return put_document(db, record, self.facts, self.chunks)


@dataclass(frozen=True, slots=True)
class FileMoved(FileChange):
    """A document gets another path; its passages and their vectors stay. Kept answers that name the old one go."""

    old: KnownFile
    title: str
    facts: FileFacts

    @property
    def document_id(self) -> str:
        """The document that moves."""
        return self.old.id

    def make(self, db: sqlite_utils.Database) -> list[int]:
        """Gives the document its path."""
        note_facts(db, [(self.old.id, self.facts)])
        db.execute("UPDATE documents SET path = ?, title = ? WHERE id = ?", [self.path, self.title, self.old.id])
        db.execute(
            "DELETE FROM cached_answers WHERE key IN (SELECT key FROM cached_answer_documents WHERE document_id = ?)",
            [self.old.id],
        )
        return []

    def is_possible(self, db: sqlite_utils.Database) -> bool:
        """True where all is still known as it was."""
        return _is_same(_by_id(db, self.old.id), self.old) and FileChange.is_possible(self, db)


@dataclass(frozen=True, slots=True)
class FileTouched(FileChange):
    """Only what the file system says of it is another."""

    facts: FileFacts

    @property
    def document_id(self) -> str:
        """The document of the file."""
        assert self.known is not None
        return self.known.id

    def make(self, db: sqlite_utils.Database) -> list[int]:
        """Notes what the file system says."""
        note_facts(db, [(self.document_id, self.facts)])
        return []


def make_all(db: sqlite_utils.Database, changes: Sequence[FileChange]) -> tuple[VectorChange, list[bool]]:
    """Makes the changes that can be made, in order, and says which those were."""
    removed, made = list[int](), list[bool]()
    for change in changes:
        made.append(change.is_possible(db))
        if made[-1]:
            removed += change.make(db)
    return changed(db, removed, []), made


def note_facts(db: sqlite_utils.Database, rows: Sequence[tuple[str, FileFacts]]) -> None:
    """Notes what the file system says of the files of these documents."""
    sql = "UPDATE documents SET size_bytes = ?, modified_ns = ?, file_id = ?, folder = ? WHERE id = ?"
    db.conn.executemany(sql, [(f.size, f.modified_ns, f.file_id, f.folder, document_id) for document_id, f in rows])


def _by_id(db: sqlite_utils.Database, document_id: str) -> KnownFile | None:
    row = db.execute(f"SELECT {COLUMNS} FROM documents WHERE id = ?", [document_id]).fetchone()
    return KnownFile(*row) if row else None


def _is_same(now: KnownFile | None, before: KnownFile | None) -> bool:
    """True where the document is the same one with the same text; that its vectors came meanwhile does not matter."""
    if now is None or before is None:
        return now is before
    return (now.id, now.path, now.content_hash, now.chunks, now.facts) == (
        before.id, before.path, before.content_hash, before.chunks, before.facts,
    )  # fmt: skip
