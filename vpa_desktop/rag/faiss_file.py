"""The file of a FAISS index: written beside itself first, checked and mapped when it is read. Implements IndexHome.

What FAISS wrote, then a line of facts (which database, model and generation it belongs to, a checksum of each block),
then how long that line is. The facts stand at the end because FAISS maps a file from its beginning.

When it is opened its length, the blocks that FAISS reads its structure and the ids from, and some others taken by
chance are checked: damage there could end the process or answer with other passages. ``verify`` checks every block,
behind, while questions are answered already: what only it finds can have changed single vectors or, in clusters, whose
they are, and so an answer until the index is built again, which follows at once. Reading a million vectors whole takes
a third of a second from memory and many from a disk; this way a start waits for neither.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from vpa_desktop.errors import DiskFull, StorageError
from vpa_desktop.rag import faiss_index
from vpa_desktop.rag.faiss_index import FaissIndex
from vpa_desktop.rag.index import IndexIdentity, VectorIndex, VectorSource, corrupt

BLOCK_BYTES = 1 << 19
BY_CHANCE = 8
"""So many blocks are checked at opening beside those that must be."""
_FORMAT = 4
_END = struct.Struct("!I8s")
_MARK = b"VPAINDEX"
# Windows cannot replace a file that is mapped.
_MAPS = sys.platform != "win32"


class FaissFile:
    """One file, for the vectors of one model."""

    def __init__(self, path: Path, dim: int) -> None:
        self._path = path
        self._dim = dim
        self._saving = threading.Lock()

    def load(self, database: str, model: str) -> tuple[FaissIndex, int]:
        """Maps the file and returns the index with the generation it was saved at."""
        faiss_index.load_library_behind()
        wanted = {"format": _FORMAT, "dim": self._dim, "database": database, "model": model}
        with _readable(self._path) as (file, facts):
            if any(facts.get(key) != value for key, value in wanted.items()):
                raise corrupt("it belongs to another database or model")
            sums = _Sums.of(facts)
            if not all(sums.fits(file, block) for block in sums.to_be_sure_of()):
                raise corrupt("its checksum is wrong")
        return faiss_index.read(self._dim, self._path, is_mapped=_MAPS), int(facts["generation"])

    def verify(self, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Checks all of it, a block at a time as long as ``goes_on``."""
        with _readable(self._path) as (file, facts):
            sums = _Sums.of(facts)
            if not all(sums.fits(file, block) for block in range(len(sums.blocks)) if goes_on()):
                raise corrupt("its checksum is wrong")

    def build(self, source: VectorSource) -> FaissIndex:
        """Returns a new index, in memory."""
        return faiss_index.build(self._dim, source)

    def save(self, index: VectorIndex, identity: IndexIdentity) -> None:
        """Writes the file beside itself first and then in its place.

        Of an index that was changed since it was built the base is written: the rest is in the database.
        """
        if not isinstance(index, FaissIndex):
            raise TypeError("a FAISS file keeps FAISS indexes")
        try:
            with self._saving:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._sweep()
                part = self._path.with_suffix(f".{os.getpid()}.part")
                with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                    _write(file, index, identity)
                part.replace(self._path)
        except OSError as exc:
            kind = DiskFull if exc.errno == 28 else StorageError
            raise kind(
                "The vector index could not be written",
                f"The system says: {exc.strerror or exc}",
                "Nothing is lost: it is built again from the database at the next start",
            ) from exc

    def discard(self) -> None:
        """Deletes the file."""
        self._path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Deletes what processes left that were killed while they wrote; one that still writes keeps its own."""
        import psutil

        for part in self._path.parent.glob(f"{self._path.stem}.*part"):
            owner = part.name.removeprefix(self._path.stem).split(".")[1]
            if not owner.isdecimal() or int(owner) == os.getpid() or not psutil.pid_exists(int(owner)):
                part.unlink(missing_ok=True)


class _Sums(NamedTuple):
    """The blocks of FAISS's part: their checksums, how long it is, and how much at its ends has to be right.

    CRC-32: against damage, not against malice, which could write the facts as well. A third of SHA-256's time.
    """

    blocks: list[int]
    length: int
    head: int
    tail: int

    @classmethod
    def of(cls, facts: dict[str, Any]) -> _Sums:
        sums = cls(facts["crc32"], facts["length"], facts["head"], facts["tail"])
        if facts["start"] != sums.length:
            raise corrupt("it is longer or shorter than it was")
        return sums

    def to_be_sure_of(self) -> Iterable[int]:
        """The blocks without which nothing is right, and some others by chance."""
        count = len(self.blocks)
        head = range(min(count, -(-self.head // BLOCK_BYTES)))
        tail = range(max(0, self.length - self.tail) // BLOCK_BYTES, count)
        between = range(len(head), max(len(head), tail.start))
        return {*head, *tail, *random.sample(between, min(BY_CHANCE, len(between)))}

    def fits(self, file: IO[bytes], block: int) -> bool:
        """True where this block is as it was written."""
        file.seek(block * BLOCK_BYTES)
        size = min(BLOCK_BYTES, self.length - block * BLOCK_BYTES)
        return zlib.crc32(file.read(size)) == self.blocks[block]


def _write(file: IO[bytes], index: FaissIndex, identity: IndexIdentity) -> None:
    sums, checksum, length = list[int](), 0, 0

    def write(data: bytes) -> int:
        nonlocal checksum, length
        view = memoryview(data)
        while view:
            piece = view[: BLOCK_BYTES - length % BLOCK_BYTES]
            checksum = zlib.crc32(piece, checksum)
            length += file.write(piece)
            view = view[len(piece) :]
            if length % BLOCK_BYTES == 0:
                sums.append(checksum)
                checksum = 0
        return len(data)

    index.write_base(write)
    if length % BLOCK_BYTES:
        sums.append(checksum)
    head, tail = index.ends
    facts = {"format": _FORMAT, "dim": index.dim, "database": identity.database, "model": identity.model}
    facts |= {"generation": identity.generation, "length": length, "head": head, "tail": tail, "crc32": sums}
    line = json.dumps(facts).encode()
    file.write(line + _END.pack(len(line), _MARK))


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[tuple[IO[bytes], dict[str, Any]]]:
    """Opens the file and reads its facts. Whatever is wrong with it is one sentence."""
    try:
        with path.open("rb") as file:
            yield file, _facts(file)
    except (OSError, ValueError, KeyError, TypeError, struct.error) as exc:
        raise corrupt("it cannot be read") from exc


def _facts(file: IO[bytes]) -> dict[str, Any]:
    """Returns what the file says of itself, and where FAISS's part ends. Raises ValueError when it is not ours."""
    size = file.seek(0, os.SEEK_END)
    if size < _END.size:
        raise ValueError("too short")
    file.seek(size - _END.size)
    length, mark = _END.unpack(file.read(_END.size))
    start = size - _END.size - length
    if mark != _MARK or start < 0:
        raise ValueError("no facts at its end")
    file.seek(start)
    facts = json.loads(file.read(length))
    if not isinstance(facts, dict):
        raise ValueError("no facts at its end")
    return {**facts, "start": start}
