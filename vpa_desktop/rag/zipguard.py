"""Members of an untrusted ZIP container, in memory and counted. Nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

from vpa_desktop.errors import DocumentUnreadable

_MAX_ENTRIES = 10_000
_MAX_TOTAL_BYTES = 500 * 2**20
_MAX_RATIO = 200
_RATIO_COUNTS_FROM_BYTES = 2 * 2**20
MAX_MEMBER_BYTES = 64 * 2**20


def names_in(data: bytes, path: Path) -> set[str]:
    """Returns the names of a container's members after checking that it is safe to read from."""
    with _opened(data, path) as archive:
        return set(archive.namelist())


def read_member(data: bytes, name: str, path: Path) -> bytes | None:
    """Returns one member's bytes, None where there is none of that name.

    Raises DocumentUnreadable when the container is damaged, encrypted or built to blow up.
    """
    with _opened(data, path) as archive:
        if name not in archive.namelist():
            return None
        try:
            with archive.open(name) as member:
                content = member.read(MAX_MEMBER_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as exc:
            raise _damaged(path) from exc
    if len(content) > MAX_MEMBER_BYTES:
        raise _bomb(path, f"{name} alone has more than {MAX_MEMBER_BYTES // 2**20} MB")
    return content


def _opened(data: bytes, path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as exc:
        raise _damaged(path) from exc
    _check(archive, path)
    return archive


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
            raise DocumentUnreadable(
                f"{path.name} is protected with a password", "It cannot be read without it", "Save a copy without one"
            )
        if entry.file_size > max(_RATIO_COUNTS_FROM_BYTES, _MAX_RATIO * entry.compress_size):
            raise _bomb(path, f"{_mb(entry.file_size)} MB are packed into {entry.compress_size // 1024} kB")


def _mb(size_bytes: int) -> int:
    return size_bytes // 2**20


def _bomb(path: Path, why: str) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"{path.name} unpacks to far more than a document", f"To protect this computer it is not read: {why}"
    )


def _damaged(path: Path) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"{path.name} is damaged", "Its container cannot be opened", "Open it in the program that made it and save it"
    )
