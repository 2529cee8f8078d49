"""Brings a database file to the newest schema, after a verified copy of it. Not the tables: they are in ``schema``.

A numbered list of our own with ``PRAGMA user_version`` instead of sqlite_utils' ``Migrations``: the number
lies in the file's header, so that a file from a newer program is known before anything in it is read; it
changes in the same transaction as the tables; and BEGIN IMMEDIATE lets two programs start at once, which
the deferred transactions there do not.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vpa_desktop.errors import StorageError
from vpa_desktop.storage.files import make_private, make_private_file, make_private_folder, stamp, sync_folder
from vpa_desktop.storage.schema import VERSIONS

BACKUPS_KEPT = 3
UNFINISHED_S = 3_600


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: the version the file has after it, and the statements that lead there."""

    version: int
    statements: tuple[str, ...]


MIGRATIONS = tuple(Migration(number, statements) for number, statements in enumerate(VERSIONS, 1))


def schema_version(conn: sqlite3.Connection) -> int:
    """The version the file says it has; 0 for an empty one."""
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def migrate(conn: sqlite3.Connection, path: Path, backups: Path, migrations: Sequence[Migration]) -> int:
    """Applies what is missing, one transaction each, and returns the version reached.

    ``conn`` must not be in a transaction. An existing database is copied to ``backups`` and the copy verified first.
    """
    version = schema_version(conn)
    if 0 < version < migrations[-1].version:
        back_up(path, backups)
    for migration in migrations:
        if migration.version > version:
            _apply(conn, migration)
    return schema_version(conn)


def _apply(conn: sqlite3.Connection, migration: Migration) -> None:
    conn.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited for the lock.
        if schema_version(conn) < migration.version:
            for statement in migration.statements:
                conn.execute(statement)
            conn.execute(f"PRAGMA user_version = {migration.version:d}")
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def back_up(path: Path, backups: Path, *, now: datetime | None = None, keep: int = BACKUPS_KEPT) -> Path:
    """Copies the database to ``backups``, verifies the copy, keeps the newest three; returns the copy's path.

    The copy is made from a connection of its own: from one with an open transaction it would never end.
    """
    make_private_folder(backups)
    target = backups / f"{path.stem}-{stamp(now or datetime.now(UTC))}.db"
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    make_private_file(part)
    try:
        with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(part)) as copy:
            before = row_counts(source)
            source.backup(copy)
            # The copy stands alone: no -wal beside it that could be lost.
            copy.execute("PRAGMA journal_mode = DELETE")
            _verify(copy, before, row_counts(source))
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    make_private(target)
    sync_folder(backups)
    for old in list_backups(path, backups)[keep:]:
        old.unlink(missing_ok=True)
    _clear_unfinished(path, backups)
    return target


def _clear_unfinished(path: Path, backups: Path) -> None:
    """Removes what a kill in the middle of a backup left; one that another process makes now is younger."""
    for part in backups.glob(f"{path.stem}-*Z.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > UNFINISHED_S:
                part.unlink()


def _verify(copy: sqlite3.Connection, before: dict[str, int], after: dict[str, int]) -> None:
    verdict = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"integrity_check: {verdict}")
    copied = row_counts(copy)
    # Another process may add or remove rows meanwhile: short is what has fewer than at either end.
    short = [name for name in before if copied.get(name, -1) < min(before[name], after.get(name, 0))]
    if short:
        raise StorageError(
            "The backup of the database is not complete",
            f"These tables came out short: {', '.join(sorted(short))}",
            "Nothing was changed; close other copies of the program and start again",
        )


def row_counts(conn: sqlite3.Connection) -> dict[str, int]:
    """The number of rows of each ordinary table, by name."""
    names = conn.execute(
        "SELECT name FROM pragma_table_list"
        " WHERE type = 'table' AND schema = 'main' AND substr(name, 1, 7) <> 'sqlite_'"
    ).fetchall()
    return {name: int(conn.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for (name,) in names}


def list_backups(path: Path, backups: Path) -> list[Path]:
    """The copies of this database, newest first."""
    return sorted(backups.glob(f"{path.stem}-*Z.db"), reverse=True)


def is_sound(path: Path) -> bool:
    """Whether the file is a whole database with our tables in it."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as conn:
            return schema_version(conn) > 0 and conn.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
    except sqlite3.Error:
        return False
