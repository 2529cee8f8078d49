"""From one version of the database to the next: copied first, all or nothing, and what an older program does."""

# The loop has nothing else to do while a test waits for a process.
# ruff: noqa: ASYNC220

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vpa_desktop.errors import StorageError
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.migrations import MIGRATIONS, Migration, list_backups, row_counts, schema_version
from vpa_desktop.storage.usage import UsageLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlite_utils

ROOT = Path(__file__).resolve().parents[2]
NOW = MIGRATIONS[-1].version
NEXT = (*MIGRATIONS, Migration(NOW + 1, ("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT",)))


async def open_in(folder: Path, migrations: tuple[Migration, ...] = MIGRATIONS) -> Database:
    return await Database.open(folder / "vpa.db", backups=folder / "backups", migrations=migrations)


def document(name: str) -> Callable[[sqlite_utils.Database], object]:
    row = {"id": name, "title": name, "content_hash": name, "state": "ready", "added_at": "2026-01-01"}
    return lambda db: db.table("documents").insert(row)


async def documents(db: Database) -> list[str]:
    rows = await db.read(lambda c: c.execute("SELECT id FROM documents ORDER BY id").fetchall())
    return [name for (name,) in rows]


async def test_a_migration_is_preceded_by_a_verified_backup(tmp_path: Path) -> None:
    db = await open_in(tmp_path)
    await db.write(document("a"))
    uuid = db.uuid
    await db.aclose()
    db = await open_in(tmp_path, NEXT)
    assert db.uuid == uuid
    assert await documents(db) == ["a"]
    assert await db.read(lambda c: c.table("later").count) == 0
    await db.aclose()
    (backup,) = list_backups(tmp_path / "vpa.db", tmp_path / "backups")
    with sqlite3.connect(backup) as copy:
        assert row_counts(copy)["documents"] == 1
        assert "later" not in row_counts(copy)
    copy.close()


async def test_what_the_first_version_booked_is_there_in_the_newest(tmp_path: Path) -> None:
    old = await open_in(tmp_path, MIGRATIONS[:1])
    spent = "INSERT INTO usage (at, provider, model, outcome, cost_usd) VALUES ('2026-01-01', 'a', 'm', 'ok', '0.25')"
    await old.write(lambda c: c.execute(spent))
    await old.aclose()
    db = await open_in(tmp_path)
    (row,) = await UsageLedger(db).rows()
    assert (row.cost_usd, row.user_id, row.saved_usd) == (Decimal("0.25"), "local", None)
    await db.aclose()


async def test_passages_of_the_second_version_are_kept_once_with_their_vectors(tmp_path: Path) -> None:
    old = await open_in(tmp_path, MIGRATIONS[:2])
    for name in ("a", "b"):
        await old.write(document(name))
    rows = [
        (1, "a", 0, "foxes run", "h1", 0, b"v1", "m"),
        (2, "a", 1, "中国的首都", "h2", 1, None, ""),
        (3, "b", 0, "foxes run", "h1", 0, b"v1", "m"),
        (4, "b", 1, "gone", "h3", 0, b"v3", "m"),
    ]
    insert = (
        "INSERT INTO chunks (id, document_id, ordinal, text, text_hash, unsegmented, vector, model) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    )
    await old.write(lambda c: c.conn.executemany(insert, rows))
    await old.write(lambda c: c.execute("DELETE FROM chunks WHERE id = 4"))
    await old.aclose()
    db = await open_in(tmp_path)

    async def all_of(query: str) -> list[tuple[object, ...]]:
        return await db.read(lambda c: c.execute(query).fetchall())

    assert await all_of("SELECT id, text FROM passages ORDER BY id") == [(1, "foxes run"), (2, "中国的首都")]
    assert await all_of("SELECT id, document_id, passage_id FROM chunks ORDER BY id") == [
        (1, "a", 1),
        (2, "a", 2),
        (3, "b", 1),
    ]
    assert await all_of("SELECT * FROM vectors") == [(1, "m", b"v1")]
    assert await all_of("SELECT * FROM passages_waiting") == [(2,)]
    assert await all_of("SELECT rowid FROM passages_fts WHERE passages_fts MATCH 'fox'") == [(1,)]
    assert await all_of("SELECT rowid FROM passages_grams WHERE passages_grams MATCH '首都'") == [(2,)]
    await db.write(lambda c: c.execute("INSERT INTO chunks (document_id, ordinal, passage_id) VALUES ('b', 7, 2)"))
    assert await all_of("SELECT max(id) FROM chunks") == [(5,)]  # 4 does not come back
    await db.write(lambda c: c.execute("DELETE FROM documents WHERE id = 'a'"))
    assert await all_of("SELECT id FROM passages ORDER BY id") == [(1,), (2,)]
    await db.aclose()


async def test_a_migration_that_fails_leaves_the_old_version(tmp_path: Path) -> None:
    db = await open_in(tmp_path)
    await db.write(document("a"))
    await db.aclose()
    broken = (*MIGRATIONS, Migration(NOW + 1, ("CREATE TABLE half (x)", "CREATE TABLE documents (x)")))
    with pytest.raises(StorageError):
        await open_in(tmp_path, broken)
    db = await open_in(tmp_path)
    assert not db.read_only
    assert await documents(db) == ["a"]
    assert await db.read(lambda c: c.table("half").exists()) is False
    await db.aclose()


async def test_a_newer_version_opens_for_reading_only(tmp_path: Path) -> None:
    db = await open_in(tmp_path, NEXT)
    await db.write(document("kept"))
    await db.aclose()
    db = await open_in(tmp_path)
    assert db.read_only
    assert "newer version" in db.notices[0]
    assert await documents(db) == ["kept"]
    with pytest.raises(StorageError, match="newer version"):
        await db.write(document("refused"))
    await db.aclose()


_MIGRATING = """
import asyncio, sys
from pathlib import Path
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.migrations import MIGRATIONS, Migration
slow = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 8000) SELECT count(*) FROM c"
steps = [step for n in range(150) for step in (f"CREATE TABLE later_{n} (x)", slow)]
steps.append("UPDATE documents SET title = 'migrated'")
async def main():
    import sqlite_utils
    folder = Path(sys.argv[1])
    print("go", flush=True)
    new = (*MIGRATIONS, Migration(MIGRATIONS[-1].version + 1, tuple(steps)))
    await Database.open(folder / "vpa.db", backups=folder / "backups", migrations=new)
asyncio.run(main())
"""


@pytest.mark.slow
async def test_kill_9_in_a_migration_leaves_the_old_or_the_new_version(tmp_path: Path) -> None:
    both = (*MIGRATIONS, Migration(NOW + 1, ("SELECT 1",)))
    found = []
    for n in range(10):
        folder = tmp_path / str(n)
        db = await open_in(folder)
        await db.write(document("a"))
        await db.aclose()
        command = [sys.executable, "-c", _MIGRATING, str(folder)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        await asyncio.sleep(0.03 + n * 0.08)
        process.kill()
        process.stdout.close()
        await asyncio.to_thread(process.wait)
        conn = sqlite3.connect(folder / "vpa.db")
        version, tables = schema_version(conn), row_counts(conn)
        title = conn.execute("SELECT title FROM documents").fetchone()[0]
        conn.close()
        assert (version, sum(name.startswith("later") for name in tables), title) in (
            (NOW, 0, "a"),
            (NOW + 1, 150, "migrated"),
        )
        db = await open_in(folder, both)
        assert db.notices == []
        await db.aclose()
        found.append(version)
    assert NOW in found  # else no kill came in time
