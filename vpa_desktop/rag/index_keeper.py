"""Keeps the vector index in step with the database, whoever changed it. Not the index: that is ``index.py``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vpa_desktop.errors import IndexCorrupt, StorageError
from vpa_desktop.rag.index import IndexIdentity, VectorIndex
from vpa_desktop.storage.documents import DocumentStore, VectorChange

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

log = logging.getLogger(__name__)
_ROWS_PER_READ = 5_000


def to_blob(vector: Vectors) -> bytes:
    """Returns a vector as it is stored: half precision."""
    return vector.astype("float16").tobytes()


def from_blobs(blobs: Sequence[bytes], dim: int) -> Vectors:
    """Returns stored vectors as rows."""
    import numpy as np

    rows: Vectors = np.frombuffer(b"".join(blobs), dtype=np.float16).reshape(-1, dim).astype(np.float32)
    return rows


class IndexKeeper:
    """One index file and its copy in memory. ``change`` is the way to write vectors while it is open."""

    def __init__(self, store: DocumentStore, path: Path, database: str, model: str, dim: int) -> None:
        self._store = store
        self._path = path
        self._database = database
        self._model = model
        self._dim = dim
        self._lock = asyncio.Lock()
        self._index: VectorIndex | None = None
        self._generation = -1
        self._dirty = False

    async def current(self) -> VectorIndex:
        """Returns the index as the database is now; loads it, or builds it again, where that is needed."""
        async with self._lock:
            generation = await self._store.generation()
            if self._index is None or generation != self._generation:
                self._index = await self._load_or_build(generation)
                self._generation = generation
            return self._index

    async def change(self, write: Awaitable[VectorChange]) -> VectorChange:
        """Waits for a write to the database and makes the same change to the index in memory."""
        async with self._lock:
            change = await write
            if self._index is None or change.generation == self._generation:
                return change
            if change.generation != self._generation + 1:
                self._index = None  # somebody else wrote in between: load it at the next search
                return change
            await asyncio.to_thread(self._apply, self._index, change)
            self._generation = change.generation
            self._dirty = True
            return change

    async def save(self) -> None:
        """Writes the file if the index in memory is newer. A disk that cannot take it costs only time later."""
        async with self._lock:
            if self._index is None or not self._dirty:
                return
            await self._write(self._index, self._generation)

    async def state(self) -> str:
        """Says what was found on loading: "ok", or "rebuilt" with a new file written."""
        async with self._lock:
            generation = await self._store.generation()
            try:
                await asyncio.to_thread(VectorIndex.load, self._path, self._identity(generation), self._dim)
            except IndexCorrupt:
                self._index = await self._load_or_build(generation)
                self._generation = generation
                return "rebuilt"
            return "ok"

    def _identity(self, generation: int) -> IndexIdentity:
        return IndexIdentity(self._database, self._model, generation)

    def _apply(self, index: VectorIndex, change: VectorChange) -> None:
        index.remove(change.removed)
        if change.added:
            index.add([i for i, _ in change.added], from_blobs([blob for _, blob in change.added], self._dim))

    async def _load_or_build(self, generation: int) -> VectorIndex:
        try:
            index = await asyncio.to_thread(VectorIndex.load, self._path, self._identity(generation), self._dim)
        except IndexCorrupt as why:
            log.info("vector index is built again: %s", why.why)
        else:
            self._dirty = False
            return index
        index = await self._build()
        await self._write(index, generation)
        return index

    async def _build(self) -> VectorIndex:
        index = VectorIndex(self._dim)
        last = 0
        batches: list[tuple[int, bytes]] = []
        while rows := await self._store.vectors_after(last, _ROWS_PER_READ):
            last = rows[-1][0]
            batches += rows
        size = self._dim * 2
        sound = [(i, blob) for i, blob in batches if len(blob) == size]
        if sound:
            await asyncio.to_thread(self._fill, index, sound)
        return index

    def _fill(self, index: VectorIndex, rows: Sequence[tuple[int, bytes]]) -> None:
        index.add([i for i, _ in rows], from_blobs([blob for _, blob in rows], self._dim))

    async def _write(self, index: VectorIndex, generation: int) -> None:
        try:
            await asyncio.to_thread(index.save, self._path, self._identity(generation))
            self._dirty = False
        except StorageError as failed:
            log.info("vector index was not saved: %s", failed.why)
            self._dirty = True
