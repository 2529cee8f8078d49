"""Keeps one model's vector index in step with the database, whoever changed it. Not the index: that is ``index.py``.

A vector belongs to its passage's id for good, so an index that is behind is brought up to date by comparing ids. Only
one that cannot be read, or that was outgrown, is built anew: then the old one goes on answering meanwhile. One that was
loaded is looked through behind, and built anew where that finds damage.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from vpa_desktop.errors import IndexCorrupt, StorageError
from vpa_desktop.rag.index import IndexHome, IndexIdentity, VectorIndex, portions_of
from vpa_desktop.rag.unbroken import Unbroken
from vpa_desktop.storage.vectors import VectorChange, VectorStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Ids = NDArray[np.int64]

log = logging.getLogger(__name__)
_ROWS_PER_READ = 5_000
_CAUGHT_UP_AT_MOST = 50_000
_WRITTEN_AT_CLOSE = 20_000
"""So small an index is written whole at the end, so that the next start finds nothing to catch up with."""


def to_blob(vector: Vectors) -> bytes:
    """Returns a vector as it is stored: half precision."""
    return vector.astype("float16").tobytes()


def from_blobs(rows: Sequence[tuple[int, bytes]], dim: int) -> tuple[Ids, Vectors]:
    """Returns the ids of stored vectors and the vectors as rows; one of another length is left out."""
    import numpy as np

    sound = [(i, blob) for i, blob in rows if len(blob) == dim * 2]
    ids = np.fromiter((i for i, _ in sound), dtype=np.int64, count=len(sound))
    vectors = np.frombuffer(b"".join(blob for _, blob in sound), dtype=np.float16).reshape(-1, dim)
    return ids, vectors.astype(np.float32)


class StoredVectors:
    """The vectors of one model in the database. Implements VectorSource."""

    def __init__(self, store: VectorStore, model: str, dim: int, ids: Sequence[int]) -> None:
        self._store = store
        self._model = model
        self._dim = dim
        self.ids = ids

    def vectors(self, ids: Sequence[int]) -> tuple[Ids, Vectors]:
        """Returns those of these ids that have a sound vector, and the vectors as rows."""
        return from_blobs(self._store.vectors_now(self._model, ids), self._dim)


class IndexKeeper:
    """One index, at home and in memory. ``change`` is the way to write passages and vectors while it is open."""

    def __init__(self, store: VectorStore, home: IndexHome, database: str, model: str, dim: int) -> None:
        self.model = model
        self._store = store
        self._home = home
        self._database = database
        self._dim = dim
        self._lock = asyncio.Lock()
        self._index: VectorIndex | None = None
        self._generation = -1
        self._kept_generation = -1
        self._renewal: asyncio.Task[None] | None = None
        self._unbroken = Unbroken()
        self._closing = False

    async def current(self) -> VectorIndex:
        """Returns the index as the database is now."""
        return await self._unbroken.run(self._locked_current())

    async def _locked_current(self) -> VectorIndex:
        async with self._lock:
            return await self._current()

    async def change(self, write: Awaitable[VectorChange]) -> VectorChange:
        """Waits for a write to the database and makes the same change to the index in memory.

        Both are made even where the caller is cancelled meanwhile.
        """
        return await self._unbroken.run(self._change(write))

    async def _change(self, write: Awaitable[VectorChange]) -> VectorChange:
        async with self._lock:
            change = await write
            # Where somebody else wrote in between, the next search catches up with both.
            if self._index is not None and change.generation == self._generation + 1:
                await asyncio.to_thread(self._apply, self._index, change)
                self._generation = change.generation
                self._renew_if_outgrown(self._index)
            return change

    async def save(self) -> None:
        """Keeps an index that was never kept. What comes after that is caught up with at the next start."""
        async with self._lock:
            if self._kept_generation < 0 and self._index is not None:
                await self._build()

    async def aclose(self) -> None:
        """Ends the work behind, and leaves a small index at home as it is now."""
        self._closing = True
        await self._unbroken.ended()
        if self._renewal is not None:
            self._renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewal
        async with self._lock:
            index = self._index
            if index is not None and self._kept_generation != self._generation and len(index) <= _WRITTEN_AT_CLOSE:
                await self._build()
            self._index = None

    async def state(self) -> str:
        """Says what was found on loading: "ok", or "rebuilt" with a new one kept."""
        async with self._lock:
            try:
                await asyncio.to_thread(self._home.load, self._database, self.model)
                await asyncio.to_thread(self._home.verify)
            except IndexCorrupt:
                await self._build()
                return "rebuilt"
            return "ok"

    async def discard(self) -> None:
        """Forgets the index, in memory and at home."""
        async with self._lock:
            self._index = None
            await asyncio.to_thread(self._home.discard)

    async def vectors(self, passage_ids: Sequence[int]) -> dict[int, Vectors]:
        """Returns the vectors of these passages as they are stored."""
        ids, rows = from_blobs(await self._store.vectors(self.model, passage_ids), self._dim)
        return {int(i): row for i, row in zip(ids, rows, strict=True)}

    async def _current(self) -> VectorIndex:
        if self._index is None:
            await self._load()
        if await self._store.generation() != self._generation:
            await self._catch_up()
        assert self._index is not None
        return self._index

    async def _load(self) -> None:
        try:
            self._index, self._generation = await asyncio.to_thread(self._home.load, self._database, self.model)
        except IndexCorrupt as why:
            log.info("vector index is built again: %s", why.why)
            await self._build()
        else:
            self._kept_generation = self._generation
            if self._generation > await self._store.generation():
                await self._build()  # of a future that was taken back by restoring a backup
            else:
                self._unbroken.begin(self._verify())

    async def _verify(self) -> None:
        try:
            await asyncio.to_thread(self._home.verify, lambda: not self._closing)
        except IndexCorrupt as why:
            log.info("vector index is built again: %s", why.why)
            if self._index is not None:  # else it was discarded meanwhile
                self._renew_behind()

    async def _catch_up(self) -> None:
        import numpy as np

        assert self._index is not None
        generation, ids = await self._store.ids(self.model)
        there, wanted = self._index.ids(), np.frombuffer(ids, dtype=np.int64)
        missing = np.setdiff1d(wanted, there)
        if len(missing) > _CAUGHT_UP_AT_MOST:
            await self._build()
            return
        source = StoredVectors(self._store, self.model, self._dim, missing.tolist())
        await asyncio.to_thread(self._bring, self._index, source, np.setdiff1d(there, wanted))
        self._generation = generation
        self._renew_if_outgrown(self._index)

    def _bring(self, index: VectorIndex, source: StoredVectors, gone: Ids) -> None:
        index.remove(gone.tolist())
        for some in portions_of(source.ids, _ROWS_PER_READ):
            index.add(*source.vectors(some))

    def _apply(self, index: VectorIndex, change: VectorChange) -> None:
        index.remove(change.removed)
        index.add(*from_blobs(change.added, self._dim))

    async def _build(self) -> None:
        self._generation, self._index = await self._built()

    async def _built(self) -> tuple[int, VectorIndex]:
        """Builds a new index and keeps it. A disk that cannot take it costs only time at the next start."""
        generation, ids = await self._store.ids(self.model)
        source = StoredVectors(self._store, self.model, self._dim, ids)
        index = await asyncio.to_thread(self._home.build, source)
        identity = IndexIdentity(self._database, self.model, generation)
        try:
            await asyncio.to_thread(self._home.save, index, identity)
            self._kept_generation = generation
        except StorageError as failed:
            log.info("vector index was not saved: %s", failed.why)
        return generation, index

    def _renew_if_outgrown(self, index: VectorIndex) -> None:
        if index.is_outgrown:
            self._renew_behind()

    def _renew_behind(self) -> None:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(), name="renew the vector index")

    async def _renew(self) -> None:
        try:
            generation, index = await self._built()
            async with self._lock:
                self._generation, self._index = generation, index
                await self._current()
        except StorageError as failed:
            log.info("vector index was not renewed: %s", failed)
