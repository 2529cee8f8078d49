"""The look at the whole database finds what is wrong, and mends the search by words."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.soundness import counts_of, look_at


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    await ConversationStore(database).create("Penguins")
    yield database
    await database.aclose()


async def test_a_whole_database_has_no_faults(db: Database, tmp_path: Path) -> None:
    made = await db.backup()
    found = await look_at(db, tmp_path / "backups")
    assert (found.faults, found.mended, found.backups) == ((), (), (made.name,))
    assert found.rows["conversations"] == 1
    assert counts_of(db.path)["conversations"] == 1


async def test_search_by_words_that_is_out_of_step_is_built_anew(db: Database, tmp_path: Path) -> None:
    await db.write(lambda c: c.execute("INSERT INTO conversations_fts (conversations_fts) VALUES ('delete-all')"))
    assert await ConversationStore(db).list("penguins") == []
    assert (await look_at(db, tmp_path / "backups")).mended == ("conversations_fts",)
    assert [each.title for each in await ConversationStore(db).list("penguins")] == ["Penguins"]
    assert (await look_at(db, tmp_path / "backups")).mended == ()


async def test_orphans_and_damaged_backups_are_named(db: Database, tmp_path: Path) -> None:
    made = await db.backup()
    made.write_bytes(made.read_bytes()[:5000])
    with closing(sqlite3.connect(db.path)) as conn:  # foreign keys are not looked after here
        conn.execute(
            "INSERT INTO messages (id, conversation_id, place, role, content, created_at, state)"
            " VALUES ('m', 'gone', 1, 'user', 'x', '2026', 'done')"
        )
        conn.commit()
    faults = (await look_at(db, tmp_path / "backups")).faults
    assert any("table messages" in each for each in faults)
    assert any(made.name in each for each in faults)


def test_what_is_no_database_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("no database at all, but long enough to look like something")
    assert counts_of(tmp_path / "x.db") == {}
    assert counts_of(tmp_path / "y.db") == {}
