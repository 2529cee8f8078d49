"""The database file on real disks: transactions, permissions, damage, versions, and two processes at once."""

# The loop has nothing else to do while a test waits for a process or a file.
# ruff: noqa: ASYNC220, ASYNC221, ASYNC240

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from vpa_desktop.errors import DatabaseCorrupt, DiskFull, StorageError
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.fulltext import grams_of
from vpa_desktop.storage.migrations import list_backups

if TYPE_CHECKING:
    import sqlite_utils

ROOT = Path(__file__).resolve().parents[2]

Work: TypeAlias = "Callable[[sqlite_utils.Database], None]"


async def open_in(folder: Path) -> Database:
    return await Database.open(folder / "vpa.db", backups=folder / "backups")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_in(tmp_path / "data")
    yield database
    await database.aclose()


def document(name: str, *texts: str) -> Work:
    def work(db: sqlite_utils.Database) -> None:
        row = {"id": name, "title": name, "content_hash": name, "state": "ready", "added_at": "2026-01-01"}
        db.table("documents").insert(row)
        for n, text in enumerate(texts):
            passage = {"text": text, "text_hash": f"{name} {n}", "grams": grams_of(text)}
            passage_id = db.table("passages").insert(passage).last_rowid
            db.table("chunks").insert({"document_id": name, "ordinal": n, "passage_id": passage_id})

    return work


async def documents(db: Database) -> list[str]:
    rows = await db.read(lambda c: c.execute("SELECT id FROM documents ORDER BY id").fetchall())
    return [name for (name,) in rows]


async def test_one_write_is_one_transaction(db: Database) -> None:
    def half(conn: sqlite_utils.Database) -> None:
        document("a", "first")(conn)
        with conn.atomic():
            conn.table("documents").update("a", {"title": "changed"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await db.write(half)
    assert await documents(db) == []
    await db.write(document("b"))
    assert await documents(db) == ["b"]


async def test_a_write_that_ends_its_own_transaction_is_refused(db: Database) -> None:
    with pytest.raises(RuntimeError, match="ended its transaction"):
        await db.write(lambda c: c.conn.commit())
    await db.write(document("after"))
    assert await documents(db) == ["after"]


async def test_readers_cannot_write_and_worker_threads_can_do_both(db: Database) -> None:
    with pytest.raises(StorageError):
        await db.read(lambda c: c.execute("UPDATE meta SET value = ''"))
    await asyncio.to_thread(db.write_now, document("from a thread"))
    assert await asyncio.to_thread(db.read_now, lambda c: c.table("documents").count) == 1
    with pytest.raises(RuntimeError, match="inside a write"):
        await db.write(lambda c: db.write_now(document("nested")))


async def test_writes_keep_their_order(db: Database) -> None:
    def add(n: int) -> Work:
        def work(c: sqlite_utils.Database) -> None:
            c.execute("INSERT INTO meta VALUES (?, ?)", (f"n{n}", str(n)))

        return work

    await asyncio.gather(*(db.write(add(n)) for n in range(100)))
    rows = await db.read(lambda c: c.execute("SELECT value FROM meta WHERE key LIKE 'n%' ORDER BY rowid").fetchall())
    assert [int(value) for (value,) in rows] == list(range(100))


async def test_a_closed_database_says_so(tmp_path: Path) -> None:
    db = await open_in(tmp_path)
    await db.aclose()
    await db.aclose()
    for attempt in (db.write(document("late")), db.read(lambda c: c.table("meta").count)):
        with pytest.raises(StorageError, match="closed"):
            await attempt
    assert not (tmp_path / "vpa.db-wal").exists()


async def test_every_file_and_folder_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        db = await open_in(tmp_path / "new" / "data")
        await db.write(document("a", "text"))
        await db.backup()
        places = list((tmp_path / "new").rglob("*"))
    finally:
        os.umask(old)
    modes = {place.name: stat.S_IMODE(place.stat().st_mode) for place in places}
    await db.aclose()
    assert {"vpa.db", "vpa.db-wal", "vpa.db-shm", "backups"} <= modes.keys()
    assert [name for name, mode in modes.items() if mode & 0o077] == []


async def test_an_older_file_with_loose_permissions_is_made_private(tmp_path: Path) -> None:
    await (await open_in(tmp_path)).aclose()
    (tmp_path / "vpa.db").chmod(0o644)
    await (await open_in(tmp_path)).aclose()
    assert stat.S_IMODE((tmp_path / "vpa.db").stat().st_mode) == 0o600


async def test_full_text_stays_in_step(db: Database) -> None:
    def hits(table: str, words: str) -> Callable[[sqlite_utils.Database], int]:
        return lambda c: len(c.execute(f"SELECT rowid FROM {table} WHERE {table} MATCH ?", [words]).fetchall())

    def check(table: str) -> Callable[[sqlite_utils.Database], object]:
        return lambda c: c.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('integrity-check', 1)")

    await db.write(document("a", "foxes were running", "熔断器式在系统中"))
    assert await db.read(hits("passages_fts", "run fox")) == 1
    assert await db.read(hits("passages_grams", "断器")) == 1
    assert await db.read(hits("passages_grams", "running")) == 0
    await db.write(lambda c: c.execute("UPDATE passages SET text = 'hares' WHERE text LIKE 'foxes%'"))
    assert await db.read(hits("passages_fts", "fox")) == 0
    assert await db.read(lambda c: c.execute("SELECT doc FROM passages_vocab WHERE term = 'hare'").fetchone()) == (1,)
    await db.write(lambda c: c.execute("DELETE FROM documents"))
    assert await db.read(hits("passages_fts", "hare")) == 0
    assert await db.read(hits("passages_grams", "断器")) == 0
    for table in ("passages_fts", "passages_grams", "messages_fts", "conversations_fts"):
        await db.write(check(table))


async def test_three_backups_are_kept(db: Database) -> None:
    made = [await db.backup() for _ in range(5)]
    assert list_backups(db.path, db.path.parent / "backups") == made[:1:-1]


@pytest.mark.parametrize("damage", ["garbage", "pages", "header", "half"])
async def test_a_damaged_file_is_kept_aside_and_the_backup_restored(tmp_path: Path, damage: str) -> None:
    db = await open_in(tmp_path)
    await db.write(document("a", *(f"some text number {n} " * 50 for n in range(50))))
    await db.backup()
    await db.write(document("b"))
    await db.aclose()
    file = tmp_path / "vpa.db"
    sound = file.read_bytes()
    bad = {
        "garbage": b"not a database at all" * 500,
        "header": b"\0" * 100 + sound[100:],
        "pages": sound[:4096] + b"\xff" * 8192 + sound[12288:],
        "half": sound[: len(sound) // 2],
    }[damage]
    file.write_bytes(bad)
    db = await open_in(tmp_path)
    assert await documents(db) == ["a"]
    assert "was restored" in db.notices[0]
    await db.write(document("c"))
    await db.aclose()
    (aside,) = tmp_path.glob("vpa.damaged-*.db")
    assert aside.read_bytes() == bad
    assert aside.name in db.notices[0]


async def test_a_damaged_file_without_a_backup_starts_empty(tmp_path: Path) -> None:
    tmp_path.joinpath("vpa.db").write_bytes(b"x" * 5000)
    db = await open_in(tmp_path)
    assert "no good backup" in db.notices[0]
    assert await documents(db) == []
    await db.aclose()
    assert len(list(tmp_path.glob("vpa.damaged-*.db"))) == 1


async def test_damage_met_while_running_is_named(tmp_path: Path) -> None:
    db = await open_in(tmp_path)
    await db.write(document("a", *(f"text {n} " * 200 for n in range(200))))
    await db.aclose()
    db = await open_in(tmp_path)
    with (tmp_path / "vpa.db").open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(8192)
        file.write(b"\xff" * (size - 8192))
    with pytest.raises(DatabaseCorrupt, match="damaged"):
        await db.read(lambda c: c.execute("SELECT sum(length(text)) FROM passages").fetchall())
    await db.aclose()
    assert (tmp_path / "vpa.db.suspect").exists()
    db = await open_in(tmp_path)
    assert "kept as" in db.notices[0]
    await db.aclose()


async def test_a_folder_in_the_place_of_the_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "vpa.db").mkdir()
    with pytest.raises(StorageError, match=r"vpa\.db"):
        await open_in(tmp_path)


_WRITER = """
import asyncio, sys
from pathlib import Path
from vpa_desktop.storage.database import Database
async def main():
    folder = Path(sys.argv[1])
    db = await Database.open(folder / "vpa.db", backups=folder / "backups")
    for n in range(60):
        await db.write(lambda c: c.execute("INSERT INTO meta VALUES (?, '')", (f"{sys.argv[2]}-{n}",)))
    await db.aclose()
asyncio.run(main())
"""


async def test_two_processes_make_and_write_the_same_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path)]
    both = [subprocess.Popen([*command, name], cwd=ROOT, stderr=subprocess.PIPE) for name in ("one", "two")]
    results = [await asyncio.to_thread(process.communicate) for process in both]
    assert [errors.decode() for _, errors in results] == ["", ""]
    db = await open_in(tmp_path)
    assert await db.read(lambda c: c.execute("SELECT count(*) FROM meta WHERE key LIKE '%-%'").fetchone()) == (120,)
    assert db.notices == []
    await db.aclose()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("a file system of its own can be mounted by root only")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system could be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk_is_a_sentence_and_loses_nothing(small_disk: Path) -> None:
    db = await open_in(small_disk)
    stored = 0

    async def fill() -> None:
        nonlocal stored
        while True:
            await db.write(document(f"d{stored:03}", "x" * 20_000))
            stored += 1

    with pytest.raises(DiskFull, match="Free some space"):
        await fill()
    assert stored > 3
    assert len(await documents(db)) == stored
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    await db.write(document("with room again"))
    await db.aclose()
    db = await open_in(small_disk)
    assert len(await documents(db)) == stored + 1
    await db.aclose()


async def test_a_full_disk_at_the_start_is_a_sentence(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * (1024 * 1024 - 8192))
    with pytest.raises(DiskFull):
        await open_in(small_disk)


async def test_a_read_only_disk_can_still_be_read(small_disk: Path) -> None:
    db = await open_in(small_disk)
    await db.write(document("a", "text"))
    await db.aclose()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    db = await open_in(small_disk)
    assert db.read_only
    assert "may only be read" in db.notices[0]
    assert await documents(db) == ["a"]
    with pytest.raises(StorageError, match="may only be read"):
        await db.write(document("refused"))
    await db.aclose()


async def test_a_read_only_disk_with_changes_left_in_the_log_shows_all_or_says_why(
    small_disk: Path, tmp_path: Path
) -> None:
    db = await open_in(tmp_path / "elsewhere")
    await db.write(document("a", "text"))
    for name in ("vpa.db", "vpa.db-wal"):
        shutil.copy(tmp_path / "elsewhere" / name, small_disk / name)
    await db.aclose()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match="changes"):
        await open_in(small_disk)


async def test_a_folder_that_cannot_be_made_is_a_sentence(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match="data folder"):
        await open_in(small_disk / "data")


async def test_many_changes_at_once_are_few_commits_and_one_that_fails_leaves_nothing_of_itself(tmp_path: Path) -> None:
    db = await open_in(tmp_path)
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: sqlite_utils.Database) -> None:
        begun.set()
        assert go_on.wait(5)

    def add(name: str, *, fails: bool = False) -> Callable[[sqlite_utils.Database], str]:
        def work(conn: sqlite_utils.Database) -> str:
            row = {"id": name, "title": name, "content_hash": name, "state": "ready", "added_at": "2026-01-01"}
            conn.table("documents").insert(row)
            if fails:
                raise ValueError(name)
            return name

        return work

    wal = tmp_path / "vpa.db-wal"
    first = asyncio.create_task(db.write(hold))
    await asyncio.to_thread(begun.wait, 5)
    names = [f"d{n}" for n in range(40)]
    waiting = [asyncio.create_task(db.write(add(name, fails=name == "d7"))) for name in names]
    await asyncio.sleep(0.05)
    waiting[3].cancel()
    before = wal.stat().st_size
    await asyncio.sleep(0)
    go_on.set()
    results = await asyncio.gather(first, *waiting, return_exceptions=True)
    kept = [name for name in names if name not in ("d3", "d7")]
    assert [r for r in results if isinstance(r, str)] == kept
    assert isinstance(results[8], ValueError)
    found = await db.read(lambda conn: {row[0] for row in conn.execute("SELECT id FROM documents")})
    assert found == set(kept)
    one = wal.stat().st_size - before
    for n in range(38):
        await db.write(add(f"alone{n}"))
    assert wal.stat().st_size - before - one > 4 * one  # pages are written once for all, not once for each
    await db.aclose()
