"""What is known of each provider's health, kept over restarts, and when its breakers opened and closed.

Knows rows, not what the facts mean: that is the gateway's. What it all cost is the usage ledger's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from vpa_desktop.records import BreakerEvent
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.rows import text_to_time, time_to_text, to_json, utc_now

if TYPE_CHECKING:
    import sqlite_utils

Place = tuple[str, str]
"""A provider's id and a model's name."""

KEPT: Final = timedelta(days=90)
"""Older breaker events are forgotten when a new one is written."""

FACTS_KEPT: Final = timedelta(days=1)
"""Older facts say nothing about now: they are forgotten when others are stored."""


class HealthStore:
    """The tables ``health`` and ``breaker_events`` of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def save_facts(self, facts: Mapping[Place, Mapping[str, Any]], at: datetime | None = None) -> None:
        """Stores the facts of these providers and models in one commit; of the others old ones go."""
        now = at or utc_now()
        when, oldest = time_to_text(now), time_to_text(now - FACTS_KEPT)
        rows = [
            {"provider": provider, "model": model, "facts": to_json(dict(each)), "at": when}
            for (provider, model), each in facts.items()
        ]

        def work(db: sqlite_utils.Database) -> None:
            db.table("health").upsert_all(rows, pk=("provider", "model"))
            db.execute("DELETE FROM health WHERE at < ?", [oldest])

        await self._db.write(work)

    async def load_facts(self) -> dict[Place, dict[str, Any]]:
        """The facts as they were last stored, by provider and model."""
        query = "SELECT provider, model, facts FROM health"
        rows = await self._db.read(lambda db: db.execute(query).fetchall())
        return {(provider, model): json.loads(facts) for provider, model, facts in rows}

    async def forget(self, provider_id: str) -> None:
        """Drops the facts of a provider: it is gone, or another one now. Its events stay, they are history."""
        query = "DELETE FROM health WHERE provider = ?"
        await self._db.write(lambda db: db.execute(query, [provider_id]))

    async def add_event(self, *events: BreakerEvent) -> None:
        """Writes changes of breakers down in one commit, and forgets what is too old."""
        if not events:
            return
        rows = [_to_row(event) for event in events]
        oldest = time_to_text(max(event.at for event in events) - KEPT)

        def work(db: sqlite_utils.Database) -> None:
            db.table("breaker_events").insert_all(rows)
            db.execute("DELETE FROM breaker_events WHERE at < ?", [oldest])

        await self._db.write(work)

    async def events(self, since: datetime | None = None, limit: int = 200) -> Sequence[BreakerEvent]:
        """The last changes of breakers at or after ``since``, newest first."""
        query = "SELECT * FROM breaker_events WHERE at >= ? ORDER BY at DESC, id DESC LIMIT ?"
        start = time_to_text(since) if since else ""
        return await self._db.read(lambda db: [_from_row(row) for row in db.query(query, [start, limit])])


def _to_row(event: BreakerEvent) -> dict[str, Any]:
    return {
        "at": time_to_text(event.at),
        "provider": event.provider,
        "model": event.model,
        "state": event.state,
        "reason": event.reason,
    }


def _from_row(row: dict[str, Any]) -> BreakerEvent:
    return BreakerEvent(text_to_time(row["at"]), row["provider"], row["model"], row["state"], row["reason"])
