"""Members of an untrusted ZIP container, in memory and counted. Nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.kinds import damaged, password_needed

_MAX_ENTRIES = 10_000
_MAX_TOTAL_BYTES = 500 * 2**20
_MAX_RATIO = 200
_RATIO_COUNTS_FROM_BYTES = 2 * 2**20
MAX_MEMBER_BYTES = 64 * 2**20
# What zipfile raises on containers that are cut or scribbled over, its decompressors' own errors among it.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, RuntimeError, EOFError, OSError,
    ValueError,
)  # fmt: skip


class Container:
    """An opened container that is safe to read from.

    Raises DocumentUnreadable when it is damaged, encrypted or built to blow up.
    """

    def __init__(self, data: bytes, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except _BROKEN as exc:
            raise damaged(path, "Its container cannot be opened") from exc
        _check(self._archive, path)
        self.names = [entry.filename for entry in self._archive.infolist() if not entry.is_dir()]
        """The members that are files, in their order."""
        self._names = set(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def has(self, prefix: str) -> bool:
        """True where a member lies in that folder."""
        return any(name.startswith(prefix) for name in self.names)

    def find(self, name: str) -> bytes | None:
        """Returns one member's bytes, None where there is none of that name. Raises DocumentUnreadable."""
        return self.read(name) if name in self._names else None

    def read(self, name: str) -> bytes:
        """Returns the bytes of a member that is there. Raises DocumentUnreadable when they are damaged or too many."""
        try:
            with self._archive.open(name) as member:
                content = member.read(MAX_MEMBER_BYTES + 1)
        except _BROKEN as exc:
            raise damaged(self._path, "Its container cannot be opened") from exc
        if len(content) > MAX_MEMBER_BYTES:
            raise _bomb(self._path, f"{name} alone has more than {MAX_MEMBER_BYTES // 2**20} MB")
        return content


def _check(archive: zipfile.ZipFile, path: Path) -> None:
    entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise _bomb(path, f"it has {len(entries)} members")
    if len({entry.filename for entry in entries}) != len(entries):
        raise _bomb(path, "two of its members have one name")
    total = sum(entry.file_size for entry in entries)
    if total > _MAX_TOTAL_BYTES:
        raise _bomb(path, f"{_mb(total)} MB come out of it")
    for entry in entries:
        if entry.flag_bits & 1:
            raise password_needed(path)
        if entry.file_size > max(_RATIO_COUNTS_FROM_BYTES, _MAX_RATIO * entry.compress_size):
            raise _bomb(path, f"{_mb(entry.file_size)} MB are packed into {entry.compress_size // 1024} kB")


def _mb(size_bytes: int) -> int:
    return size_bytes // 2**20


def _bomb(path: Path, why: str) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"{path.name} unpacks to far more than a document", f"To protect this computer it is not read: {why}"
    )
