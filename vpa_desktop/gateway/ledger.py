"""Where usage is booked and money set aside, as the budget sees it: a ledger, and the book that is open in one change.

The ledger of the program is ``storage.usage``; the one here is for a manager without a database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeVar

from vpa_desktop.records import Hold, UsageRow

T = TypeVar("T")


class Book(Protocol):
    """The ledger inside one change: what is read and what is written there is one step for everybody else."""

    def latest(self) -> datetime | None:
        """When the last of all rows was booked: a clock that is set back does not undo that time."""
        ...

    def spent_since(self, start: datetime, user_id: str | None = None) -> Decimal:
        """The known costs of a period that began then: its rows, and all that were booked after its first one."""
        ...

    def reserved_usd(self, user_id: str | None = None) -> Decimal:
        """What is set aside for answers that are on their way, in any process."""
        ...

    def sweep(self) -> None:
        """Book what processes that were killed had set aside: nobody can say any more what it cost."""
        ...

    def hold(self, hold: Hold) -> None: ...
    def drop(self, hold_id: str) -> None: ...
    def add(self, row: UsageRow) -> None: ...
    def fact(self, name: str) -> str: ...
    def set_fact(self, name: str, value: str) -> None: ...


class Ledger(Protocol):
    """Where usage is booked."""

    async def record(self, row: UsageRow) -> None: ...
    async def rows(self, since: datetime | None = None) -> list[UsageRow]: ...
    async def spent_since(self, at: datetime) -> Decimal: ...

    async def change(self, work: Callable[[Book], T]) -> T:
        """Run ``work`` as one step that nobody else comes between; nothing of it stays if it raises."""
        ...

    async def look(self, work: Callable[[Book], T]) -> T:
        """Run ``work``, which only reads."""
        ...


class MemoryLedger:
    """A ledger for one process without a database: what it books is gone when it ends.

    It is its own book: nothing of one process comes between two lines that wait for nothing.
    """

    def __init__(self) -> None:
        self._rows: list[UsageRow] = []
        self._holds: dict[str, Hold] = {}
        self._facts: dict[str, str] = {}

    async def record(self, row: UsageRow) -> None:
        """Book one attempt."""
        self._rows.append(row)

    async def rows(self, since: datetime | None = None) -> list[UsageRow]:
        """Return what was booked, oldest first."""
        return [row for row in self._rows if since is None or row.at >= since]

    async def change(self, work: Callable[[Book], T]) -> T:
        """Run ``work``; what it does before it raises stays, so it raises first."""
        return work(_MemoryBook(self._rows, self._holds, self._facts, self.add))

    async def look(self, work: Callable[[Book], T]) -> T:
        """Run ``work``."""
        return await self.change(work)

    async def spent_since(self, at: datetime) -> Decimal:
        """Return the sum of the known costs since ``at``."""
        return sum((row.cost_usd for row in self._rows if row.at >= at and row.cost_usd is not None), Decimal())

    def add(self, row: UsageRow) -> None:
        """Book one attempt, inside a change or alone."""
        self._rows.append(row)


class _MemoryBook:
    """The open book of a MemoryLedger."""

    def __init__(
        self,
        rows: list[UsageRow],
        holds: dict[str, Hold],
        facts: dict[str, str],
        add: Callable[[UsageRow], None],
    ) -> None:
        self._rows, self._holds, self._facts, self.add = rows, holds, facts, add

    def latest(self) -> datetime | None:
        return max((row.at for row in self._rows), default=None)

    def spent_since(self, start: datetime, user_id: str | None = None) -> Decimal:
        first = next((n for n, row in enumerate(self._rows) if row.at >= start), len(self._rows))
        rows = (row for row in self._rows[first:] if user_id in (None, row.user_id))
        return sum((row.cost_usd for row in rows if row.cost_usd is not None), Decimal())

    def reserved_usd(self, user_id: str | None = None) -> Decimal:
        held = (hold.needed_usd for hold in self._holds.values() if user_id in (None, hold.user_id))
        return sum(held, Decimal())

    def sweep(self) -> None:
        """Nothing: whoever set something aside here lives, or the ledger is gone with them."""

    def hold(self, hold: Hold) -> None:
        self._holds[hold.id] = hold

    def drop(self, hold_id: str) -> None:
        self._holds.pop(hold_id, None)

    def fact(self, name: str) -> str:
        return self._facts.get(name, "")

    def set_fact(self, name: str, value: str) -> None:
        self._facts[name] = value
