"""A limit holds whatever the clock does, is said before it is reached, and is passed only with leave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from vpa_desktop.config import BudgetSettings
from vpa_desktop.errors import BudgetExceeded, ConfigError
from vpa_desktop.gateway.budget import Budget, Ledger, Limit, MemoryLedger
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.records import UsageRow
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.usage import UsageLedger

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=BERLIN)


@pytest.fixture(params=["memory", "database"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Both ledgers keep the same promises."""
    if request.param == "memory":
        yield MemoryLedger()
        return
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield UsageLedger(db)
    await db.aclose()


class Clock:
    """A wall clock that a person can set."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def limited(
    ledger: Ledger, now: Callable[[], datetime], daily: str | None = "1", monthly: str | None = None, **more: object
) -> Budget:
    settings = BudgetSettings(
        daily_limit_usd=Decimal(daily) if daily else None,
        monthly_limit_usd=Decimal(monthly) if monthly else None,
        **more,  # type: ignore[arg-type]
    )
    return Budget(settings, ledger, now=now)


async def spend(budget: Budget, cost: str, at: datetime, needed: str | None = None) -> tuple[str, ...]:
    """One answer, asked and booked at a time."""
    reservation = await budget.reserve(Decimal(needed or cost), provider="p", model="m")
    return await budget.settle(reservation, UsageRow(at.astimezone(UTC), "p", "m", "ok", cost_usd=Decimal(cost)))


async def test_a_clock_set_back_a_day_or_a_month_does_not_give_the_day_back(ledger: Ledger) -> None:
    clock = Clock()
    budget = limited(ledger, clock)
    await spend(budget, "0.9", clock.at)
    for back in (timedelta(days=1), timedelta(days=30), timedelta(days=400)):
        clock.at = NOON - back
        with pytest.raises(BudgetExceeded, match="clock of this computer was set back"):
            await spend(budget, "0.2", clock.at)
    await spend(budget, "0.1", clock.at)  # what is left of the day can be used
    clock.at = NOON + timedelta(hours=2)  # the clock is put right: what was booked meanwhile counts too
    with pytest.raises(BudgetExceeded):
        await spend(budget, "0.01", clock.at)
    clock.at = NOON + timedelta(days=1)
    await spend(budget, "0.9", clock.at)


async def test_a_month_reached_stays_reached(ledger: Ledger) -> None:
    clock = Clock()
    budget = limited(ledger, clock, None, "5")
    await spend(budget, "4.5", clock.at)
    clock.at = datetime(2026, 10, 31, 12, tzinfo=BERLIN)
    with pytest.raises(BudgetExceeded, match="monthly"):
        await spend(budget, "0.6", clock.at)
    clock.at = datetime(2026, 12, 1, 0, 0, 1, tzinfo=BERLIN)
    await spend(budget, "0.6", clock.at)


async def test_what_is_booked_in_the_future_counts_now(ledger: Ledger) -> None:
    await ledger.record(UsageRow((NOON + timedelta(days=3)).astimezone(UTC), "p", "m", "ok", cost_usd=Decimal("0.95")))
    budget = limited(ledger, Clock())
    assert (await budget.state()).spent_today_usd == Decimal("0.95")
    with pytest.raises(BudgetExceeded):
        await spend(budget, "0.1", NOON)


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (datetime(2026, 3, 29, 0, 10, tzinfo=BERLIN), datetime(2026, 3, 29, 23, 50, tzinfo=BERLIN)),
        (datetime(2026, 10, 25, 0, 10, tzinfo=BERLIN), datetime(2026, 10, 25, 23, 50, tzinfo=BERLIN)),
        (
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC).astimezone(BERLIN),
            datetime(2026, 10, 25, 1, 10, tzinfo=UTC).astimezone(BERLIN),
        ),
    ],
)
async def test_daylight_saving_neither_splits_a_day_nor_joins_two(
    ledger: Ledger, first: datetime, later: datetime
) -> None:
    clock = Clock(first)
    budget = limited(ledger, clock)
    await spend(budget, "0.9", first)
    clock.at = later
    with pytest.raises(BudgetExceeded):
        await spend(budget, "0.2", later)
    clock.at = datetime(later.year, later.month, later.day, 0, 5, tzinfo=BERLIN) + timedelta(days=1)
    await spend(budget, "0.9", clock.at)


async def test_a_share_is_said_once_in_its_period_also_after_a_restart(ledger: Ledger) -> None:
    clock = Clock()
    budget = limited(ledger, clock)
    assert await spend(budget, "0.4", clock.at) == ()
    assert await spend(budget, "0.2", clock.at) == ("$0.60 of your daily limit of $1.00 is spent (60 %)",)
    assert budget.notices == ("$0.60 of your daily limit of $1.00 is spent (60 %)",)
    assert await spend(budget, "0.1", clock.at) == ()
    again = limited(ledger, clock)
    assert again.notices == ()
    assert await spend(again, "0.05", clock.at) == ()
    assert await spend(again, "0.25", clock.at) == ("Your daily limit of $1.00 is used up: $1.00 is spent",)
    clock.at += timedelta(days=1)
    assert again.notices == ()
    assert await spend(again, "0.5", clock.at) == ("$0.50 of your daily limit of $1.00 is spent (50 %)",)


async def test_a_raised_limit_is_warned_of_anew(ledger: Ledger) -> None:
    budget = limited(ledger, Clock())
    assert await spend(budget, "0.9", NOON) != ()
    budget.set_limits(Decimal(2), None)
    assert budget.notices == ()
    assert await spend(budget, "0.1", NOON) == ("$1.00 of your daily limit of $2.00 is spent (50 %)",)


async def test_an_unknown_price_is_refused_unless_it_is_allowed_and_is_then_said(ledger: Ledger) -> None:
    blocking = limited(ledger, Clock())
    with pytest.raises(BudgetExceeded) as refused:
        await blocking.reserve(None, provider="p", model="riddle")
    assert refused.value.needed is None
    assert "The price of riddle at p is not known" in str(refused.value)
    allowing = limited(ledger, Clock(), unknown_price="allow")
    reservation = await allowing.reserve(None, provider="p", model="riddle")
    row = UsageRow(NOON.astimezone(UTC), "p", "riddle", "ok")
    (said,) = await allowing.settle(reservation, row)
    assert said == "The price of riddle at p is not known: what this answer costs does not count towards your limit"
    await spend(allowing, "1", NOON)
    with pytest.raises(BudgetExceeded):  # a limit that is used up refuses what cannot be counted, too
        await allowing.reserve(None)
    unlimited = limited(ledger, Clock(), None)
    assert (await unlimited.reserve(None)).notes == ()


async def test_leave_to_pass_the_limit_counts_once_and_is_booked(ledger: Ledger) -> None:
    budget = limited(ledger, Clock())
    await spend(budget, "0.9", NOON)
    reservation = await budget.reserve(Decimal("0.5"), over_limit=True)
    assert (await budget.state()).reserved_usd == Decimal("0.5")
    row = UsageRow(NOON.astimezone(UTC), "p", "m", "ok", cost_usd=Decimal("0.4"))
    assert (await budget.settle(reservation, row))[0] == (
        "This answer was sent past your daily limit of $1.00, as you asked"
    )
    state = await budget.state()
    assert (state.spent_today_usd, state.reserved_usd) == (Decimal("1.3"), Decimal())
    with pytest.raises(BudgetExceeded):
        await budget.reserve(Decimal("0.01"))


async def test_leave_that_was_not_needed_is_not_mentioned(ledger: Ledger) -> None:
    assert (await limited(ledger, Clock()).reserve(Decimal("0.5"), over_limit=True)).notes == ()


async def test_one_users_limit_counts_what_that_user_spent(ledger: Ledger) -> None:
    budget = limited(ledger, Clock(), None)
    budget.more_limits = lambda user_id: (Limit("daily", Decimal(1), user_id),) if user_id == "eve" else ()
    eve = await budget.reserve(Decimal("0.8"), user_id="eve")
    with pytest.raises(BudgetExceeded):
        await budget.reserve(Decimal("0.3"), user_id="eve")
    await budget.reserve(Decimal("0.3"), user_id="bob")
    at = NOON.astimezone(UTC)
    await budget.settle(eve, UsageRow(at, "p", "m", "ok", cost_usd=Decimal("0.1"), user_id="eve"))
    await ledger.record(UsageRow(at, "p", "m", "ok", cost_usd=Decimal(9), user_id="bob"))
    await budget.reserve(Decimal("0.9"), user_id="eve")


async def test_without_a_limit_switched_off_costs_are_not_kept_and_with_one_they_are(ledger: Ledger) -> None:
    off = limited(ledger, Clock(), None, cost_tracking=False)
    await spend(off, "0.7", NOON)
    assert [row.cost_usd for row in await ledger.rows()] == [None]
    off.set_limits(Decimal(1), None)
    await spend(off, "0.7", NOON)
    with pytest.raises(BudgetExceeded):
        await spend(off, "0.7", NOON)


async def test_the_managers_own_names_for_it() -> None:
    manager = LLMProviderManager()
    manager.enable_cost_tracking = True
    manager.set_cost_limit(daily_limit=100.0, monthly_limit=2000.0)
    stats = await manager.get_cost_statistics()
    assert f"Today's Cost: ${stats['daily_cost']:.2f}" == "Today's Cost: $0.00"
    assert (stats["daily_limit"], stats["monthly_limit"]) == (Decimal("100.0"), Decimal("2000.0"))
    for bad in (-1, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="is no limit"):
            manager.set_cost_limit(bad, None)
    manager.enable_cost_tracking = False
    assert not manager.budget.settings.cost_tracking
