"""What every attempt at a provider used and cost. Not what it may cost: that is the budget's."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vpa_desktop.records import UsageRow
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.rows import money_to_text, text_to_money, text_to_time, time_to_text

if TYPE_CHECKING:
    import sqlite_utils


class UsageLedger:
    """The usage rows of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def record(self, row: UsageRow) -> None:
        """Books one attempt, also where the caller is cancelled meanwhile: the money is spent."""
        await asyncio.shield(self._db.write(lambda db: insert_usage(db, row)))

    async def rows(self, since: datetime | None = None) -> list[UsageRow]:
        """The rows booked at or after ``since``, oldest first; all of them without it."""
        start = time_to_text(since) if since else ""
        return await self._db.read(
            lambda db: [
                _from_row(row) for row in db.query("SELECT * FROM usage WHERE at >= ? ORDER BY at, id", [start])
            ]
        )

    async def spent_since(self, at: datetime) -> Decimal:
        """The sum of the known costs at or after ``at``, in US dollars."""
        query = "SELECT cost_usd FROM usage WHERE at >= ? AND cost_usd IS NOT NULL"
        costs = await self._db.read(lambda db: db.execute(query, [time_to_text(at)]).fetchall())
        return sum((Decimal(cost) for (cost,) in costs), Decimal())


def insert_usage(db: sqlite_utils.Database, row: UsageRow) -> None:
    """Adds one row inside a transaction of the caller's."""
    db.table("usage").insert(
        {
            "at": time_to_text(row.at),
            "provider": row.provider,
            "model": row.model,
            "outcome": row.outcome,
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
            "cached_input_tokens": row.cached_input_tokens,
            "cost_usd": money_to_text(row.cost_usd),
            "ttft_ms": row.ttft_ms,
            "latency_ms": row.latency_ms,
            "error_class": row.error_class,
            "conversation_id": row.conversation_id,
            "message_id": row.message_id,
            "estimated": int(row.estimated),
            "cached": int(row.cached),
            "cache_write_tokens": row.cache_write_tokens,
            "user_id": row.user_id,
            "key_label": row.key_label,
            "saved_usd": money_to_text(row.saved_usd),
            "saved_ms": row.saved_ms,
        }
    )


def _from_row(row: dict[str, Any]) -> UsageRow:
    values = {name: value for name, value in row.items() if name != "id"}
    values["at"] = text_to_time(row["at"])
    values["cost_usd"] = text_to_money(row["cost_usd"])
    values["saved_usd"] = text_to_money(row["saved_usd"])
    values["estimated"] = bool(row["estimated"])
    values["cached"] = bool(row["cached"])
    return UsageRow(**values)
