"""Whoever leaves, at whatever moment: places, money, probes and sockets are given back, and what was used is booked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

import pytest

from tests.fakes import FakeClock, ScriptedProvider
from tests.gateway.faults import GOOD, Rig, late, rig
from tests.gateway.test_manager import ASK, collect, config, good
from tests.providers.rawserver import sockets_to
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import BreakerSettings, BudgetSettings, RoutingSettings
from vpa_desktop.errors import AuthenticationFailed, RateLimited
from vpa_desktop.gateway.cooldown import Cooldowns
from vpa_desktop.gateway.keypool import KeyPool, PoolKey
from vpa_desktop.gateway.ledger import Book, MemoryLedger
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import LLMRequest, StreamDone, StreamEvent, TextDelta, Usage
from vpa_desktop.records import UsageRow

T = TypeVar("T")


class SlowLedger(MemoryLedger):
    """Waits before it books, as a busy disk does."""

    def __init__(self) -> None:
        super().__init__()
        self.booking = asyncio.Event()

    async def record(self, row: UsageRow) -> None:
        """Book one attempt, late."""
        self.booking.set()
        await asyncio.shield(self._late(row))

    async def _late(self, row: UsageRow) -> None:
        await asyncio.sleep(0.02)
        self.add(row)

    async def change(self, work: Callable[[Book], T]) -> T:
        """Run ``work``, late."""
        self.booking.set()
        await asyncio.sleep(0.02)
        return await super().change(work)


def probing(provider: ScriptedProvider, ledger: MemoryLedger, **budget: object) -> LLMProviderManager:
    """A manager whose only provider has been down and may be tried by one probe."""
    clock = FakeClock()
    made = LLMProviderManager(
        RoutingSettings(circuit_breaker=BreakerSettings(failure_threshold=1)),
        BudgetSettings(**budget),  # type: ignore[arg-type]
        ledger=ledger,
        clock=clock,
    )
    made.register_provider(provider.provider_id, provider)
    made.breaker(provider.provider_id, provider.model).failure("down")
    clock.advance(5)
    return made


async def test_a_probe_whose_reader_leaves_while_it_is_booked_has_still_shown_that_the_provider_works() -> None:
    ledger = SlowLedger()
    made = probing(good("a"), ledger)
    asking = asyncio.create_task(collect(made))
    await asyncio.wait_for(ledger.booking.wait(), 1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert made.breaker("a", made.get_provider("a").model).state == "closed"  # type: ignore[union-attr]
    assert (made.standings.line(made.get_provider("a")).in_flight, made.health["a"].in_flight) == (0, 0)  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    assert [row.outcome for row in await ledger.rows()] == ["ok"]


async def test_money_comes_back_where_the_reader_leaves_while_the_price_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up = asyncio.Event()
    monkeypatch.setattr("vpa_desktop.prices.is_at_hand", lambda config: False)
    made = LLMProviderManager(budget=BudgetSettings(daily_limit_usd=Decimal(1)))
    price = Decimal(10)
    provider = good("a", local_only=False, input_cost_per_million=price, output_cost_per_million=price, max_tokens=9)
    made.register_provider("a", provider)
    asked_before = asyncio.to_thread

    async def slowly(work: Callable[..., T], *args: object, **named: object) -> T:
        if any(isinstance(each, Usage) for each in args):
            looked_up.set()
            await asyncio.sleep(0.05)
        return await asked_before(work, *args, **named)

    monkeypatch.setattr(asyncio, "to_thread", slowly)
    asking = asyncio.create_task(collect(made))
    await asyncio.wait_for(looked_up.wait(), 1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    state = await made.budget.state()
    assert state.reserved_usd == 0
    assert [(row.outcome, row.cost_usd) for row in await made.ledger.rows()] == [("ok", Decimal("0.00012"))]


async def test_a_probe_that_answers_at_length_is_not_lost() -> None:
    class Slow(ScriptedProvider):
        async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
            for _ in range(4):
                yield TextDelta("word ")
            yield StreamDone("stop")

    provider = Slow(config("a"), ())
    made = probing(provider, MemoryLedger())
    breaker = made.breaker("a", provider.model)
    async with aclosing(made.stream(ASK)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                assert not breaker.acquire()
                made._clock.advance(50)  # type: ignore[attr-defined]
                assert not breaker.acquire()
                assert breaker.state == "half_open"
    assert breaker.state == "closed"


async def test_a_request_from_before_the_outage_does_not_free_the_place_of_the_probe() -> None:
    clock = FakeClock()
    async with rig([late(GOOD, 5)], clock=clock, breaker=BreakerSettings(failure_threshold=1)) as it:
        old = asyncio.create_task(it.ask())
        await asyncio.wait_for(it.a.asked.wait(), 2)
        breaker = it.manager.breaker("a", "model-a")
        breaker.failure("down")
        clock.advance(5)
        assert breaker.acquire()  # the probe
        old.cancel()
        await asyncio.gather(old, return_exceptions=True)
        assert not breaker.acquire()


async def test_cancelled_after_any_number_of_steps_nothing_stays_taken() -> None:
    async with rig([late(GOOD, 0.01)], [late(GOOD, 0.01)]) as it:
        it.manager.set_cost_limit(100)
        for provider_id in ("a", "b"):
            provider = it.manager.get_provider(provider_id)
            assert provider is not None
            provider.config = _priced(provider.config)
        for steps in range(0, 60, 2):
            await _cancelled_after(it, steps)
        state = await it.manager.budget.state()
        assert state.reserved_usd == 0
        assert await sockets_to(it.a.url) == 0


def _priced(config: LLMProviderConfig) -> LLMProviderConfig:
    return replace(config, input_cost_per_million=Decimal(1), output_cost_per_million=Decimal(1), max_tokens=90)


async def _cancelled_after(it: Rig, steps: int) -> None:
    asking = asyncio.create_task(it.ask(ASK))
    for _ in range(steps):
        await asyncio.sleep(0.0005)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    for provider_id in ("a", "b"):
        provider = it.manager.get_provider(provider_id)
        assert provider is not None
        line = it.manager.line(provider)
        assert (line.in_flight, line.waiting, it.manager.health[provider_id].in_flight) == (0, 0, 0)


async def test_any_model_that_a_client_names_is_not_remembered_for_ever() -> None:
    made = LLMProviderManager(RoutingSettings(strategy="cheapest"))
    made.register_provider("a", good("a", local_only=False))
    made.register_provider("b", good("b", local_only=False))
    for number in range(1_500):
        await made.generate(replace(ASK, model=f"m{number}", conversation_id=f"c{number}"), provider="a")
    assert len(made.standings.places) <= 1_001
    made.breaker("a", "down").failure()
    for _ in range(9):
        made.breaker("a", "down").failure()
    for number in range(1_500):
        made.breaker("a", f"n{number}")
    assert ("a", "down") in made.standings.open_breakers()


async def test_a_pause_that_is_over_is_forgotten_before_one_that_is_not() -> None:
    clock = FakeClock()
    pauses = Cooldowns(clock=clock)
    for number in range(1_500):
        pauses.note("a", f"m{number}", RateLimited("wait", retry_after_s=1))
        clock.advance(0.1)
    assert pauses.left_s("a", "m1495") > 0
    assert len(pauses.pauses) <= 1_001


async def test_a_refusal_that_is_kept_with_its_key_keeps_no_question() -> None:
    refused = ScriptedProvider(config("a"), [AuthenticationFailed("no", error_class="auth")])
    taken = ScriptedProvider(config("a"), [TextDelta("fine"), StreamDone("stop")])
    by_key = {"one": refused, "two": taken}
    keys = [PoolKey("1", "one", "…one"), PoolKey("2", "two", "…two")]
    pool = KeyPool(config("a"), keys, lambda each: by_key[str(each.api_key)])
    made = LLMProviderManager()
    made.register_provider("a", pool)
    assert (await made.generate(ASK)).content == "fine"
    (error,) = pool._seats[0].refusals.values()
    assert error.__traceback__ is None
