"""The audit chain holds, shows every tampering, and carries no key and no content; the local-only rule refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from vpa_desktop.errors import StorageError
from vpa_desktop.security.audit import AuditFilter, AuditLog, AuditVerdict, read_lines
from vpa_desktop.storage.database import Database

KEY = "sk-" + "proj-" + "A1b2C3d4E5f6G7h8I9j0"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield database
    await database.aclose()


@pytest.fixture
async def log(db: Database) -> AuditLog:
    audit = AuditLog(db)
    for n in range(5):
        await audit.append("key.set", f"provider-{n}", "ok", hint="cdef", cost=Decimal("0.1"), n=n)
    return audit


def tamper(db: Database, *statements: str) -> None:
    conn = sqlite3.connect(db.path)
    conn.execute("DROP TRIGGER audit_no_update")
    conn.execute("DROP TRIGGER audit_no_delete")
    for statement in statements:
        conn.execute(statement)
    conn.commit()
    conn.close()


async def test_entries_come_back_newest_first(log: AuditLog) -> None:
    entries = await log.entries(limit=2)
    assert [entry.seq for entry in entries] == [5, 4]
    assert entries[0].facts == {"hint": "cdef", "cost": "0.1", "n": 4}
    assert await log.verify() == AuditVerdict(True, 5)


async def test_half_a_character_in_a_foreign_word_stops_no_entry(log: AuditLog) -> None:
    await log.append("serve", "a\ud800", "failed: \udfff")
    assert (await log.entries(limit=1))[0].target == "a?"
    assert await log.verify() == AuditVerdict(True, 6)


async def test_an_empty_log_is_sound(db: Database) -> None:
    assert await AuditLog(db).verify() == AuditVerdict(True, 0)


@pytest.mark.parametrize("statement", ["UPDATE audit SET result = 'x'", "DELETE FROM audit WHERE seq = 5"])
async def test_the_program_itself_cannot_change_an_entry(db: Database, log: AuditLog, statement: str) -> None:
    with pytest.raises(StorageError, match="append-only"):
        await db.write(lambda c: c.execute(statement))
    assert (await log.verify()).ok


@pytest.mark.parametrize(
    ("statements", "first_bad"),
    [
        (["UPDATE audit SET result = 'failed' WHERE seq = 3"], 3),
        (["UPDATE audit SET at = '2020' WHERE seq = 1"], 1),
        (["DELETE FROM audit WHERE seq = 2"], 2),
        (["UPDATE audit SET hash = previous WHERE seq = 5"], 5),
        (["UPDATE audit SET seq = 9 WHERE seq = 2", "UPDATE audit SET seq = 2 WHERE seq = 3"], 2),
        (["INSERT INTO audit SELECT 6, at, action, target, result, facts, previous, hash FROM audit WHERE seq = 5"], 6),
    ],
)
async def test_tampering_is_found_at_its_first_entry(
    db: Database, log: AuditLog, statements: list[str], first_bad: int
) -> None:
    tamper(db, *statements)
    verdict = await log.verify()
    assert not verdict.ok
    assert verdict.first_bad == first_bad


async def test_keys_do_not_enter(db: Database) -> None:
    audit = AuditLog(db)
    await audit.append("key.set", f"t {KEY}", f"r {KEY}", nested={"list": [KEY, 1]}, plain=KEY)
    (entry,) = await audit.entries()
    assert KEY not in repr(entry)
    assert entry.facts["nested"]["list"][1] == 1
    await db.aclose()
    assert KEY.encode() not in db.path.read_bytes()


async def test_entries_are_found_by_word_and_time(db: Database) -> None:
    times = iter(datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2, 3))
    audit = AuditLog(db, now=lambda: next(times))
    for action, target in (("key set", "openai_main"), ("key deleted", "a%b"), ("request", "ann")):
        await audit.append(action, target, "ok")

    async def found(wanted: AuditFilter) -> list[int]:
        return [entry.seq for entry in await audit.entries(wanted=wanted)]

    assert await found(AuditFilter()) == [3, 2, 1]
    assert await found(AuditFilter(action="KEY")) == [2, 1]
    assert await found(AuditFilter(target="a%b")) == [2]
    assert await found(AuditFilter(target="%")) == [2]
    assert await found(AuditFilter(since=datetime(2026, 11, 2, tzinfo=UTC))) == [3, 2]
    assert await found(AuditFilter(until=datetime(2026, 11, 2, tzinfo=UTC), action="key")) == [1]


async def test_an_earlier_export_shows_what_was_cut_off_or_written_anew(db: Database, log: AuditLog) -> None:
    exported = read_lines("\n".join([line async for line in log.lines()]))
    assert sorted(exported) == [1, 2, 3, 4, 5]
    await log.append("more", "", "ok")
    assert await log.missing_of(exported) is None
    tamper(db, "DELETE FROM audit WHERE seq >= 4")
    assert (await log.verify()).ok  # the chain alone cannot show it
    assert await log.missing_of(exported) == 4


async def test_the_first_bad_entry_is_named(db: Database, log: AuditLog) -> None:
    tamper(db, "UPDATE audit SET result = 'failed' WHERE seq = 3")
    assert "Entry 3" in (await log.verify()).why
    assert "key.set) was changed" in (await log.verify()).why


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"seq": 1}', '{"seq": "x", "hash": 1}', "[" * 5000])
def test_what_is_no_export_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="no export of the audit"):
        read_lines(text)
