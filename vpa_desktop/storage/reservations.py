"""What is spent and what is set aside, inside one transaction: the book the budget reads and writes. Sets no limit.

A row counts for the period that had been reached when it was booked, whatever its own time says: so a clock that is
set back begins no new day or month. Rows are numbered as they are booked; a period's rows are its first one (by the
time in it) and all that come after it.

Whoever sets money aside names itself as the owner. Where an owner was killed, nobody can say any more what its answer
cost: the whole amount is booked as an estimate, which is never less than it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vpa_desktop.records import Hold, UsageRow
from vpa_desktop.storage.rows import is_alive, money_to_text, text_to_time, this_process, time_to_text
from vpa_desktop.storage.usage_rows import insert_usage

if TYPE_CHECKING:
    import sqlite_utils

_FACT = "budget: "


@dataclass(frozen=True, slots=True)
class Tally:
    """The sum of a period's rows up to the row ``last``, which was booked at ``last_at``."""

    first: int
    last: int
    last_at: str
    total_usd: Decimal


Tallies = dict[tuple[str, str | None], Tally]
"""Sums by period and user, so that a change adds up only what came since the last one."""


class ReservationBook:
    """The tables ``usage`` and ``reservations`` of one open transaction."""

    def __init__(self, db: sqlite_utils.Database, tallies: Tallies) -> None:
        self._db = db
        self._tallies = tallies

    def latest(self) -> datetime | None:
        """When the last of all rows was booked."""
        found = self._value("SELECT max(at) FROM usage")
        return None if found is None else text_to_time(found)

    def spent_since(self, start: datetime, user_id: str | None = None) -> Decimal:
        """The known costs of the period that began then, in US dollars."""
        since = time_to_text(start)
        tally = self._known(since, user_id) or self._begun(since)
        if tally is None:
            return Decimal()
        query = "SELECT id, at, cost_usd, user_id FROM usage WHERE id > ? ORDER BY id"
        last, last_at, total = tally.last, tally.last_at, tally.total_usd
        for last, last_at, cost, user in self._db.execute(query, [tally.last]):  # noqa: B007 (the last one is kept)
            if cost is not None and user_id in (None, user):
                total += Decimal(cost)
        self._tallies[since, user_id] = Tally(tally.first, last, last_at, total)
        return total

    def _known(self, since: str, user_id: str | None) -> Tally | None:
        """The sum so far, unless rows were taken away since."""
        tally = self._tallies.get((since, user_id))
        if tally is None or self._value("SELECT at FROM usage WHERE id = ?", tally.last) != tally.last_at:
            return None
        return tally

    def _begun(self, since: str) -> Tally | None:
        first = self._value("SELECT min(id) FROM usage WHERE at >= ?", since)
        return None if first is None else Tally(first, first - 1, "", Decimal())

    def reserved_usd(self, user_id: str | None = None) -> Decimal:
        """What is set aside, in US dollars."""
        held = self._db.execute("SELECT needed_usd, user_id FROM reservations").fetchall()
        return sum((Decimal(needed) for needed, user in held if user_id in (None, user)), Decimal())

    def sweep(self) -> None:
        """Book what processes that were killed had set aside."""
        query = "SELECT DISTINCT owner FROM reservations WHERE owner <> ?"
        owners = [owner for (owner,) in self._db.execute(query, [this_process()]).fetchall()]
        for owner in owners:
            if not is_alive(owner):
                for row in list(self._db.query("SELECT * FROM reservations WHERE owner = ?", [owner])):
                    self.add(_never_settled(row))
                self._db.execute("DELETE FROM reservations WHERE owner = ?", [owner])

    def hold(self, hold: Hold) -> None:
        """Set money aside."""
        self._db.table("reservations").insert(
            {
                "id": hold.id,
                "owner": this_process(),
                "user_id": hold.user_id,
                "provider": hold.provider,
                "model": hold.model,
                "needed_usd": money_to_text(hold.needed_usd),
                "at": time_to_text(hold.at),
            }
        )

    def drop(self, hold_id: str) -> None:
        """Give back what was set aside."""
        self._db.execute("DELETE FROM reservations WHERE id = ?", [hold_id])

    def add(self, row: UsageRow) -> None:
        """Book one attempt."""
        insert_usage(self._db, row)

    def fact(self, name: str) -> str:
        """A word the budget keeps over restarts; empty where there is none."""
        return str(self._value("SELECT value FROM meta WHERE key = ?", _FACT + name) or "")

    def set_fact(self, name: str, value: str) -> None:
        """Keep a word over restarts."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [_FACT + name, value])

    def _value(self, query: str, *parameters: object) -> Any:
        row = self._db.execute(query, list(parameters)).fetchone()
        return None if row is None else row[0]


def _never_settled(row: dict[str, Any]) -> UsageRow:
    return UsageRow(
        at=text_to_time(row["at"]),
        provider=row["provider"],
        model=row["model"],
        outcome="cancelled",
        cost_usd=Decimal(row["needed_usd"]),
        estimated=True,
        user_id=row["user_id"],
    )
