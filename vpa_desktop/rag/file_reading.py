"""One file read in one thread: looked at, known by its content or by where it was before, parsed, looked at again.

The thread is one of ``patience``: a file system may hold it for ever. The parser may take long and has limits of its
own, so while it is at work ``steps`` moves with the clock.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.chunks import Chunk
from vpa_desktop.rag.folders import Disk, is_gone
from vpa_desktop.rag.parser_process import ParsedDocument, Parser
from vpa_desktop.rag.positions import without_position
from vpa_desktop.rag.readings import Look, Reading
from vpa_desktop.records import DocumentRecord, DocumentState
from vpa_desktop.storage.document_files import FileStore
from vpa_desktop.storage.documents import NewChunk
from vpa_desktop.storage.file_changes import FileChange, FileMoved, FileRead, FileTouched
from vpa_desktop.storage.known_files import KnownFile

Result = Literal["added", "updated", "unchanged", "failed", "moved", "gone"]
_MAX_HEADING_CHARS = 160
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. ``reason`` is the sentence where it failed; "gone" is no failure: it left its folder."""

    result: Result
    chunks: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What is to be stored of a file, and what has become of the file when it is."""

    change: FileChange
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Means:
    """What files are read with."""

    disk: Disk
    files: FileStore
    parser: Parser
    now: Callable[[], datetime]


class FileReading:
    """Reads one file. ``folder`` is the followed one it was found in; ``known`` is as what it is known."""

    def __init__(self, means: Means, path: Path, collection: str, folder: str, known: KnownFile | None) -> None:
        self._means = means
        self._path = path
        self._collection = collection
        self._known = known
        self._look = Look(means.disk, path, folder)
        self._is_parsing = False

    @property
    def steps(self) -> int:
        """Another number whenever something has moved."""
        return time.monotonic_ns() if self._is_parsing else self._look.steps

    def run(self) -> Outcome | Read:
        """Returns what is to be stored, or what became of the file where nothing is.

        Raises DocumentUnreadable where there is nothing of it that could be noted.
        """
        path, known = str(self._path), self._known
        reading = self._look.whole(known)
        if known is not None and known.is_settled and known.content_hash == reading.digest:
            as_it_was = Outcome("unchanged")
            touched = FileTouched(path, self._collection, known, reading.facts)
            return Read(touched, as_it_was) if reading.facts != known.facts else as_it_was
        if known is None and (old := self._moved_from(reading)) is not None:
            old_name = Path(old.path)
            title = {old_name.name: self._path.name, old_name.stem: self._path.stem}.get(old.title, old.title)
            return Read(FileMoved(path, self._collection, None, old, title, reading.facts), Outcome("moved"))
        return self._parsed(reading)

    def _parsed(self, reading: Reading) -> Outcome | Read:
        had_text = self._known is not None and self._known.chunks > 0
        try:
            parsed, reading = self._parse(reading)
        except DocumentUnreadable as unreadable:
            if isinstance(unreadable.__cause__, FileNotFoundError):
                raise
            outcome = Outcome("failed", reason=str(unreadable))
            return outcome if had_text else Read(self._document(reading, "failed", outcome.reason), outcome)
        if parsed.image_only:
            document = self._document(reading, "image_only", parsed.remark, parsed)
            return Read(document, Outcome("failed", reason=parsed.remark))
        chunks = rows_of(parsed.title, parsed.chunks)
        document = self._document(reading, "indexing", parsed.remark, parsed, chunks)
        return Read(document, Outcome("updated" if had_text else "added", len(chunks)))

    def _parse(self, reading: Reading) -> tuple[ParsedDocument, Reading]:
        """Reads the file, once more where it was written meanwhile. What changes all the time is looked at again."""
        for _ in range(_TRIES):
            self._is_parsing = True
            try:
                parsed = self._means.parser.parse_file(self._path)
            finally:
                self._is_parsing = False
            now = self._look.facts().facts
            if (now.size, now.modified_ns) == (reading.facts.size, reading.facts.modified_ns):
                return parsed, reading
            reading = self._look.whole(None)
        return parsed, replace(reading, facts=replace(reading.facts, file_id=""))

    def _moved_from(self, reading: Reading) -> KnownFile | None:
        """Returns the document of a file that was here with this content under another name, and is there no more."""
        for twin in self._means.files.twins_now(reading.digest, self._collection) if reading.digest else ():
            same_kind = Path(twin.path).suffix.lower() == self._path.suffix.lower()
            if twin.is_settled and same_kind and is_gone(twin.path, twin.file_id, self._means.disk):
                return twin
        return None

    def _document(
        self,
        reading: Reading,
        state: DocumentState,
        reason: str,
        parsed: ParsedDocument | None = None,
        chunks: Sequence[NewChunk] = (),
    ) -> FileRead:
        known = self._known
        record = DocumentRecord(
            id=known.id if known is not None else document_id_of(self._path, self._collection),
            title=parsed.title if parsed else self._path.stem,
            path=str(self._path),
            collection=self._collection,
            content_hash=reading.digest,
            state=state,
            added_at=self._means.now(),
            size_bytes=reading.facts.size,
            pages=parsed.pages if parsed else None,
            reason=reason,
        )
        other_id = document_id_of(self._path, f"{self._collection}\0{record.added_at.isoformat()}")
        return FileRead(str(self._path), self._collection, known, record, other_id, reading.facts, chunks)


def document_id_of(path: Path, collection: str) -> str:
    """Returns the id of a file in a collection, the same at every start."""
    return hashlib.sha256(f"{collection}\0{path}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def heading_of(title: str, section: str) -> str:
    """Returns what is searched and embedded with a passage: the document's title and the way to its section."""
    deepest = " > ".join(without_position(section).split(" > ")[-3:])
    parts = dict.fromkeys((" ".join(title.replace("_", " ").split()), deepest))
    return "\n".join(part[:_MAX_HEADING_CHARS] for part in parts if part)


def embedded_text(heading: str, text: str) -> str:
    """Returns what goes to the embedder for a passage."""
    return f"{heading}\n{text}" if heading else text


def rows_of(title: str, chunks: Sequence[Chunk]) -> list[NewChunk]:
    """Returns passages as they are stored."""
    rows = []
    for chunk in chunks:
        heading = heading_of(title, chunk.section)
        digest = hashlib.sha256(embedded_text(heading, chunk.text).encode("utf-8", "replace")).hexdigest()[:32]
        rows.append(
            NewChunk(
                chunk.text,
                heading,
                chunk.page,
                chunk.section,
                chunk.start,
                chunk.end,
                chunk.tokens,
                digest,
            )
        )
    return rows
