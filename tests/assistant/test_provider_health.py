"""How each provider does: what was booked in the last seven days, and how it stands now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from vpa_desktop.assistant.provider_health import HealthDesk
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import RateLimited
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.providers.mock import MockProvider
from vpa_desktop.records import BreakerEvent, UsageRow
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.health import HealthStore
from vpa_desktop.storage.usage import UsageLedger


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield database
    await database.aclose()


async def test_figures_of_those_in_use_and_of_those_that_were(db: Database) -> None:
    clock = FakeClock()
    manager = LLMProviderManager(ledger=UsageLedger(db), clock=clock)
    for name in ("a", "b"):
        manager.register_provider(name, MockProvider(LLMProviderConfig("mock", "m", provider_id=name)))
    store = HealthStore(db)
    desk = HealthDesk(manager, store, now=clock.now)
    assert [(f.provider, f.requests, f.success_rate, f.breakers[0].state) for f in await desk.figures()] == [
        ("a", 0, None, "closed"),
        ("b", 0, None, "closed"),
    ]

    now = clock.now()
    for n in range(3):
        await manager.ledger.record(UsageRow(now, "a", "m", "ok", 5, 11, ttft_ms=100.0, latency_ms=200.0 + n))
    await manager.ledger.record(UsageRow(now, "a", "other", "failed", error_class="timeout", latency_ms=9.0))
    await manager.ledger.record(UsageRow(now, "gone", "x", "failed", error_class="auth"))
    await manager.ledger.record(UsageRow(now - timedelta(days=8), "b", "m", "ok", latency_ms=1.0))
    opened = BreakerEvent(now, "a", "other", "open", "5 failures in a row")
    await store.add_event(opened)
    for _ in range(5):
        manager.breaker("a", "other").failure()
    manager.cooldowns.note("b", "m", RateLimited("wait", provider="b", retry_after_s=30.0))

    a, b, gone = await desk.figures()
    assert (a.requests, a.success_rate, a.p50_ms, a.ttft_p50_ms, a.last_error) == (
        4,
        0.75,
        201.0,
        100.0,
        "It did not answer in time",
    )
    assert a.tokens_per_s == pytest.approx(10 / 0.101)
    assert a.latencies_ms == (200.0, 201.0, 202.0)
    assert [(breaker.model, breaker.state, breaker.reopens_in_s) for breaker in a.breakers] == [
        ("m", "closed", 0.0),
        ("other", "open", 5.0),
    ]
    assert [event.at for event in a.events][1:] == [opened.at]  # after the one that is not stored yet
    assert b.requests == 0  # what is older than seven days is no health
    assert b.breakers[0].reason == "it takes no more requests for now; asked again in 30 s"
    assert (gone.is_registered, gone.last_error, gone.breakers) == (False, "The key was refused", ())
