"""Files that were read wait here for others, so that they are stored in one commit: a commit is a wait for the disk.

They wait half a second at most, also for a file that takes long to read, and are few, so that memory stays bounded. A
kill meanwhile costs that they are read once more; nothing is counted or shown before it is stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from vpa_desktop.rag.file_reading import Outcome, Read
from vpa_desktop.rag.finding import Task
from vpa_desktop.rag.ingest import Ingest
from vpa_desktop.rag.tally import Tally
from vpa_desktop.storage.known_files import KnownFile

FILES_AT_MOST = 64
PASSAGES_AT_MOST = 512
WAIT_AT_MOST_S = 0.5
_TRIES = 3
_CHANGED_BY_OTHERS = (
    "It could not be stored. Another window or command changed its document at the same time. "
    "It is read again at the next check."
)


class Together:
    """One for each ingestion. ``reading`` is held while a file is read and ``changing`` while files are stored."""

    def __init__(
        self,
        tally: Tally,
        reading: asyncio.Lock,
        changing: asyncio.Lock,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tally = tally
        self._reading = reading
        self._changing = changing
        self._clock = clock
        self._waiting: list[tuple[Task, Read | Outcome]] = []
        self._ids: set[str] = set()
        self._passages = 0
        self._since = 0.0

    async def read(self, ingest: Ingest, task: Task, known: KnownFile | None) -> None:
        """Reads one file, and stores it with those that wait when they have waited enough."""
        reading = asyncio.create_task(self._read(ingest, task, known))
        try:
            if self._waiting:
                await asyncio.wait({reading}, timeout=max(0.0, self._since + WAIT_AT_MOST_S - self._clock()))
                if not reading.done():
                    await self.store(ingest)
            read = await reading
        finally:
            reading.cancel()
        if isinstance(read, Read) and read.change.document_id in self._ids:
            # Of two that change one document the second must know what the first has done.
            await self.store(ingest)
            await self._read_anew(ingest, task)
        elif isinstance(read, Read) or self._waiting:
            self._add(task, read)  # also what need not be stored: files are told of in their order
        else:
            self._tally.count(task.path, read)
        if self._is_enough():
            await self.store(ingest)

    async def store(self, ingest: Ingest) -> None:
        """Stores what waits, and counts it."""
        waiting, self._waiting = self._waiting, []
        self._ids.clear()
        self._passages = 0
        if not waiting:
            return
        async with self._changing:
            made = iter(await ingest.store([read for _, read in waiting if isinstance(read, Read)]))
        for task, read in waiting:
            if isinstance(read, Outcome):
                self._tally.count(task.path, read)
            elif next(made):
                self._tally.count(task.path, read.outcome)
            else:
                await self._read_anew(ingest, task)

    async def _read(self, ingest: Ingest, task: Task, known: KnownFile | None) -> Outcome | Read:
        async with self._reading:
            return await ingest.read(Path(task.path), task.collection, task.folder, known)

    async def _read_anew(self, ingest: Ingest, task: Task) -> None:
        """Reads a file by itself, where what was known of it was no longer so."""
        outcome = Outcome("failed", reason=_CHANGED_BY_OTHERS)
        for _ in range(_TRIES):
            read = await self._read(ingest, task, await ingest.known(task.path, task.collection))
            if isinstance(read, Outcome):
                outcome = read
                break
            async with self._changing:
                (is_made,) = await ingest.store([read])
            if is_made:
                outcome = read.outcome
                break
        self._tally.count(task.path, outcome)

    def _add(self, task: Task, read: Read | Outcome) -> None:
        if not self._waiting:
            self._since = self._clock()
        self._waiting.append((task, read))
        if isinstance(read, Read):
            self._ids.add(read.change.document_id)
            self._passages += read.outcome.chunks

    def _is_enough(self) -> bool:
        return (
            len(self._waiting) >= FILES_AT_MOST
            or self._passages >= PASSAGES_AT_MOST
            or (bool(self._waiting) and self._clock() - self._since >= WAIT_AT_MOST_S)
        )
