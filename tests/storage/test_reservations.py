"""Money set aside is seen by every process, and what a killed one had set aside is booked."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from vpa_desktop.config import BudgetSettings
from vpa_desktop.errors import BudgetExceeded, StorageError
from vpa_desktop.gateway.budget import Budget
from vpa_desktop.records import UsageRow
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.usage import UsageLedger

ROOT = Path(__file__).resolve().parents[2]
LIMIT = BudgetSettings(daily_limit_usd=Decimal(1))

OTHER = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from vpa_desktop.config import BudgetSettings
from vpa_desktop.errors import BudgetExceeded
from vpa_desktop.gateway.budget import Budget
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.usage import UsageLedger

async def main(path, needed, tries, stay):
    db = await Database.open(Path(path), backups=Path(path).parent / "backups")
    budget = Budget(BudgetSettings(daily_limit_usd=Decimal(1)), UsageLedger(db))
    got = 0
    for _ in range(int(tries)):
        try:
            await budget.reserve(Decimal(needed), provider="far", model="m")
            got += 1
        except BudgetExceeded:
            pass
    print(got, flush=True)
    if stay == "stay":
        await asyncio.sleep(60)
    await db.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


def start(path: Path, needed: str, tries: int, stay: str = "go") -> subprocess.Popen[str]:
    """Another process that sets money aside on the same file."""
    command = [sys.executable, "-c", OTHER, str(path), needed, str(tries), stay]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


async def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return await asyncio.to_thread(process.stdout.readline)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    made = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield made
    await made.aclose()


def row(cost: str, at: datetime | None = None) -> UsageRow:
    return UsageRow(at or datetime.now(UTC), "p", "m", "ok", cost_usd=Decimal(cost))


async def test_what_another_process_set_aside_counts_and_is_booked_when_it_is_killed(db: Database) -> None:
    ledger = UsageLedger(db)
    budget = Budget(LIMIT, ledger)
    other = start(db.path, "0.6", 1, "stay")
    try:
        assert await line(other) == "1\n"
        with pytest.raises(BudgetExceeded, match=r"\$0.6000 is set aside"):
            await budget.reserve(Decimal("0.5"))
        await budget.release(await budget.reserve(Decimal("0.4")))
    finally:
        other.kill()
        other.communicate()
    with pytest.raises(BudgetExceeded, match=r"\$0.6000 is spent"):
        await budget.reserve(Decimal("0.5"))
    await budget.reserve(Decimal("0.4"))
    (booked,) = await ledger.rows()
    assert (booked.provider, booked.cost_usd, booked.estimated, booked.outcome) == (
        "far",
        Decimal("0.6"),
        True,
        "cancelled",
    )


async def test_processes_that_race_get_the_limit_together_and_no_more(db: Database) -> None:
    racers = [start(db.path, "0.1", 8, "stay") for _ in range(3)]
    try:
        got = [int(await line(racer)) for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()
    assert sum(got) == 10


async def test_a_reservation_asked_for_and_cancelled_leaves_nothing_behind(db: Database) -> None:
    budget = Budget(LIMIT, UsageLedger(db))
    for turns in range(6):
        asking = asyncio.create_task(budget.reserve(Decimal("0.3")))
        for _ in range(turns):
            await asyncio.sleep(0.0004)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await budget.release(await asking)
    assert (await budget.state()).reserved_usd == 0
    await budget.reserve(Decimal(1))


async def test_an_answer_is_booked_however_often_its_caller_is_cancelled(db: Database) -> None:
    ledger = UsageLedger(db)
    budget = Budget(LIMIT, ledger)
    reservation = await budget.reserve(Decimal("0.3"))
    settling = asyncio.create_task(budget.settle(reservation, row("0.2")))
    for _ in range(3):
        await asyncio.sleep(0)
        settling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await settling
    assert [r.cost_usd for r in await ledger.rows()] == [Decimal("0.2")]
    assert (await budget.state()).reserved_usd == 0


async def test_a_full_disk_keeps_what_was_set_aside(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(LIMIT, UsageLedger(db))
    reservation = await budget.reserve(Decimal("0.6"))

    def full(*_: object) -> None:
        raise StorageError("Nothing more can be saved", "The disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("vpa_desktop.storage.reservations.insert_usage", full)
        with pytest.raises(StorageError):
            await budget.settle(reservation, row("0.2"))
    with pytest.raises(BudgetExceeded):
        await budget.reserve(Decimal("0.5"))


async def test_the_sum_of_a_long_month_is_exact_also_after_rows_were_taken_away(db: Database) -> None:
    ledger = UsageLedger(db)
    start_at = datetime(2026, 11, 1, tzinfo=UTC)

    async def spent() -> Decimal:
        return await ledger.change(lambda book: book.spent_since(start_at))

    await ledger.record(row("5", start_at - timedelta(days=1)))
    for n in range(50):
        await ledger.record(row("0.1", start_at + timedelta(minutes=n)))
        if n % 7 == 0:
            assert await spent() == Decimal("0.1") * (n + 1)
    await ledger.record(row("0.25", start_at - timedelta(days=3)))  # booked after the month had begun
    assert await spent() == Decimal("5.25")
    await db.write(lambda raw: raw.execute("DELETE FROM usage"))
    assert await spent() == 0
    await ledger.record(row("0.5", start_at))
    assert await spent() == Decimal("0.5")
