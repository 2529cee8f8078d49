"""One file into the database: known by size and time, then by its content, else read, cut and stored.

Text can be searched by its words as soon as it is stored; vectors follow, and a kill in between loses nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.chunks import Chunk
from vpa_desktop.rag.index_keeper import IndexKeeper
from vpa_desktop.rag.loaders import MAX_FILE_BYTES, unreadable_because
from vpa_desktop.rag.parser_process import ParsedDocument, Parser
from vpa_desktop.records import DocumentRecord, DocumentState
from vpa_desktop.storage.documents import DocumentStore, NewChunk, StoredDocument

Result = Literal["added", "updated", "unchanged", "failed"]
_MAX_HEADING_CHARS = 160


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. ``reason`` is the sentence where it failed."""

    result: Result
    chunks: int = 0
    reason: str = ""


def document_id_of(path: Path, collection: str) -> str:
    """Returns the id of a file in a collection, the same at every start."""
    return hashlib.sha256(f"{collection}\0{path}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def heading_of(title: str, section: str) -> str:
    """Returns what is searched and embedded with a passage: the document's title and the way to its section."""
    deepest = " > ".join(section.split(" > ")[-3:])
    parts = dict.fromkeys((" ".join(title.replace("_", " ").split()), deepest))
    return "\n".join(part[:_MAX_HEADING_CHARS] for part in parts if part)


def embedded_text(heading: str, text: str) -> str:
    """Returns what goes to the embedder for a passage."""
    return f"{heading}\n{text}" if heading else text


class Ingest:
    """Reads files and texts into the store. One at a time: its owner sees to that."""

    def __init__(self, store: DocumentStore, parser: Parser, keeper: IndexKeeper, now: Callable[[], datetime]) -> None:
        self._store = store
        self._parser = parser
        self._keeper = keeper
        self._now = now

    async def file(self, path: Path, collection: str, *, retry_failed: bool = True) -> Outcome:
        """Brings one file's document up to date. What cannot be read is noted with its reason, not raised."""
        if not _is_text(f"{collection}{path}"):
            return Outcome("failed", reason="Its name is not written in Unicode. Rename it and add it again.")
        document_id = document_id_of(path, collection)
        known = await self._store.get(document_id)
        try:
            size, modified_ns = await asyncio.to_thread(_facts, path)
        except DocumentUnreadable as unreadable:
            return Outcome("failed", reason=str(unreadable))
        if known is not None and (known.record.size_bytes, known.modified_ns) == (size, modified_ns):
            if _is_settled(known.record.state):
                return Outcome("unchanged")
            if not retry_failed:
                return Outcome("failed", reason=known.record.reason)
        digest = await asyncio.to_thread(_digest, path)
        if known is not None and known.record.content_hash == digest and _is_settled(known.record.state):
            await self._store.touch(document_id, size, modified_ns)
            return Outcome("unchanged")
        return await self._read(path, _Facts(document_id, collection, digest, size, modified_ns), known)

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
        await self._put(record, 0, parsed)
        return record

    async def _read(self, path: Path, facts: _Facts, known: StoredDocument | None) -> Outcome:
        try:
            parsed = await asyncio.to_thread(self._parser.parse_file, path)
        except DocumentUnreadable as unreadable:
            reason = str(unreadable)
            if known is None or not known.record.chunks:
                await self._put(self._record(path, facts, "failed", reason=reason), facts.modified_ns, None)
            return Outcome("failed", reason=reason)
        if parsed.image_only:
            reason = _image_only_sentence(path, parsed.pages)
            await self._put(self._record(path, facts, "image_only", parsed, reason), facts.modified_ns, None)
            return Outcome("failed", reason=reason)
        await self._put(self._record(path, facts, "indexing", parsed), facts.modified_ns, parsed)
        had_text = known is not None and known.record.chunks > 0
        return Outcome("updated" if had_text else "added", len(parsed.chunks))

    def _record(
        self, path: Path, facts: _Facts, state: DocumentState, parsed: ParsedDocument | None = None, reason: str = ""
    ) -> DocumentRecord:
        return DocumentRecord(
            id=facts.document_id,
            title=parsed.title if parsed else path.stem,
            path=str(path),
            collection=facts.collection,
            content_hash=facts.digest,
            state=state,
            added_at=self._now(),
            size_bytes=facts.size,
            pages=parsed.pages if parsed else None,
            reason=reason,
        )

    async def _put(self, record: DocumentRecord, modified_ns: int, parsed: ParsedDocument | None) -> None:
        chunks = await asyncio.to_thread(_rows, record.title, parsed.chunks) if parsed else []
        await self._keeper.change(self._store.put(record, modified_ns, chunks))


@dataclass(frozen=True, slots=True)
class _Facts:
    document_id: str
    collection: str
    digest: str
    size: int
    modified_ns: int


def _is_settled(state: DocumentState) -> bool:
    return state in ("ready", "indexing")


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


def _is_text(name: str) -> bool:
    """False for a name whose bytes are no UTF-8: Python carries those as lone surrogates, a database cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _facts(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except OSError as exc:
        raise unreadable_because(path, exc) from exc
    except ValueError as exc:
        raise DocumentUnreadable(f"{path.name!r} is not a file's name") from exc
    if not stat.S_ISREG(facts.st_mode):
        raise DocumentUnreadable(f"{path.name} is not a file", "It is a folder, a device or a pipe")
    return facts.st_size, facts.st_mtime_ns


def _digest(path: Path) -> str:
    """The content's SHA-256; empty where it cannot be had, which the reader then says in a sentence."""
    digest = hashlib.sha256()
    left = MAX_FILE_BYTES
    try:
        with path.open("rb") as file:
            while left > 0 and (block := file.read(1 << 20)):
                digest.update(block)
                left -= len(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _image_only_sentence(path: Path, pages: int | None) -> str:
    count = "Its only page is a picture" if pages == 1 else f"Its {pages} pages are pictures"
    return (
        f"{path.name} has no text. {count} without text behind, as a scanner makes them. "
        "Run it through text recognition (OCR) and add the result."
    )
