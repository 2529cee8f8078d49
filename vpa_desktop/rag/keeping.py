"""Documents kept as the disk is: files added, folders followed, changes, moves and deletions taken over.

Each piece of work is small (a few files, a batch of passages), so that questions and other additions come in between,
and a kill at any moment leaves nothing that the next check does not find.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.embedder import Embedder, RemoteEmbedder, leaves_for
from vpa_desktop.rag.file_reading import embedded_text
from vpa_desktop.rag.finding import Finder, Task, Tasks
from vpa_desktop.rag.ignore import RULES_FILE
from vpa_desktop.rag.index import portions_of
from vpa_desktop.rag.index_keeper import IndexKeeper, to_blob
from vpa_desktop.rag.ingest import Ingest, Stores
from vpa_desktop.rag.pace import Pace
from vpa_desktop.rag.readings import is_text
from vpa_desktop.rag.tally import Tally
from vpa_desktop.rag.together import FILES_AT_MOST, Together
from vpa_desktop.records import IngestProgress, IngestReport
from vpa_desktop.storage.kept_here import KeptHere
from vpa_desktop.storage.known_files import KnownFile
from vpa_desktop.storage.vectors import VectorStore

PASSAGES_PER_WRITE = 64
_READ_AT_ONCE = 20_000
"""So many files are listed before they are read, that what is left to do is known; no list grows beyond it."""
_EVENTS_AT_MOST = 500

Steps = AsyncGenerator[IngestProgress | IngestReport, None]


@dataclass(frozen=True, slots=True)
class Workers:
    """What reads, embeds and indexes; made at the first file that has to be read."""

    ingest: Ingest
    keeper: IndexKeeper
    embedder: Embedder


@dataclass(frozen=True, slots=True)
class VectorStores:
    """Where vectors are kept, and what is noted of passages that get none. ``private`` are collections that stay here.

    They are asked for each time: the settings may change.
    """

    vectors: VectorStore
    kept_here: KeptHere
    private: Callable[[], Sequence[str]] = tuple

    def never_for(self, embedder: Embedder) -> Sequence[str]:
        """Returns the collections whose text this embedder must not see."""
        return self.private() if leaves_for(embedder) else ()


class Keeping:
    """Adds, checks and follows. ``changing`` is held for each change; ``own`` are paths that are never documents."""

    def __init__(
        self,
        stores: Stores,
        vectors: VectorStores,
        workers: Callable[[], Awaitable[Workers]],
        changing: asyncio.Lock,
        pace: Pace,
        now: Callable[[], datetime],
        own: frozenset[str] = frozenset(),
    ) -> None:
        self.pace = pace
        self.changed: Callable[[], Awaitable[None]] | None = None
        """Waited for after documents have changed, before the report."""
        self.stopped: Callable[[KnowledgeError], None] | None = None
        """Called where vectors could not be made: they are still wanted."""
        self.woken = asyncio.Event()
        """Set when folders are added or forgotten, and when one of them has changed."""
        self._files = stores.files
        self._store = stores.documents
        self._finder = Finder(stores, now, own)
        self._vectors, self._stores = vectors.vectors, vectors
        self._embedding = asyncio.Lock()
        self._workers = workers
        self._changing = changing
        self._reading = asyncio.Lock()

    async def add(self, paths: Sequence[Path], collection: str) -> Steps:
        """Adds files, and folders with what is in them; those are followed from now on."""
        tally = Tally()
        # Not resolve(): that would follow links, and ask the disk.
        given = [os.path.abspath(path) for path in paths]  # noqa: PTH100, ASYNC240
        folders = await self._finder.followed(given, collection)
        if folders:
            self.woken.set()
        found = self._finder.given(given, collection, folders, tally)
        async with aclosing(self._run(tally, found, [f.path for f in folders], background=False)) as steps:
            async for step in steps:
                yield step

    async def sync(self, *, background: bool = False) -> Steps:
        """Looks at every followed folder and at every file that was added by its name."""
        tally = Tally()
        found = self._finder.walked(await self._files.folders(), tally)
        async with aclosing(self._run(tally, found, [None], background)) as steps:
            async for step in steps:
                yield step

    async def follow(self, paths: Iterable[str]) -> Steps:
        """Takes over what has happened at these paths, as the system reported it."""
        tally = Tally()
        folders = await self._files.folders()
        touched = sorted(set(paths))
        if len(touched) > _EVENTS_AT_MOST or any(path.endswith(os.sep + RULES_FILE) for path in touched):
            found, touched = self._finder.walked(folders, tally), [folder.path for folder in folders]
        else:
            found = self._finder.met(touched, folders, tally)
        work = self._run(tally, found, touched, background=True)
        async with aclosing(work) as steps:
            async for step in steps:
                yield step

    async def embed(self, tally: Tally, workers: Workers, *, background: bool) -> AsyncGenerator[IngestProgress, None]:
        """Makes the vectors that are wanting, a write at a time. Raises KnowledgeError where the model cannot."""
        model = workers.embedder.model_id
        await self.settle_kept(workers)
        tally.begin_embedding(await self._vectors.count_waiting())
        await workers.keeper.current()
        yield tally.progress()
        while True:
            async with aclosing(self._held(tally, "", background)) as waits:
                async for step in waits:
                    yield step
            done = await self._embed_some(workers, model)
            if not done:
                break
            tally.embedded(tally.chunks_done + done)
            yield tally.progress()
        await self.settle_kept(workers)
        await self._vectors.settle(model)

    async def settle_kept(self, workers: Workers) -> None:
        """Lets no passage wait for this embedder that it must not see."""
        await self._stores.kept_here.settle(workers.embedder.model_id, self._stores.never_for(workers.embedder))

    async def _embed_some(self, workers: Workers, model: str) -> int:
        """Embeds a batch. Nobody else embeds meanwhile, and pays twice; files are read and taken out all the same."""
        embedder = workers.embedder
        most = embedder.batch if isinstance(embedder, RemoteEmbedder) else PASSAGES_PER_WRITE
        async with self._embedding:
            waiting = await self._vectors.waiting(model, most, self._stores.never_for(embedder))
            if waiting:
                vectors = await embedder.embed_passages([embedded_text(head, text) for _, head, text in waiting])
                rows = [(row[0], to_blob(vector)) for row, vector in zip(waiting, vectors, strict=True)]
                async with self._changing:
                    await workers.keeper.change(self._vectors.put(model, rows))
        return len(waiting)

    # One ingestion

    async def _run(self, tally: Tally, tasks: Tasks, swept: Sequence[str | None], background: bool) -> Steps:
        """Reads what ``tasks`` find, then looks for what is gone below ``swept`` (None: everywhere), then embeds."""
        for stage in (tasks, self._finder.swept(swept, tally, self._remove)):
            async with aclosing(self._read_all(stage, tally, background)) as steps:
                async for step in steps:
                    yield step
        if await self._vectors.count_waiting():
            workers = await self._workers()
            try:
                async with aclosing(self.embed(tally, workers, background=background)) as embedding:
                    async for progress in embedding:
                        yield progress
            except KnowledgeError as stopped:
                tally.fail(workers.embedder.name, str(stopped))
                if self.stopped is not None:
                    self.stopped(stopped)
            async with self._changing:
                await workers.keeper.save()
        report = tally.report()
        if self.changed is not None and (report.added or report.updated or report.removed):
            await self.changed()
        yield report

    async def _read_all(self, tasks: Tasks, tally: Tally, background: bool) -> AsyncGenerator[IngestProgress, None]:
        listed: list[Task] = []
        async with aclosing(tasks):
            async for portion in tasks:
                listed += portion
                tally.files_total += len(portion)
                yield tally.progress()
                if len(listed) >= _READ_AT_ONCE:
                    async with aclosing(self._read(listed, tally, background)) as steps:
                        async for step in steps:
                            yield step
                    listed = []
        async with aclosing(self._read(listed, tally, background)) as steps:
            async for step in steps:
                yield step

    async def _read(
        self, tasks: Sequence[Task], tally: Tally, background: bool
    ) -> AsyncGenerator[IngestProgress, None]:
        together = Together(tally, self._reading, self._changing)
        for some in portions_of(tasks, FILES_AT_MOST):
            ingest = (await self._workers()).ingest
            known = await self._known(some)
            for task in some:
                name = os.path.basename(task.path)  # noqa: PTH119
                if self.pace.held(background=background):
                    await together.store(ingest)
                async with aclosing(self._held(tally, name, background)) as waits:
                    async for step in waits:
                        yield step
                yield tally.progress(name)
                await together.read(ingest, task, known.get((task.path, task.collection)))
        if tasks:
            await together.store(ingest)

    async def _known(self, tasks: Sequence[Task]) -> dict[tuple[str, str], KnownFile]:
        """Returns as what these files are known now, by path and collection; what changes until then is seen later."""
        found: dict[tuple[str, str], KnownFile] = {}
        for collection in {task.collection for task in tasks}:
            paths = [task.path for task in tasks if task.collection == collection and is_text(task.path)]
            found |= {(path, collection): file for path, file in (await self._files.known(paths, collection)).items()}
        return found

    async def _held(self, tally: Tally, current: str, background: bool) -> AsyncGenerator[IngestProgress, None]:
        """Says once what the work waits for, and waits."""
        if held := self.pace.held(background=background):
            tally.hold(held)
            yield tally.progress(current, held)
            await self.pace.turn(background=background)
            tally.hold("")

    async def _remove(self, document_ids: Sequence[str], tally: Tally) -> None:
        if document_ids:
            keeper = (await self._workers()).keeper
            async with self._changing:
                await keeper.current()
                await keeper.change(self._store.remove(document_ids))
            tally.count_removed(len(document_ids))
