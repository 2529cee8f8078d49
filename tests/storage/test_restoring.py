"""A backup put in the place of the database: what is refused, what is kept, and that a crash loses nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from vpa_desktop.errors import StorageError, UsageError
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.migrations import MIGRATIONS
from vpa_desktop.storage.occupancy import window_process
from vpa_desktop.storage.restoring import find_backup, restore


async def titles(folder: Path) -> list[str]:
    db = await Database.open(folder / "vpa.db", backups=folder / "backups")
    found = [record.title for record in await ConversationStore(db).list()]
    await db.aclose()
    return found


async def add(folder: Path, title: str, *, back_up: bool = False) -> Path:
    db = await Database.open(folder / "vpa.db", backups=folder / "backups")
    await ConversationStore(db).create(title)
    made = await db.backup() if back_up else folder
    await db.aclose()
    return made


def put(folder: Path, file: Path) -> Path | None:
    return restore(file, folder / "vpa.db", folder / "backups").kept_as


async def test_a_backup_comes_back_and_what_was_there_is_kept(tmp_path: Path) -> None:
    backup = await add(tmp_path, "old", back_up=True)
    await add(tmp_path, "new")
    kept = put(tmp_path, backup)
    assert await titles(tmp_path) == ["old"]
    assert kept is not None
    assert kept.stat().st_mode & 0o777 == 0o600
    assert backup.exists()
    put(tmp_path, kept)
    assert sorted(await titles(tmp_path)) == ["new", "old"]


async def test_no_backup_goes_for_it(tmp_path: Path) -> None:
    made = [await add(tmp_path, str(n), back_up=True) for n in range(3)]
    await add(tmp_path, "last")
    put(tmp_path, made[0])
    assert all(each.exists() for each in made)


async def test_on_a_new_computer_nothing_is_kept(tmp_path: Path) -> None:
    backup = await add(tmp_path / "a", "mine", back_up=True)
    assert await titles(tmp_path / "b") == []
    assert put(tmp_path / "b", backup) is None
    assert await titles(tmp_path / "b") == ["mine"]


async def test_a_backup_of_an_old_version_is_brought_up_to_date(tmp_path: Path) -> None:
    db = await Database.open(tmp_path / "a" / "vpa.db", backups=tmp_path / "a", migrations=MIGRATIONS[:1])
    await ConversationStore(db).create("of version 1")
    old = await db.backup()
    await db.aclose()
    before = old.read_bytes()
    await add(tmp_path, "new")
    put(tmp_path, old)
    assert await titles(tmp_path) == ["of version 1"]
    assert old.read_bytes() == before
    with closing(sqlite3.connect(tmp_path / "vpa.db")) as conn:
        assert conn.execute("PRAGMA user_version").fetchone()[0] == MIGRATIONS[-1].version


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
        db.commit()


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192:40_000] = b"\xff" * (40_000 - 8192)
    path.write_bytes(data)


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (a)")
        db.execute("PRAGMA user_version = 1")
        db.commit()


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(newer, "newer version"), (damaged, "damaged"), (foreign, "another program"), (empty, "no database")],
)
async def test_a_file_that_is_no_good_backup_changes_nothing(tmp_path: Path, spoil: object, said: str) -> None:
    backup = await add(tmp_path, "old", back_up=True)
    file = tmp_path / "file.db"
    shutil.copyfile(backup, file)
    assert callable(spoil)
    spoil(file)
    await add(tmp_path, "new")
    with pytest.raises(UsageError, match=said):
        put(tmp_path, file)
    assert sorted(await titles(tmp_path)) == ["new", "old"]
    assert not list(tmp_path.glob(".restoring-*"))  # noqa: ASYNC240


async def test_the_name_of_a_backup_is_enough_and_others_are_named(tmp_path: Path) -> None:
    backup = await add(tmp_path, "old", back_up=True)
    assert find_backup(Path(backup.name), tmp_path / "vpa.db", tmp_path / "backups") == backup
    with pytest.raises(UsageError, match=backup.name):
        find_backup(Path("nothing.db"), tmp_path / "vpa.db", tmp_path / "backups")


HOLD = """
import asyncio, sys
from pathlib import Path
from vpa_desktop.storage.database import Database
async def main():
    db = await Database.open(Path(sys.argv[1]), backups=Path(sys.argv[2]))
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await db.aclose()
asyncio.run(main())
"""


@contextmanager
def other_copy(folder: Path) -> Iterator[None]:
    """Another process of the program that has the database open and does nothing with it."""
    command = [sys.executable, "-c", HOLD, str(folder / "vpa.db"), str(folder / "backups")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield
        process.communicate(timeout=60)


async def test_another_copy_that_has_the_data_open_is_not_disturbed(tmp_path: Path) -> None:
    backup = await add(tmp_path, "old", back_up=True)
    await add(tmp_path, "new")
    with other_copy(tmp_path), pytest.raises(StorageError, match="Another copy of the program has the data open"):
        put(tmp_path, backup)
    assert sorted(await titles(tmp_path)) == ["new", "old"]
    put(tmp_path, backup)
    assert await titles(tmp_path) == ["old"]


def test_a_lock_of_a_process_that_is_gone_is_none(tmp_path: Path) -> None:
    lock = tmp_path / "window.lock"
    assert window_process(lock) is None
    for text in ("", "not a number\n", "4194399\n"):
        lock.write_text(text)
        assert window_process(lock) is None


def test_a_lock_of_a_process_that_runs_counts_but_not_of_one_that_began_later(tmp_path: Path) -> None:
    lock = tmp_path / "window.lock"
    lock.write_text(f"{os.getpid()}\nvpa-desktop\nhost\n")
    assert window_process(lock) == os.getpid()
    os.utime(lock, (1_000_000, 1_000_000))
    assert window_process(lock) is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
async def test_a_file_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    backup = await add(tmp_path, "old", back_up=True)
    backup.chmod(0)
    with pytest.raises(StorageError, match="cannot be read"):
        put(tmp_path, backup)


async def test_what_a_kill_left_is_cleared_away(tmp_path: Path) -> None:
    backup = await add(tmp_path, "old", back_up=True)
    left = tmp_path / ".restoring-x"
    left.mkdir()
    (left / "copy.db").write_text("half")
    part = backup.with_name("vpa-20200101T000000000000Z.part")
    young = backup.with_name("vpa-20200101T000000000001Z.part")
    part.write_text("half")
    young.write_text("half")
    os.utime(part, (1_000_000, 1_000_000))
    put(tmp_path, backup)
    assert not left.exists()
    assert not part.exists()
    assert young.exists()
