"""A backup in the place of the database: looked at first, migrated on a copy, put in place in one step.

What is there is never lost: it is backed up first, and until the last step nothing of it is touched. Written into
the file that is there, not over it, so that a crash in the middle leaves what was.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vpa_desktop.errors import StorageError, UsageError
from vpa_desktop.storage.faults import translate, translate_os
from vpa_desktop.storage.files import make_private, make_private_file, make_private_folder
from vpa_desktop.storage.migrations import MIGRATIONS, back_up, list_backups, migrate, row_counts, schema_version
from vpa_desktop.storage.occupancy import sole_connection
from vpa_desktop.storage.opening import connect

NOT_RESTORED: Final = "Nothing was restored"
_COUNTED: Final = ("conversations", "messages", "documents", "usage", "audit")
_KEEP_ALL: Final = 1_000_000
_PREFIX: Final = ".restoring-"
_HEADER: Final = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in the database now, and where what was there before is kept (None where there was nothing)."""

    file: Path
    rows: dict[str, int]
    kept_as: Path | None


def find_backup(name: Path, database: Path, backups: Path) -> Path:
    """The file a person named: a path, or the name of one in the backups folder. Raises UsageError."""
    for path in (name.expanduser(), backups / name.name):
        if path.is_file():
            return path
    known = ", ".join(each.name for each in list_backups(database, backups))
    raise UsageError(
        f"There is no file {name}",
        f"The backups here are: {known}" if known else "There is no backup in this data folder yet",
        "Name one of these, or the path of a file" if known else "Make one with: vpa-desktop data backup",
    )


def restore(file: Path, database: Path, backups: Path) -> Restored:
    """Puts the content of ``file`` in the place of ``database``; raises StorageError or UsageError, nothing changed.

    ``database`` must have been opened and closed by this program, so that it is whole and of the newest schema.
    """
    try:
        with _looked_at_copy(file, database.parent) as copy:
            with sole_connection(database, NOT_RESTORED):  # before a backup is made in vain
                _clear_unfinished(database.parent, copy.parent)
            kept = _keep(database, backups)
            with sole_connection(database, NOT_RESTORED) as target, contextlib.closing(sqlite3.connect(copy)) as source:
                source.backup(target)
                rows = row_counts(target)
                if rows != row_counts(source):
                    raise StorageError(
                        "The restored database is not complete",
                        "Its tables do not have as many rows as those of the backup",
                        f"Restore {kept.name if kept else 'another backup'}, and check the disk",
                    )
    except sqlite3.Error as error:
        raise translate(error, database) from error
    except OSError as error:
        raise translate_os(error, database) from error
    return Restored(file, {name: rows.get(name, 0) for name in _COUNTED}, kept)


@contextlib.contextmanager
def _looked_at_copy(file: Path, folder: Path) -> Iterator[Path]:
    """A copy of the backup that is whole and of the newest schema; raises UsageError where it cannot be one."""
    make_private_folder(folder)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as place:
        copy = Path(place) / "copy.db"
        _must_be_a_database(file)
        make_private_file(copy)
        shutil.copyfile(file, copy)
        if (log := file.with_name(file.name + "-wal")).exists():
            shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
        _bring_up(copy, file)
        make_private(copy)
        yield copy


def _must_be_a_database(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            head = opened.read(len(_HEADER))
    except OSError as error:
        raise StorageError(f"{file} cannot be read", error.strerror or str(error), "Mend its permissions") from error
    if head != _HEADER:
        raise _refused(file, "It is no database")


def _bring_up(copy: Path, file: Path) -> None:
    try:
        db = connect(copy, writable=True)
        try:
            version = schema_version(db.conn)
            _must_be_ours(db.conn, version, file)
            migrate(db.conn, copy, copy.parent, MIGRATIONS)
            db.conn.execute("PRAGMA journal_mode = DELETE")
        finally:
            db.conn.close()
    except sqlite3.DatabaseError as error:
        raise _refused(file, f"It is damaged ({error})") from error


def _must_be_ours(conn: sqlite3.Connection, version: int, file: Path) -> None:
    if version > MIGRATIONS[-1].version:
        raise UsageError(
            f"{file.name} was not restored",
            "It was written by a newer version of VPA Desktop",
            "Install that version, and restore it there",
        )
    verdict = conn.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _refused(file, f"It is damaged ({verdict})")
    if version < 1 or not {"meta", "conversations", "messages"} <= row_counts(conn).keys():
        raise _refused(file, "It is a database of another program")


def _refused(file: Path, why: str) -> UsageError:
    return UsageError(f"{file.name} was not restored", why, "Name a backup made by VPA Desktop")


def _clear_unfinished(folder: Path, mine: Path) -> None:
    """Removes the copies that a kill in the middle of a restore left."""
    for place in folder.glob(f"{_PREFIX}*"):
        if place != mine:
            shutil.rmtree(place, ignore_errors=True)


def _keep(database: Path, backups: Path) -> Path | None:
    """A backup of what is there; none where it is as empty as a new one. No other backup goes for it."""
    with contextlib.closing(sqlite3.connect(database)) as conn:
        counts = row_counts(conn)
    if not any(counts.get(name) for name in _COUNTED):
        return None
    return back_up(database, backups, keep=_KEEP_ALL)
