"""The straight way and the walk give the same: the same words, the same receipt, the same error, the same standings."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from tests.fakes import FakeClock, ScriptedProvider
from tests.gateway.test_manager import ASK, good, manager, scripted
from vpa_desktop.config import BreakerSettings, RoutingSettings, Strategy
from vpa_desktop.errors import (
    AllProvidersFailed,
    BadReply,
    ContentBlocked,
    ContextTooLong,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    StreamInterrupted,
    VPAError,
)
from vpa_desktop.gateway.failover import ReadyAnswer
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import GatewayEvent, LLMResponse, RouteDone, StreamDone, TextDelta, Usage

Script = Callable[[], tuple[ScriptedProvider, ...]]

SCRIPTS: dict[str, Script] = {
    "the first answers": lambda: (good("a"), good("b")),
    "the only one answers": lambda: (good("a"),),
    "it stops in good order before the end": lambda: (
        scripted("a", TextDelta("half"), StreamDone("pause", Usage(3, 1))),
    ),
    "the first is down": lambda: (scripted("a", ProviderUnavailable("a is down", provider="a")), good("b")),
    "the only one is down": lambda: (scripted("a", ProviderUnavailable("a is down", provider="a")),),
    "the first asks for patience": lambda: (
        scripted("a", RateLimited("slow", provider="a", retry_after_s=9)),
        good("b"),
    ),
    "the first ends without an end": lambda: (scripted("a", TextDelta("half")), good("b", " and the rest")),
    "the first breaks off": lambda: (
        scripted("a", TextDelta("half"), StreamInterrupted("it broke off", provider="a", midstream=True)),
        good("b", " and the rest"),
    ),
    "both break off": lambda: tuple(
        scripted(each, TextDelta("half"), StreamInterrupted("it broke off", provider=each, midstream=True))
        for each in "ab"
    ),
    "the question is wrong": lambda: (
        scripted("a", RequestRejected("no", "bad field", code="invalid_value", provider="a")),
        good("b"),
    ),
    "a filter refuses": lambda: (scripted("a", ContentBlocked("no", "a filter", provider="a")), good("b")),
    "the prompt is too long for it": lambda: (scripted("a", ContextTooLong("too long", provider="a")), good("b")),
    "the reply is not one": lambda: (scripted("a", BadReply("garbled", provider="a")), good("b")),
}


def drawn(providers: tuple[ScriptedProvider, ...], strategy: Strategy) -> LLMProviderManager:
    """A manager over these whose choices are always the same."""
    made = LLMProviderManager(RoutingSettings(strategy), clock=FakeClock(), draw=random.Random(1))
    for provider in providers:
        made.register_provider(provider.provider_id, provider)
    return made


async def told(made: LLMProviderManager, how: str) -> dict[str, Any]:
    """Ask twice; everything a reader, and the next question, would notice, but for times."""
    found: list[object] = []
    for _ in range(2):
        events: list[GatewayEvent] = []
        try:
            if how == "whole":
                events.append(RouteDone(await made.generate(ASK)))
            else:  # an answer that is ready for nobody on the route sends the question on the walk from the start
                ready = {"nobody": ReadyAnswer("m", "text")} if how == "walk" else {}
                async with aclosing(made.stream(ASK, ready_answers=ready)) as stream:
                    async for event in stream:
                        events.append(event)
        except VPAError as exc:
            found.append((type(exc), str(exc)))
        if how != "whole":
            found.append([event for event in events if not isinstance(event, RouteDone)])
        found += [shown(event.response) for event in events if isinstance(event, RouteDone)]
    rows = [(row.provider, row.outcome, row.output_tokens, row.error_class) for row in await made.ledger.rows()]
    standing = {}
    for provider_id in made.provider_ids:
        provider, breaker = made.get_provider(provider_id), made.breaker(provider_id, "mock")
        assert isinstance(provider, ScriptedProvider)
        in_flight = made.line(provider).in_flight, made.health[provider_id].in_flight
        assert in_flight == (0, 0)
        standing[provider_id] = (len(provider.requests), breaker.state, breaker.failures_in_a_row)
    return {"found": found, "rows": rows, "standing": standing}


def shown(answer: LLMResponse) -> tuple[object, ...]:
    """What of an answer does not depend on the clock."""
    lines = [each._replace(ms=0.0, ttft_ms=None) for each in answer.attempts]
    return answer.content, answer.provider, lines, answer.warnings, answer.cost_usd, answer.usage, answer.first_choice


@pytest.mark.parametrize("strategy", ["failover", "fixed", "fastest", "cheapest"])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_the_straight_way_tells_what_the_walk_tells(name: str, strategy: Strategy) -> None:
    script = SCRIPTS[name]
    walked, straight = [await told(drawn(script(), strategy), how) for how in ("walk", "straight")]
    assert straight == walked


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_whole_answer_is_the_same_as_a_streamed_one(name: str) -> None:
    streamed, whole = [await told(manager(*SCRIPTS[name]()), how) for how in ("straight", "whole")]
    streamed["found"] = [each for each in streamed["found"] if not isinstance(each, list)]
    assert whole == streamed


async def test_one_that_opens_its_breaker_on_the_straight_way_stands_on_the_receipt_once() -> None:
    made = manager(
        scripted("a", ProviderUnavailable("a is down", provider="a")),
        good("b"),
        circuit_breaker=BreakerSettings(1, 300),
    )
    first, second = await made.generate(ASK), await made.generate(ASK)
    assert [(each.provider, each.outcome) for each in first.attempts] == [("a", "failed"), ("b", "ok")]
    assert [(each.provider, each.outcome) for each in second.attempts] == [("a", "skipped"), ("b", "ok")]


async def test_when_all_fail_every_provider_was_asked_once() -> None:
    providers = [scripted(each, ProviderUnavailable(f"{each} is down", provider=each)) for each in "abc"]
    with pytest.raises(AllProvidersFailed) as failure:
        await manager(*providers).generate(ASK)
    assert [len(each.requests) for each in providers] == [1, 1, 1]
    assert all(f"{each} is down" in str(failure.value) for each in "abc")
