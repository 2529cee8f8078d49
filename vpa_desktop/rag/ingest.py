"""One file into the database: known by size and time, then by its content, else read, cut and stored.

Text can be searched by its words as soon as it is stored; vectors follow, and a kill in between loses nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.chunks import Chunk
from vpa_desktop.rag.folders import Disk, file_id_of, is_gone
from vpa_desktop.rag.index_keeper import IndexKeeper
from vpa_desktop.rag.loaders import MAX_FILE_BYTES, unreadable_because
from vpa_desktop.rag.parser_process import ParsedDocument, Parser
from vpa_desktop.rag.patience import Patience
from vpa_desktop.rag.positions import without_position
from vpa_desktop.records import DocumentRecord, DocumentState
from vpa_desktop.storage.document_files import FileStore, KnownFile
from vpa_desktop.storage.documents import NO_FILE, DocumentStore, FileFacts, NewChunk

Result = Literal["added", "updated", "unchanged", "failed", "moved", "gone"]
_MAX_HEADING_CHARS = 160
_BLOCK = 1 << 20
_TRIES = 2
_FRESH_NS = 2_000_000_000
"""The coarsest time that a file system keeps with a file (FAT)."""


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
    """Reads files and texts into the store. One at a time: its owner sees to that."""

    def __init__(self, stores: Stores, parser: Parser, keeper: IndexKeeper, now: Callable[[], datetime]) -> None:
        self._store = stores.documents
        self._files = stores.files
        self._disk = stores.disk
        self._patience = stores.patience
        self._parser = parser
        self._keeper = keeper
        self._now = now

    async def file(self, path: Path, collection: str, folder: str = "") -> Outcome:
        """Brings one file's document up to date. What cannot be read is noted with its reason, not raised.

        ``folder`` is the followed one it was found in: there it may be gone by now without a word.
        """
        if not is_text(f"{collection}{path}"):
            return Outcome("failed", reason="Its name is not written in Unicode. Rename it and add it again.")
        known = await self._files.at(str(path), collection)
        try:
            reading = await self._look(path, folder)
            if known is not None and known.is_settled and is_same(known.facts, reading.facts):
                return await self._as_it_was(known, reading.facts)
            reading = await self._hash(path, reading)
            return await self._changed(path, collection, reading, known)
        except TimeoutError:
            return Outcome("failed", reason=str(_does_not_answer(path)))
        except DocumentUnreadable as unreadable:
            gone = folder and isinstance(unreadable.__cause__, FileNotFoundError)
            return Outcome("gone") if gone else Outcome("failed", reason=str(unreadable))

    async def _changed(self, path: Path, collection: str, reading: _Reading, known: KnownFile | None) -> Outcome:
        if known is not None and known.is_settled and known.content_hash == reading.digest:
            return await self._as_it_was(known, reading.facts)
        if known is None and (old := await self._moved_from(path, collection, reading)) is not None:
            old_name = Path(old.path)
            title = {old_name.name: path.name, old_name.stem: path.stem}.get(old.title, old.title)
            await self._files.move(old.id, str(path), title, reading.facts)
            return Outcome("moved")
        try:
            parsed, reading = await self._parse(path, reading)
        except DocumentUnreadable as unreadable:
            if isinstance(unreadable.__cause__, FileNotFoundError):
                raise
            reason = str(unreadable)
            if known is None or not known.chunks:
                await self._put(await self._record(path, collection, reading, known, "failed", reason=reason), reading)
            return Outcome("failed", reason=reason)
        if parsed.image_only:
            record = await self._record(path, collection, reading, known, "image_only", parsed, parsed.remark)
            await self._put(record, reading)
            return Outcome("failed", reason=parsed.remark)
        record = await self._record(path, collection, reading, known, "indexing", parsed, parsed.remark)
        await self._put(record, reading, parsed)
        return Outcome("updated" if known is not None and known.chunks else "added", len(parsed.chunks))

    async def _as_it_was(self, known: KnownFile, facts: FileFacts) -> Outcome:
        if facts != known.facts:
            await self._files.touch([(known.id, facts)])
        return Outcome("unchanged")

    async def _look(self, path: Path, folder: str) -> _Reading:
        began_ns = time.time_ns()
        facts, of_folder = await self._patience.call(lambda: _facts(self._disk, path))
        # A file written this very moment may be written again with the same size and time.
        is_fresh = abs(began_ns - facts.st_mtime_ns) < _FRESH_NS
        file_id = "" if is_fresh else file_id_of(facts, of_folder)
        return _Reading(FileFacts(facts.st_size, facts.st_mtime_ns, file_id, folder))

    async def _hash(self, path: Path, reading: _Reading) -> _Reading:
        hashing = Hashing(path)
        return replace(reading, digest=await self._patience.call(hashing.digest, lambda: hashing.blocks))

    async def _parse(self, path: Path, reading: _Reading) -> tuple[ParsedDocument, _Reading]:
        """Reads the file, once more where it was written meanwhile. What changes all the time is looked at again."""
        for _ in range(_TRIES):
            parsed = await asyncio.to_thread(self._parser.parse_file, path)
            now = await self._look(path, reading.facts.folder)
            if (now.facts.size, now.facts.modified_ns) == (reading.facts.size, reading.facts.modified_ns):
                return parsed, reading
            reading = await self._hash(path, now)
        return parsed, replace(reading, facts=replace(reading.facts, file_id=""))

    async def _moved_from(self, path: Path, collection: str, reading: _Reading) -> KnownFile | None:
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
        reading: _Reading,
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
        if await self._store.get(document_id) is None:
            return document_id
        return document_id_of(path, f"{collection}\0{self._now().isoformat()}")

    async def _put(self, record: DocumentRecord, reading: _Reading, parsed: ParsedDocument | None = None) -> None:
        chunks = await asyncio.to_thread(_rows, record.title, parsed.chunks) if parsed else []
        await self._keeper.change(self._store.put(record, reading.facts, chunks))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file as it was just before it was read."""

    facts: FileFacts
    digest: str = ""


def is_same(known: FileFacts, now: FileFacts) -> bool:
    """True where a file need not be read again: same size and time, and the same file where its disk says so."""
    if not known.file_id or (known.size, known.modified_ns) != (now.size, now.modified_ns):
        return False
    same_disk = known.file_id.partition(":")[0] == now.file_id.partition(":")[0]
    return not same_disk or known.file_id == now.file_id


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


def is_text(name: str) -> bool:
    """False for a name whose bytes are no UTF-8: Python carries those as lone surrogates, a database cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _facts(disk: Disk, path: Path) -> tuple[os.stat_result, os.stat_result]:
    """What the system says of a file and of the folder it is in."""
    try:
        facts = disk.stat(str(path))
        of_folder = disk.stat(str(path.parent))
    except OSError as exc:
        raise unreadable_because(path, exc) from exc
    except ValueError as exc:
        raise DocumentUnreadable(f"{path.name!r} is not a file's name") from exc
    if not stat.S_ISREG(facts.st_mode):
        raise DocumentUnreadable(f"{path.name} is not a file", "It is a folder, a device or a pipe")
    return facts, of_folder


class Hashing:
    """One file's checksum; ``blocks`` counts what was read, so that a slow drive is not taken for a dead one."""

    def __init__(self, path: Path) -> None:
        self.blocks = 0
        self._path = path

    def digest(self) -> str:
        """Returns the content's SHA-256; empty where it cannot be had, which the reader then says in a sentence."""
        digest = hashlib.sha256()
        try:
            with self._path.open("rb") as file:
                while self.blocks * _BLOCK < MAX_FILE_BYTES and (block := file.read(_BLOCK)):
                    digest.update(block)
                    self.blocks += 1
        except OSError:
            return ""
        return digest.hexdigest()


def _does_not_answer(path: Path) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"{path.name} cannot be read now",
        "Its drive does not answer; it may be on a network drive that is not there",
        "It is tried again later",
    )
