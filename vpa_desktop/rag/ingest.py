"""One file into the database: known by size and time, then by its content, else read and cut; then stored with others.

Text can be searched by its words as soon as it is stored; vectors follow, and a kill in between loses nothing. Which
files are stored together is ``together``'s business.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.file_reading import FileReading, Means, Outcome, Read, rows_of
from vpa_desktop.rag.folders import Disk
from vpa_desktop.rag.index_keeper import IndexKeeper
from vpa_desktop.rag.parser_process import Parser
from vpa_desktop.rag.patience import Patience
from vpa_desktop.rag.readings import is_text
from vpa_desktop.records import DocumentRecord
from vpa_desktop.storage.document_files import FileStore
from vpa_desktop.storage.documents import NO_FILE, DocumentStore
from vpa_desktop.storage.known_files import KnownFile
from vpa_desktop.storage.vectors import VectorChange


@dataclass(frozen=True, slots=True)
class Stores:
    """What is known of documents and their files, and the disk they lie on."""

    documents: DocumentStore
    files: FileStore
    disk: Disk
    patience: Patience


class Ingest:
    """Reads files and texts into the store. One file at a time: its owner sees to that."""

    def __init__(self, stores: Stores, parser: Parser, keeper: IndexKeeper, now: Callable[[], datetime]) -> None:
        self._store = stores.documents
        self._files = stores.files
        self._patience = stores.patience
        self._means = Means(stores.disk, stores.files, parser, now)
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
        reading = FileReading(self._means, path, collection, folder, known)
        try:
            return await self._patience.call(reading.run, lambda: reading.steps)
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
        chunks = await asyncio.to_thread(rows_of, title, parsed.chunks)
        await self._keeper.change(self._store.put(record, NO_FILE, chunks))
        return record


def _does_not_answer(path: Path) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"{path.name} cannot be read now",
        "Its drive does not answer; it may be on a network drive that is not there",
        "It is tried again later",
    )
