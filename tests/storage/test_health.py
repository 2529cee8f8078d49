"""Health kept over restarts: facts by provider and model, and the history of the breakers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from vpa_desktop.records import BreakerEvent
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.health import KEPT, HealthStore

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def open_in(folder: Path) -> Database:
    return await Database.open(folder / "vpa.db", backups=folder / "backups")


async def test_what_was_known_is_known_after_a_restart(tmp_path: Path) -> None:
    db = await open_in(tmp_path)
    store = HealthStore(db)
    await store.save_facts({("a", "m1"): {"ttft_ms": 310.5}, ("a", "m2"): {"ttft_ms": 90}, ("b", "m1"): {}}, NOW)
    await store.save_facts({("a", "m1"): {"ttft_ms": 280.0, "outcomes": [True, False]}}, NOW)
    await store.add_event(BreakerEvent(NOW, "a", "m1", "open", "five failures in a row"))
    await db.aclose()

    db = await open_in(tmp_path)
    store = HealthStore(db)
    assert await store.load_facts() == {
        ("a", "m1"): {"ttft_ms": 280.0, "outcomes": [True, False]},
        ("a", "m2"): {"ttft_ms": 90},
        ("b", "m1"): {},
    }
    assert await store.events() == [BreakerEvent(NOW, "a", "m1", "open", "five failures in a row")]
    await store.forget("a")
    assert list(await store.load_facts()) == [("b", "m1")]
    await db.aclose()


async def test_events_come_newest_first_and_old_ones_go(tmp_path: Path) -> None:
    db = await open_in(tmp_path)
    store = HealthStore(db)
    await store.add_event()
    first, second = (BreakerEvent(NOW, "a", "m", state) for state in ("open", "half_open"))
    await store.add_event(BreakerEvent(NOW - timedelta(hours=1), "b", "m", "open"), first, second)
    assert [e.state for e in await store.events(limit=2)] == ["half_open", "open"]
    assert await store.events(since=NOW - timedelta(minutes=1)) == [second, first]

    later = BreakerEvent(NOW + KEPT, "a", "m", "closed")
    await store.add_event(later)
    assert await store.events() == [later, second, first]  # the one of an hour before is past the time kept
    await db.aclose()
