"""The file of a FAISS index: written beside itself first, checked and mapped when it is read. Implements IndexHome.

What FAISS wrote, then a line of facts (which database, model and generation it belongs to, its checksum), then how long
that line is. The facts stand at the end because FAISS maps a file from its beginning.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import zlib
from pathlib import Path
from typing import IO, Any

from vpa_desktop.errors import DiskFull, StorageError
from vpa_desktop.rag import faiss_index
from vpa_desktop.rag.faiss_index import FaissIndex
from vpa_desktop.rag.index import IndexIdentity, VectorIndex, VectorSource, corrupt

_FORMAT = 3
_END = struct.Struct("!I8s")
_MARK = b"VPAINDEX"
_BLOCK_BYTES = 1 << 20
# Windows cannot replace a file that is mapped.
_MAPS = sys.platform != "win32"


class FaissFile:
    """One file, for the vectors of one model."""

    def __init__(self, path: Path, dim: int) -> None:
        self._path = path
        self._dim = dim

    def load(self, database: str, model: str) -> tuple[FaissIndex, int]:
        """Maps the file and returns the index with the generation it was saved at."""
        faiss_index.load_library_behind()
        try:
            with self._path.open("rb") as file:
                facts, length = _facts(file)
                wanted = {"format": _FORMAT, "dim": self._dim, "database": database, "model": model}
                if any(facts.get(key) != value for key, value in wanted.items()):
                    raise corrupt("it belongs to another database or model")
                file.seek(0)
                if _checksum(file, length) != facts.get("crc32"):
                    raise corrupt("its checksum is wrong")
        except (OSError, ValueError, struct.error) as exc:
            raise corrupt("it cannot be read") from exc
        return faiss_index.read(self._dim, self._path, is_mapped=_MAPS), int(facts["generation"])

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
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = self._path.with_suffix(".part")
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


def _write(file: IO[bytes], index: FaissIndex, identity: IndexIdentity) -> None:
    checksum = 0

    def write(block: bytes) -> int:
        nonlocal checksum
        checksum = zlib.crc32(block, checksum)
        return file.write(block)

    index.write_base(write)
    facts = {"format": _FORMAT, "dim": index.dim, "database": identity.database, "model": identity.model}
    line = json.dumps(facts | {"generation": identity.generation, "crc32": checksum}).encode()
    file.write(line + _END.pack(len(line), _MARK))


def _facts(file: IO[bytes]) -> tuple[dict[str, Any], int]:
    """Returns what the file says of itself and where FAISS's part ends. Raises ValueError when it is not ours."""
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
    return facts, start


def _checksum(file: IO[bytes], length: int) -> int:
    """CRC-32: against damage, not against malice, which could write the facts as well. A third of SHA-256's time."""
    checksum, block = 0, memoryview(bytearray(_BLOCK_BYTES))
    while length > 0 and (count := file.readinto(block[: min(length, _BLOCK_BYTES)])):  # type: ignore[attr-defined]
        checksum = zlib.crc32(block[:count], checksum)
        length -= count
    return checksum
