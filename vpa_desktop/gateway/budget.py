"""Budget: a limit per local day and month that is checked before sending. Reserve the worst case, settle the real cost.

The ledger knows what was spent and what is set aside, also by another process; checking and setting aside are one
change of it. A period that was once reached stays reached: a clock that is set back resets nothing. Money is Decimal
dollars.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from vpa_desktop.config import BudgetSettings
from vpa_desktop.errors import BudgetExceeded
from vpa_desktop.gateway.ledger import Book, Ledger, MemoryLedger
from vpa_desktop.gateway.limits import Limit, Standing, Warned, dollars, refusal, unpriced
from vpa_desktop.local_time import local_now, start_of_day, start_of_month
from vpa_desktop.messages import LOCAL_USER
from vpa_desktop.records import Hold, UsageRow

T = TypeVar("T")

CLOCK_SLACK: Final = timedelta(minutes=1)
"""A clock that is corrected by less was not set back, as far as a person is concerned."""


@dataclass(frozen=True, eq=False, slots=True)
class Reservation:
    """Money set aside for one attempt; ``needed_usd`` 0 where the price is unknown or nothing is limited.

    ``id`` is empty where nothing had to be set aside; ``notes`` are sentences for the answer.
    """

    needed_usd: Decimal
    id: str = ""
    notes: tuple[str, ...] = ()


NOTHING: Final = Reservation(Decimal())
"""What is set aside where nothing is limited, or nothing costs anything."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """Where the person stands: spent, the limits, and what is set aside for answers under way.

    ``at`` is the time that counts: now, or the latest that anything was booked at where the clock was set back.
    """

    spent_today_usd: Decimal
    spent_month_usd: Decimal
    reserved_usd: Decimal
    daily_limit_usd: Decimal | None
    monthly_limit_usd: Decimal | None
    at: datetime


def _no_limits(_: str) -> tuple[Limit, ...]:
    return ()


class Budget:
    """Checks, reserves and settles. ``more_limits`` gives the limits of one user beside those of the settings."""

    def __init__(self, settings: BudgetSettings, ledger: Ledger, *, now: Callable[[], datetime] = local_now) -> None:
        self.settings = settings
        self.more_limits: Callable[[str], tuple[Limit, ...]] = _no_limits
        self._ledger = ledger
        self._now = now
        self._warned: dict[str, Warned] = {}

    @property
    def is_limited(self) -> bool:
        """True where a limit is set for everybody."""
        return self.settings.daily_limit_usd is not None or self.settings.monthly_limit_usd is not None

    def limits(self, user_id: str = LOCAL_USER) -> tuple[Limit, ...]:
        """Return the limits that count for this user; none is the usual case, and costs nothing."""
        daily, monthly, limits = (
            self.settings.daily_limit_usd,
            self.settings.monthly_limit_usd,
            self.more_limits(user_id),
        )
        if daily is None and monthly is None:
            return limits
        for firm in limits:  # the same limit need not be kept, and warned of, twice
            if firm.user_id is None and firm.period == "daily" and daily is not None and firm.usd <= daily:
                daily = None
            elif firm.user_id is None and firm.period == "monthly" and monthly is not None and firm.usd <= monthly:
                monthly = None
        if daily is not None:
            limits = (*limits, Limit("daily", daily))
        return limits if monthly is None else (*limits, Limit("monthly", monthly))

    def set_limits(self, daily_usd: Decimal | None, monthly_usd: Decimal | None) -> None:
        """Change the limits from now on; None is no limit."""
        self.settings = replace(self.settings, daily_limit_usd=daily_usd, monthly_limit_usd=monthly_usd)

    @property
    def notices(self) -> tuple[str, ...]:
        """The warnings of this session whose day or month has not ended: a restart does not bring them back."""
        now = self._now()
        limits = self.limits()
        return tuple(w.sentence for w in self._warned.values() if w.start >= _start(w.limit, now) and w.limit in limits)

    async def state(self) -> BudgetState:
        """Return what is spent and set aside now."""
        limits = self.limits()
        daily = min((limit.usd for limit in limits if limit.period == "daily"), default=None)
        monthly = min((limit.usd for limit in limits if limit.period == "monthly"), default=None)

        def read(book: Book) -> BudgetState:
            at = self._reached(book)
            return BudgetState(
                book.spent_since(start_of_day(at)),
                book.spent_since(start_of_month(at)),
                book.reserved_usd(),
                daily,
                monthly,
                at,
            )

        return await self._ledger.look(read)

    async def reserve(
        self,
        needed_usd: Decimal | None,
        *,
        provider: str = "",
        model: str = "",
        user_id: str = LOCAL_USER,
        over_limit: bool = False,
    ) -> Reservation:
        """Set money aside for one attempt, at its worst case; raises BudgetExceeded where it could pass a limit.

        None is an unknown price: refused where a limit is set, unless the settings allow it; nothing can be set aside
        then, but a limit that is used up still refuses. ``over_limit`` is leave to pass the person's own limits this
        once, never those of a policy; nor does a setting make an unknown price count for nothing there.
        """
        limits = self.limits(user_id)
        if not limits or needed_usd == 0:
            return Reservation(needed_usd or Decimal())
        hold = Hold(secrets.token_hex(12), self._now(), needed_usd or Decimal(), provider, model, user_id)
        name = " ".join(part for part in (model, f"at {provider}" if provider else "") if part)
        fixed = tuple(limit for limit in limits if limit.whose)
        strict = tuple(limit for limit in fixed if not limit.allows_unknown_prices)
        if needed_usd is None and (strict or (self.settings.unknown_price == "block" and not over_limit)):
            standing = await self._ledger.look(lambda book: self._standing(book, (strict or limits)[0]))
            raise unpriced(standing, name)

        def reserve(book: Book) -> tuple[str, ...] | BudgetExceeded:
            book.sweep()
            notes = _uncounted(name) if needed_usd is None else ()
            refused = self._refusal(book, limits, needed_usd)
            kept = refused if not over_limit else self._refusal(book, fixed, needed_usd)
            if kept is not None:
                return kept  # not raised in there: what was swept stays booked
            if refused is not None:
                limit = f"{refused.period} limit of {dollars(refused.limit)}"
                notes = (*notes, f"This answer was sent past your {limit}, as you asked")
            if needed_usd is not None:
                book.hold(hold)
            return notes

        asked = asyncio.ensure_future(self._ledger.change(reserve))
        try:
            found = await to_its_end(asked)
        except asyncio.CancelledError:
            if not asked.cancelled() and asked.exception() is None:
                await to_its_end(self._ledger.change(lambda book: book.drop(hold.id)))
            raise
        if isinstance(found, BudgetExceeded):
            raise found
        return Reservation(hold.needed_usd, hold.id if needed_usd is not None else "", found)

    async def settle(self, reservation: Reservation, row: UsageRow) -> tuple[str, ...]:
        """Book what an attempt really cost and give back what was set aside for it; returns sentences for the answer.

        Raises StorageError where it could not be booked; what was set aside stays so then, and the limit holds.
        """
        limits = self.limits(row.user_id) if row.cost_usd or reservation.id else ()
        if not limits and not self.settings.cost_tracking and row.cost_usd:
            row = row._replace(cost_usd=None)
        if not reservation.id and not limits:
            await self._ledger.record(row)
            return reservation.notes

        def settle(book: Book) -> tuple[str, ...]:
            book.add(row)
            if reservation.id:
                book.drop(reservation.id)
            return tuple(sentence for limit in limits if (sentence := self._warning(book, limit)))

        return reservation.notes + await to_its_end(self._ledger.change(settle))

    async def release(self, reservation: Reservation) -> None:
        """Give back what was set aside for an attempt that was not made."""
        if reservation.id:
            await to_its_end(self._ledger.change(lambda book: book.drop(reservation.id)))

    def _reached(self, book: Book) -> datetime:
        """Now, or the latest time anything was booked at: a clock that is set back does not undo it."""
        now, latest = self._now(), book.latest()
        return now if latest is None or latest <= now.astimezone(UTC) else latest.astimezone(now.tzinfo)

    def _standing(self, book: Book, limit: Limit) -> Standing:
        at = self._reached(book)
        start = _start(limit, at)
        spent = book.spent_since(start, limit.user_id)
        ahead = at.astimezone(UTC) - self._now().astimezone(UTC)
        clock_was_at = at if ahead > CLOCK_SLACK else None
        return Standing(limit, start, spent, book.reserved_usd(limit.user_id), clock_was_at)

    def _refusal(self, book: Book, limits: tuple[Limit, ...], needed: Decimal | None) -> BudgetExceeded | None:
        """The error for the first limit that could be passed; None where all of them hold."""
        for limit in limits:
            standing = self._standing(book, limit)
            if standing.spent_usd >= limit.usd or standing.claimed_usd + (needed or Decimal()) > limit.usd:
                return refusal(standing, needed)
        return None

    def _warning(self, book: Book, limit: Limit) -> str:
        """The sentence for a share of the limit that was reached just now; said once in a period, by any process."""
        standing = self._standing(book, limit)
        share = max((share for share in self.settings.warn_at if standing.has_reached(share)), default=None)
        if share is None:
            return ""
        said_for, _, said = book.fact(limit.name).rpartition(" ")
        if said_for == standing.period_name and float(said) >= share:
            return ""
        book.set_fact(limit.name, f"{standing.period_name} {share}")
        self._warned[limit.name] = Warned(limit, standing.start, standing.warning())
        return self._warned[limit.name].sentence


def _start(limit: Limit, at: datetime) -> datetime:
    return start_of_day(at) if limit.period == "daily" else start_of_month(at)


def _uncounted(name: str) -> tuple[str, ...]:
    of_what = f"The price of {name}" if name else "The price"
    return (f"{of_what} is not known: what this answer costs does not count towards your limit",)


async def to_its_end(work: Awaitable[T]) -> T:
    """Do work to its end; a cancellation that came meanwhile is raised after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        raise cancelled
    return task.result()


__all__ = ["Budget", "BudgetState", "Ledger", "Limit", "MemoryLedger", "Reservation", "local_now", "to_its_end"]
