"""Looks at the whole database: its pages, what its rows point to, and whether words can be found in it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vpa_desktop.storage.database import Database
from vpa_desktop.storage.migrations import is_sound, list_backups, row_counts, schema_version

if TYPE_CHECKING:
    import sqlite_utils


@dataclass(frozen=True, slots=True)
class Soundness:
    """What was found. ``faults`` are sentences; ``mended`` the full-text tables that were built anew."""

    version: int
    bytes: int
    rows: dict[str, int]
    faults: tuple[str, ...]
    mended: tuple[str, ...]
    backups: tuple[str, ...]


async def look_at(db: Database, backups: Path) -> Soundness:
    """Reads everything. A full-text table that is out of step is built anew: it holds nothing of its own."""
    version, rows, faults = await db.read(_read)
    mended: list[str] = []
    if not db.read_only:
        for table in await db.read(_fulltext_tables):
            if await db.write(lambda db, table=table: _mended(db, table)):  # type: ignore[misc]
                mended.append(table)
    files = await asyncio.to_thread(list_backups, db.path, backups)
    bad = [each.name for each in files if not await asyncio.to_thread(is_sound, each)]
    faults += [f"The backup {name} is damaged" for name in bad]
    good = tuple(each.name for each in files if each.name not in bad)
    return Soundness(version, db.path.stat().st_size, rows, tuple(faults), tuple(mended), good)


def _read(db: sqlite_utils.Database) -> tuple[int, dict[str, int], list[str]]:
    verdicts = [row[0] for row in db.execute("PRAGMA integrity_check(5)").fetchall()]
    faults = [f"The file is damaged: {each}" for each in verdicts if each != "ok"]
    orphans = {row[0] for row in db.execute("PRAGMA foreign_key_check").fetchall()}
    faults += [f"Rows of the table {name} belong to something that is gone" for name in sorted(orphans)]
    return schema_version(db.conn), row_counts(db.conn), faults


def _fulltext_tables(db: sqlite_utils.Database) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%USING fts5(%' ORDER BY name"
    return [row[0] for row in db.execute(query).fetchall()]


def _mended(db: sqlite_utils.Database, table: str) -> bool:
    try:
        db.execute(f'INSERT INTO "{table}" ("{table}", rank) VALUES (\'integrity-check\', 1)')
    except sqlite3.DatabaseError:
        db.execute(f'INSERT INTO "{table}" ("{table}") VALUES (\'rebuild\')')
        return True
    return False


def counts_of(path: Path) -> dict[str, int]:
    """The number of rows of each table of a database that nobody has opened; empty where it cannot be read."""
    # Without a log to be read the file is read as it lies, so that looking leaves no files beside it.
    query = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?{query}", uri=True)) as conn:
            return row_counts(conn)
    except sqlite3.Error:
        return {}
