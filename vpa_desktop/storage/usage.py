"""What every attempt at a provider used and cost. Not what it may cost: that is the budget's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from vpa_desktop.errors import StorageError
from vpa_desktop.records import UsageRow
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.reservations import ReservationBook, Tallies
from vpa_desktop.storage.rows import text_to_time, time_to_text
from vpa_desktop.storage.usage_rows import insert_usage, usage_from

T = TypeVar("T")


class UsageLedger:
    """The usage rows of one database, and the money set aside in it by any process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._tallies: Tallies = {}

    async def record(self, row: UsageRow) -> None:
        """Books one attempt, also where the caller is cancelled meanwhile: the money is spent."""
        await asyncio.shield(self._db.write(lambda db: insert_usage(db, row)))

    async def change(self, work: Callable[[ReservationBook], T]) -> T:
        """Runs ``work`` in one transaction that no other process comes between; nothing of it stays if it raises."""
        try:
            return await self._db.write(lambda db: work(ReservationBook(db, self._tallies)))
        except StorageError:
            self._tallies.clear()  # they may hold rows that were taken back
            raise

    async def look(self, work: Callable[[ReservationBook], T]) -> T:
        """Runs ``work``, which only reads, on one moment of the database."""
        return await self._db.read(lambda db: work(ReservationBook(db, {})))

    async def rows(self, since: datetime | None = None) -> list[UsageRow]:
        """The rows booked at or after ``since``, oldest first; all of them without it."""
        start = time_to_text(since) if since else ""
        return await self._db.read(
            lambda db: [
                usage_from(row) for row in db.query("SELECT * FROM usage WHERE at >= ? ORDER BY at, id", [start])
            ]
        )

    async def spent_since(self, at: datetime) -> Decimal:
        """The sum of the known costs at or after ``at``, in US dollars."""
        query = "SELECT cost_usd FROM usage WHERE at >= ? AND cost_usd IS NOT NULL"
        costs = await self._db.read(lambda db: db.execute(query, [time_to_text(at)]).fetchall())
        return sum((Decimal(cost) for (cost,) in costs), Decimal())


async def last_used_keys(db: Database) -> dict[tuple[str, str], datetime]:
    """When each provider was last asked with a key, by its id and the key's label."""
    query = "SELECT provider, key_label, max(at) FROM usage WHERE key_label != '' GROUP BY provider, key_label"
    rows = await db.read(lambda each: each.execute(query).fetchall())
    return {(provider, label): text_to_time(at) for provider, label, at in rows}
