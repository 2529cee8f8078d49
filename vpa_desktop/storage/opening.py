"""Opening the database file: its permissions, its soundness, its version, and what to do when one is not right.

Nothing is ever deleted here: a damaged file is renamed, with the files that belong to it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vpa_desktop.errors import StorageError
from vpa_desktop.storage.faults import is_damage, is_unopenable
from vpa_desktop.storage.files import make_private, make_private_file, make_private_folder, stamp, sync_folder
from vpa_desktop.storage.fulltext import grams_of
from vpa_desktop.storage.migrations import Migration, is_sound, list_backups, migrate, schema_version

if TYPE_CHECKING:
    import sqlite_utils

BUSY_TIMEOUT_MS = 5000
_ALWAYS_CHECKED_BYTES = 64 * 1024 * 1024
_BESIDE = ("-wal", "-shm", "-journal")

_PRAGMAS = (
    "foreign_keys = ON",
    "secure_delete = ON",
    "temp_store = MEMORY",
    "cell_size_check = ON",
    "mmap_size = 0",
    "synchronous = FULL",
)
# A question's words touch some thousand pages of a large library: kept in memory they cost a third less.
_READER_CACHE_KIB = 8_000
# The writer has to trust the schema: before SQLite marked FTS5 as harmless, a trigger of ours that feeds a
# full-text table counts as unsafe use of a virtual table.
_READER_PRAGMAS = ("query_only = ON", "trusted_schema = OFF", f"cache_size = -{_READER_CACHE_KIB}")

NOTICE_NEWER = (
    "Your data was written by a newer version of VPA Desktop, so it is open for reading only. "
    "Install that version again to go on writing."
)
NOTICE_READ_ONLY = (
    "The data folder may only be read, so nothing new is saved. "
    "Give yourself write permission there, or choose another data folder, and start again."
)


@dataclass(frozen=True, slots=True)
class Opened:
    """The writer's connection and what was found out on the way to it."""

    db: sqlite_utils.Database
    uuid: str
    read_only: bool = False
    immutable: bool = False
    notices: tuple[str, ...] = ()


def open_file(path: Path, backups: Path, migrations: Sequence[Migration]) -> Opened:
    """Opens the database at ``path`` for the thread that calls, made, migrated or restored as needed."""
    if path.exists() and not _is_writable(path):
        return _open_read_only(path, NOTICE_READ_ONLY)
    make_private_folder(path.parent)
    notices: list[str] = []
    if not make_private_file(path):
        for suffix in _BESIDE:
            make_private(_beside(path, suffix))
        if not _is_undamaged(path):
            notices.append(_replace_damaged(path, backups))
        if _version_of(path) > migrations[-1].version:
            return _open_read_only(path, NOTICE_NEWER, *notices)
    db = connect(path, writable=True)
    try:
        _use_wal(db.conn)
        migrate(db.conn, path, backups, migrations)
        uuid = _uuid(db.conn)
    except BaseException:
        db.conn.close()
        raise
    return Opened(db, uuid, notices=tuple(notices))


def connect(path: Path, *, writable: bool, read_only: bool = False, immutable: bool = False) -> sqlite_utils.Database:
    """A connection with the pragmas every connection of ours has; ``immutable`` reads a file nobody can change."""
    import sqlite_utils

    query = "mode=ro&immutable=1" if immutable else "mode=ro" if read_only else "mode=rw"
    conn = sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}", uri=True, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False
    )
    try:
        # Plug-ins of sqlite_utils that happen to be installed have no business in our connection.
        db = sqlite_utils.Database(conn, execute_plugins=False)
        for pragma in _PRAGMAS if writable else (*_PRAGMAS, *_READER_PRAGMAS):
            conn.execute(f"PRAGMA {pragma}")
        if writable:
            conn.create_function("search_grams", 1, grams_of, deterministic=True)  # a migration asks for it
    except BaseException:
        conn.close()
        raise
    return db


def mark_suspect(path: Path) -> None:
    """Leaves a mark so that the next start looks at the whole file before it is used."""
    try:
        make_private_file(_beside(path, ".suspect"))
    except OSError:
        return  # a disk that refuses an empty file: the error being reported already says so


def _use_wal(conn: sqlite3.Connection) -> None:
    # Two processes that make the file at the same moment: SQLite does not wait here by itself.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            conn.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _open_read_only(path: Path, *notices: str) -> Opened:
    last: sqlite3.Error | None = None
    # In a folder that cannot be written SQLite may be unable to make the index of the write-ahead log;
    # nobody else can write there either, so the file is safe to read as it lies.
    for immutable in (False, True):
        db = None
        try:
            db = connect(path, writable=False, read_only=True, immutable=immutable)
            return Opened(db, _uuid(db.conn), read_only=True, immutable=immutable, notices=notices)
        except sqlite3.Error as error:
            if db is not None:
                db.conn.close()
            if not is_unopenable(error):
                raise
            if _has_content(_beside(path, "-wal")):
                raise _unfinished(path) from error
            last = error
    assert last is not None
    raise last


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _unfinished(path: Path) -> StorageError:
    # Read as it lies, the file would seem to lack what is only in its log.
    return StorageError(
        "The database cannot be opened",
        f"{path} has changes that were not finished, and its folder may only be read",
        "Copy the whole folder to where you may write, and choose it as the data folder",
    )


def _uuid(conn: sqlite3.Connection) -> str:
    row = conn.execute("SELECT value FROM meta WHERE key = 'uuid'").fetchone()
    return str(row[0]) if row else ""


def _version_of(path: Path) -> int:
    db = connect(path, writable=False)
    try:
        return schema_version(db.conn)
    finally:
        db.conn.close()


def _is_undamaged(path: Path) -> bool:
    """Reads the schema, and all of the file where it is small, was left in a hurry, or was seen to be damaged."""
    suspect = _beside(path, ".suspect")
    is_small = path.stat().st_size <= _ALWAYS_CHECKED_BYTES
    thorough = is_small or suspect.exists() or _has_content(_beside(path, "-wal"))
    try:
        db = connect(path, writable=False)
        try:
            db.conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if thorough and db.conn.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                return False
        finally:
            db.conn.close()
    except sqlite3.Error as error:
        if is_damage(error):
            return False
        raise
    suspect.unlink(missing_ok=True)
    return True


def _replace_damaged(path: Path, backups: Path) -> str:
    """Puts the damaged set aside and the newest good backup in its place; returns the sentence for the person."""
    when = stamp(datetime.now(UTC))
    kept = path.with_name(f"{path.stem}.damaged-{when}{path.suffix}")
    for suffix in ("", *_BESIDE):
        if (part := _beside(path, suffix)).exists():
            part.rename(_beside(kept, suffix))
    _beside(path, ".suspect").unlink(missing_ok=True)
    start = f"The database was damaged. The damaged file is kept as {kept.name}"
    for backup in list_backups(path, backups):
        if is_sound(backup):
            part = path.with_name(f"{path.name}.restoring")
            make_private_file(part)
            shutil.copyfile(backup, part)
            part.replace(path)
            sync_folder(path.parent)
            return f"{start}, and the newest good backup ({backup.name}) was restored; what came after it is missing."
    make_private_file(path)
    return f"{start}. There was no good backup, so the program started with an empty one."


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
