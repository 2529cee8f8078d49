"""SQLite's errors as ours, with a sentence each. The only place that knows SQLite's result codes."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

from vpa_desktop.errors import DatabaseCorrupt, DiskFull, StorageError

_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 5, 6, 8, 10, 11, 13, 14, 26
_NO_ROOM_BYTES = 128 * 1024


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is damaged or is no database."""
    code = getattr(error, "sqlite_errorcode", None)
    # A bare DatabaseError has no code: it is what a failed integrity check is reported as here.
    return type(error) is sqlite3.DatabaseError if code is None else code & 0xFF in (_CORRUPT, _NOTADB)


def is_unopenable(error: sqlite3.Error) -> bool:
    """Whether SQLite could not open the file, or one that belongs to it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (_CANTOPEN, _READONLY)


def translate(error: sqlite3.Error, path: Path) -> StorageError:
    """The StorageError that says what ``error`` means for the person; raise it ``from error``."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if is_damage(error):
        return DatabaseCorrupt(
            "The database is damaged",
            f"Reading {path} met content that is not valid ({error})",
            "Start the program again: it keeps the damaged file aside and restores the newest good backup",
        )
    if code == _FULL or (code == _IOERR and _is_full(path)):
        return disk_full(path)
    if code == _READONLY:
        return StorageError(
            "Nothing could be saved",
            f"{path} or its folder may only be read",
            "Give yourself write permission there, or choose another data folder",
        )
    if code in (_BUSY, _LOCKED):
        return StorageError(
            "The database is busy",
            "Another copy of the program has been writing to it for several seconds",
            "Wait for it to finish, or close it, and try again",
        )
    if code == _CANTOPEN:
        return StorageError(
            "The database cannot be opened",
            f"{path} is missing, is a folder, or may not be read",
            "Check the data folder and its permissions",
        )
    if code == _IOERR:
        return StorageError(
            "The disk reported an error",
            f"Reading or writing {path} failed ({error})",
            "Check the disk, then start the program again",
        )
    return StorageError(
        "The database refused an operation", str(error), "Start the program again; report it if it stays"
    )


def translate_os(error: OSError, path: Path) -> StorageError:
    """The StorageError for a file operation of our own that failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path)
    return StorageError(
        "The data folder cannot be used",
        f"{error.strerror or error}: {error.filename or path}",
        "Check that the folder exists and that you may write in it, or choose another data folder",
    )


def disk_full(path: Path) -> DiskFull:
    """The error that says there is no room left."""
    return DiskFull(
        "Nothing more can be saved: the disk is full",
        f"There is no room left for {path}",
        "Free some space on that disk and try again; everything saved before is still there",
    )


def _is_full(path: Path) -> bool:
    # Growing the -shm file on a full disk is reported as a plain input/output error.
    try:
        return shutil.disk_usage(path.parent).free < _NO_ROOM_BYTES
    except OSError:
        return False
