"""Whether another copy of the program has a data folder open: for work that must be alone with it.

The window's lock is Qt's (``ui.instance``): its first line is the process that holds it. The command line holds none;
there SQLite itself knows, since a write-ahead log can only be ended by the last who has the file open.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vpa_desktop.errors import StorageError

_START_TOLERANCE_S: Final = 2.0


def window_process(lock: Path) -> int | None:
    """The process of the window that holds this lock; None where no window is open."""
    import psutil

    try:
        first, *_ = lock.read_text("utf-8", errors="replace").splitlines() or [""]
        taken_at = lock.stat().st_mtime
        # A process that began after the lock was taken only has the number of the one that took it.
        started = psutil.Process(int(first)).create_time()
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    except psutil.AccessDenied:
        return int(first)
    return int(first) if started <= taken_at + _START_TOLERANCE_S else None


def refuse_open_window(lock: Path, what: str) -> None:
    """Raises StorageError where a window is open on the data folder; ``what`` was not done."""
    if (process := window_process(lock)) is not None:
        raise StorageError(what, f"The window is open on this data (process {process})", "Close it, and try again")


@contextlib.contextmanager
def sole_connection(path: Path, what: str) -> Iterator[sqlite3.Connection]:
    """Yields the only connection there is to a database; raises StorageError where others have it open.

    Until the end of the block nobody else gets in. The file has no write-ahead log then; its next user makes one.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as conn:
        try:
            conn.execute("PRAGMA locking_mode = EXCLUSIVE")
            conn.execute("PRAGMA journal_mode = DELETE")
            conn.execute("BEGIN EXCLUSIVE")
            conn.execute("COMMIT")  # in this mode the lock stays
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise StorageError(
                what,
                "Another copy of the program has the data open, such as vpa-desktop serve or docs watch",
                "End it, and try again",
            ) from error
        yield conn
