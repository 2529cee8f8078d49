"""Nothing is spent past a limit, also by a hundred requests at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from vpa_desktop.config import BudgetSettings
from vpa_desktop.errors import BudgetExceeded
from vpa_desktop.gateway.budget import Budget, MemoryLedger
from vpa_desktop.records import UsageRow

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def row(cost: str, at: datetime = NOW) -> UsageRow:
    return UsageRow(at, "openai", "m", "ok", cost_usd=Decimal(cost))


def budget(ledger: MemoryLedger, daily: str | None = "1", monthly: str | None = None) -> Budget:
    settings = BudgetSettings(
        daily_limit_usd=Decimal(daily) if daily else None, monthly_limit_usd=Decimal(monthly) if monthly else None
    )
    return Budget(settings, ledger, now=lambda: NOW)


async def test_a_hundred_at_once_cannot_pass_the_limit_together() -> None:
    ledger = MemoryLedger()
    guarded = budget(ledger)

    async def one() -> bool:
        try:
            reservation = await guarded.reserve(Decimal("0.03"))
        except BudgetExceeded:
            return False
        await asyncio.sleep(0)
        await guarded.settle(reservation, row("0.03"))
        return True

    sent = sum(await asyncio.gather(*(one() for _ in range(100))))
    assert sent == 33
    assert await ledger.spent_since(NOW - timedelta(days=1)) == Decimal("0.99")


async def test_settling_gives_back_what_was_not_needed() -> None:
    guarded = budget(MemoryLedger())
    first = await guarded.reserve(Decimal("0.9"))
    with pytest.raises(BudgetExceeded) as refused:
        await guarded.reserve(Decimal("0.2"))
    assert refused.value.exit_code == 5
    assert "daily limit of $1.00" in str(refused.value)
    await guarded.settle(first, row("0.1"))
    await guarded.reserve(Decimal("0.2"))


async def test_the_month_counts_what_earlier_days_spent_and_the_day_does_not() -> None:
    ledger = MemoryLedger()
    await ledger.record(row("4.9", NOW - timedelta(days=3)))
    assert (await budget(ledger, "1", None).reserve(Decimal("0.5"))).needed_usd == Decimal("0.5")
    with pytest.raises(BudgetExceeded, match="monthly"):
        await budget(ledger, None, "5").reserve(Decimal("0.5"))


async def test_local_answers_are_free_and_pass_a_used_up_limit() -> None:
    ledger = MemoryLedger()
    await ledger.record(row("2"))
    guarded = budget(ledger)
    await guarded.reserve(Decimal(0))
    with pytest.raises(BudgetExceeded):
        await guarded.reserve(None)
