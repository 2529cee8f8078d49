"""One file into the database: known by size and time, then by its content, else read and cut; then stored with others.

Text can be searched by its words as soon as it is stored; vectors follow, and a kill in between loses nothing. Which
files are stored together is ``together``'s business.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.chunks import Chunk
from vpa_desktop.rag.folders import Disk, is_gone
from vpa_desktop.rag.index_keeper import IndexKeeper
from vpa_desktop.rag.parser_process import ParsedDocument, Parser
from vpa_desktop.rag.patience import Patience
from vpa_desktop.rag.positions import without_position
from vpa_desktop.rag.readings import Look, Reading, is_text
from vpa_desktop.records import DocumentRecord, DocumentState
from vpa_desktop.storage.document_files import FileStore
from vpa_desktop.storage.documents import NO_FILE, DocumentStore, NewChunk
from vpa_desktop.storage.file_changes import FileChange, FileMoved, FileRead, FileTouched
from vpa_desktop.storage.known_files import KnownFile
from vpa_desktop.storage.vectors import VectorChange

Result = Literal["added", "updated", "unchanged", "failed", "moved", "gone"]
_MAX_HEADING_CHARS = 160
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Stores:
    """What is known of documents and their files, and the disk they lie on."""

    documents: DocumentStore
    files: FileStore
    disk: Disk
    patience: Patience


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


class Ingest:
    """Reads files and texts into the store. One file at a time: its owner sees to that."""

    def __init__(self, stores: Stores, parser: Parser, keeper: IndexKeeper, now: Callable[[], datetime]) -> None:
        self._store = stores.documents
        self._files = stores.files
        self._disk = stores.disk
        self._patience = stores.patience
        self._parser = parser
        self._keeper = keeper
        self._now = now

    async def known(self, path: str, collection: str) -> KnownFile | None:
        """Returns as what a file is known now."""
        return await self._files.at(path, collection) if is_text(path) else None

    async def read(self, path: Path, collection: str, folder: str, known: KnownFile | None) -> Outcome | Read:
        """Reads one file and returns what is to be stored of it, or what became of it where nothing is.

        What cannot be read is noted with its reason, not raised. ``folder`` is the followed one it was found in: there
        it may be gone by now without a word. ``known`` is as what it is known.
        """
        if not is_text(f"{collection}{path}"):
            return Outcome("failed", reason="Its name is not written in Unicode. Rename it and add it again.")
        try:
            look = Look(self._disk, path, folder)
            reading = await self._patience.call(lambda: look.whole(known), lambda: look.steps)
            if known is not None and known.is_settled and known.content_hash == reading.digest:
                as_it_was = Outcome("unchanged")
                touched = FileTouched(str(path), collection, known, reading.facts)
                return Read(touched, as_it_was) if reading.facts != known.facts else as_it_was
            return await self._changed(path, collection, reading, known)
        except TimeoutError:
            return Outcome("failed", reason=str(_does_not_answer(path)))
        except DocumentUnreadable as unreadable:
            gone = folder and isinstance(unreadable.__cause__, FileNotFoundError)
            return Outcome("gone") if gone else Outcome("failed", reason=str(unreadable))

    async def store(self, read: Sequence[Read]) -> list[bool]:
        """Stores what was read of several files in one commit.

        Returns of which that could be done: not of a file that somebody else has changed the document of meanwhile.
        """
        made = list[bool]()

        async def make() -> VectorChange:
            change, flags = await self._files.make([each.change for each in read])
            made.extend(flags)
            return change

        await self._keeper.change(make())
        return made

    async def _changed(self, path: Path, collection: str, reading: Reading, known: KnownFile | None) -> Outcome | Read:
        if known is None and (old := await self._moved_from(path, collection, reading)) is not None:
            old_name = Path(old.path)
            title = {old_name.name: path.name, old_name.stem: path.stem}.get(old.title, old.title)
            return Read(FileMoved(str(path), collection, None, old, title, reading.facts), Outcome("moved"))
        try:
            parsed, chunks, reading = await self._parse(path, reading)
        except DocumentUnreadable as unreadable:
            if isinstance(unreadable.__cause__, FileNotFoundError):
                raise
            outcome = Outcome("failed", reason=str(unreadable))
            if known is not None and known.chunks:
                return outcome
            record = await self._record(path, collection, reading, known, "failed", reason=outcome.reason)
            return Read(FileRead(str(path), collection, known, record, reading.facts, ()), outcome)
        if parsed.image_only:
            state: DocumentState = "image_only"
            outcome = Outcome("failed", reason=parsed.remark)
        else:
            state = "indexing"
            outcome = Outcome("updated" if known is not None and known.chunks else "added", len(parsed.chunks))
        record = await self._record(path, collection, reading, known, state, parsed, parsed.remark)
        rows = () if parsed.image_only else chunks
        return Read(FileRead(str(path), collection, known, record, reading.facts, rows), outcome)

    async def _parse(self, path: Path, reading: Reading) -> tuple[ParsedDocument, list[NewChunk], Reading]:
        """Reads the file, once more where it was written meanwhile. What changes all the time is looked at again."""
        for _ in range(_TRIES):
            parsed, chunks = await asyncio.to_thread(self._parse_now, path)
            look = Look(self._disk, path, reading.facts.folder)
            now = (await self._patience.call(look.facts)).facts
            if (now.size, now.modified_ns) == (reading.facts.size, reading.facts.modified_ns):
                return parsed, chunks, reading
            reading = await self._patience.call(lambda: look.whole(None), lambda: look.steps)  # noqa: B023
        return parsed, chunks, replace(reading, facts=replace(reading.facts, file_id=""))

    def _parse_now(self, path: Path) -> tuple[ParsedDocument, list[NewChunk]]:
        parsed = self._parser.parse_file(path)
        return parsed, _rows(parsed.title, parsed.chunks)

    async def _moved_from(self, path: Path, collection: str, reading: Reading) -> KnownFile | None:
        """Returns the document of a file that was here with this content under another name, and is there no more."""
        for twin in await self._files.twins(reading.digest, collection) if reading.digest else ():
            if twin.is_settled and Path(twin.path).suffix.lower() == path.suffix.lower():
                is_gone_now = partial(is_gone, twin.path, twin.file_id, self._disk)
                if await self._patience.call(is_gone_now):
                    return twin
        return None

    async def text(
        self, document_id: str, title: str, content: str, metadata: Mapping[str, Any], collection: str
    ) -> DocumentRecord:
        """Stores a text under the person's own id. Raises DocumentUnreadable when there is nothing in it."""
        digest = hashlib.sha256(f"{title}\0{content}".encode("utf-8", "surrogatepass")).hexdigest()
        known = await self._store.get(document_id)
        if (
            known is not None
            and known.record.content_hash == digest
            and (known.record.collection, dict(known.record.metadata)) == (collection, dict(metadata))
        ):
            return known.record
        clean = content.replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")
        parsed = await asyncio.to_thread(self._parser.cut_text, title, clean)
        record = DocumentRecord(
            id=document_id,
            title=title,
            path="",
            collection=collection,
            content_hash=digest,
            state="indexing",
            added_at=self._now(),
            size_bytes=len(clean.encode()),
            chunks=len(parsed.chunks),
            metadata=dict(metadata),
        )
        chunks = await asyncio.to_thread(_rows, title, parsed.chunks)
        await self._keeper.change(self._store.put(record, NO_FILE, chunks))
        return record

    async def _record(
        self,
        path: Path,
        collection: str,
        reading: Reading,
        known: KnownFile | None,
        state: DocumentState,
        parsed: ParsedDocument | None = None,
        reason: str = "",
    ) -> DocumentRecord:
        return DocumentRecord(
            id=known.id if known is not None else await self._new_id(path, collection),
            title=parsed.title if parsed else path.stem,
            path=str(path),
            collection=collection,
            content_hash=reading.digest,
            state=state,
            added_at=self._now(),
            size_bytes=reading.facts.size,
            pages=parsed.pages if parsed else None,
            reason=reason,
        )

    async def _new_id(self, path: Path, collection: str) -> str:
        """The id of a file's first document; another where that one has moved away from here and kept it."""
        document_id = document_id_of(path, collection)
        if await self._files.is_free(document_id):
            return document_id
        return document_id_of(path, f"{collection}\0{self._now().isoformat()}")


def _rows(title: str, chunks: tuple[Chunk, ...]) -> list[NewChunk]:
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


def _does_not_answer(path: Path) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"{path.name} cannot be read now",
        "Its drive does not answer; it may be on a network drive that is not there",
        "It is tried again later",
    )
