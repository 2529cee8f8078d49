"""Budget: a limit per local day and month that is checked before sending. Reserve the worst case, settle the real cost.

The ledger knows what was spent, also by another process; open reservations stand beside it. Money is Decimal dollars.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from vpa_desktop.config import BudgetSettings
from vpa_desktop.errors import BudgetExceeded, StorageError
from vpa_desktop.records import UsageRow


class Ledger(Protocol):
    """Where usage is booked."""

    async def record(self, row: UsageRow) -> None: ...
    async def rows(self, since: datetime | None = None) -> list[UsageRow]: ...
    async def spent_since(self, at: datetime) -> Decimal: ...


class MemoryLedger:
    """A ledger for one process without a database: what it books is gone when it ends."""

    def __init__(self) -> None:
        self._rows: list[UsageRow] = []

    async def record(self, row: UsageRow) -> None:
        """Book one attempt."""
        self._rows.append(row)

    async def rows(self, since: datetime | None = None) -> list[UsageRow]:
        """Return what was booked, oldest first."""
        return [row for row in self._rows if since is None or row.at >= since]

    async def spent_since(self, at: datetime) -> Decimal:
        """Return the sum of the known costs since ``at``."""
        return sum((row.cost_usd for row in self._rows if row.at >= at and row.cost_usd is not None), Decimal())


def local_now() -> datetime:
    """The time now with the machine's own zone."""
    return datetime.now(UTC).astimezone()


@dataclass(eq=False, slots=True)
class Reservation:
    """Money set aside for one attempt; ``needed_usd`` 0 where the price is unknown or nothing is limited."""

    needed_usd: Decimal


@dataclass(frozen=True, slots=True)
class BudgetState:
    """Where the person stands: spent, the limits, and what is set aside for answers under way."""

    spent_today_usd: Decimal
    spent_month_usd: Decimal
    reserved_usd: Decimal
    daily_limit_usd: Decimal | None
    monthly_limit_usd: Decimal | None


class Budget:
    """Checks, reserves and settles. One lock makes reading the ledger and reserving one step."""

    def __init__(self, settings: BudgetSettings, ledger: Ledger, *, now: Callable[[], datetime] = local_now) -> None:
        self.settings = settings
        self._ledger = ledger
        self._now = now
        self._lock = asyncio.Lock()
        self._open: set[Reservation] = set()

    @property
    def is_limited(self) -> bool:
        """True where a limit is set."""
        return self.settings.daily_limit_usd is not None or self.settings.monthly_limit_usd is not None

    def set_limits(self, daily_usd: Decimal | None, monthly_usd: Decimal | None) -> None:
        """Change the limits from now on; None is no limit."""
        self.settings = replace(self.settings, daily_limit_usd=daily_usd, monthly_limit_usd=monthly_usd)

    async def state(self) -> BudgetState:
        """Return what is spent and set aside now."""
        now = self._now()
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return BudgetState(
            await self._ledger.spent_since(day),
            await self._ledger.spent_since(day.replace(day=1)),
            sum((r.needed_usd for r in self._open), Decimal()),
            self.settings.daily_limit_usd,
            self.settings.monthly_limit_usd,
        )

    async def reserve(self, needed_usd: Decimal | None) -> Reservation:
        """Set money aside for one attempt, at its worst case; raises BudgetExceeded where it could pass a limit.

        None is an unknown price: nothing can be set aside, but a limit that is already used up still refuses.
        """
        needed = needed_usd or Decimal()
        reservation = Reservation(needed)
        if not self.is_limited or (needed_usd is not None and needed == 0):
            return reservation
        async with self._lock:
            state = await self.state()
            for name, limit, spent in (
                ("daily", state.daily_limit_usd, state.spent_today_usd),
                ("monthly", state.monthly_limit_usd, state.spent_month_usd),
            ):
                if limit is not None and (spent >= limit or spent + state.reserved_usd + needed > limit):
                    raise _refusal(name, limit, spent, needed)
            self._open.add(reservation)
        return reservation

    async def settle(self, reservation: Reservation, row: UsageRow) -> None:
        """Book what an attempt really cost and give back what was set aside for it.

        Raises StorageError where it could not be booked; what it cost then stays set aside, so that the limit holds.
        """
        async with self._lock:
            try:
                await self._ledger.record(row)
            except StorageError:
                if row.cost_usd:
                    self._open.add(Reservation(row.cost_usd))
                raise
            finally:
                self._open.discard(reservation)

    def release(self, reservation: Reservation) -> None:
        """Give back what was set aside for an attempt that was not made."""
        self._open.discard(reservation)


def _refusal(name: str, limit: Decimal, spent: Decimal, needed: Decimal) -> BudgetExceeded:
    return BudgetExceeded(
        f"The {name} limit of ${limit:.2f} would be passed",
        f"${spent:.4f} is spent and this answer could cost up to ${needed:.4f}",
        "Raise the limit in Settings, Limits, or ask the local model",
        limit=limit,
        spent=spent,
        needed=needed,
    )
