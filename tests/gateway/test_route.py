"""What one provider's trouble means for another: whose model is asked, who is asked at all, what stops a route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from tests.fakes import FakeClock, ScriptedProvider
from tests.gateway.test_manager import ASK, answer, collect, config, good, manager, scripted
from vpa_desktop.assistant.integration import EnhancedLLMIntegration
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.config import BreakerSettings, CacheSettings, RoutingSettings, Settings
from vpa_desktop.errors import (
    AllProvidersFailed,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
)
from vpa_desktop.gateway.answer_cache import AnswerCache
from vpa_desktop.gateway.answer_desk import AnswerDesk
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import (
    Carry,
    EnhancedLLMRequest,
    FinishReason,
    ImageData,
    LLMRequest,
    Message,
    RouteDone,
    StreamDone,
    StreamEvent,
    TextDelta,
    Usage,
)

SPECIAL = LLMRequest(ASK.messages, model="special-of-a")
ONE_FAILURE = BreakerSettings(1, 300)


def models_of(provider: ScriptedProvider) -> list[str | None]:
    return [request.model for request in provider.requests]


def down(provider_id: str) -> ScriptedProvider:
    return scripted(provider_id, ProviderUnavailable(f"{provider_id} is down", provider=provider_id))


# Whose model


async def test_while_the_named_provider_is_paused_the_fallback_is_not_asked_for_its_model() -> None:
    a, b = scripted("a", RateLimited("slow", provider="a", retry_after_s=600)), good("b")
    made = manager(a, b)
    for _ in range(2):
        assert (await answer(made, SPECIAL, "a")).provider == "b"
    assert models_of(a) == ["special-of-a"]
    assert models_of(b) == [None, None]


@pytest.mark.parametrize("default", ["a", ""])
async def test_load_balancing_sends_the_default_model_to_nobody_but_its_provider(default: str) -> None:
    a, b = good("a"), good("b")
    made = manager(a, b, default_provider=default, strategy="weighted")
    for n in range(40):
        await answer(made, LLMRequest(ASK.messages, model="special-of-a", conversation_id=f"c{n}"))
    assert set(models_of(a)) == {"special-of-a"}
    assert set(models_of(b)) == {None}


async def test_a_question_takes_the_settings_model_to_the_default_provider_only() -> None:
    a, b = scripted("a", RateLimited("slow", provider="a", retry_after_s=600)), good("b")
    made = manager(b, a, default_provider="a")
    settings = Settings(default_model="special-of-a", cache=CacheSettings(enabled=False))
    assistant = EnhancedLLMIntegration(made, lambda: settings)
    for _ in range(2):
        response = await assistant.generate_enhanced_response(EnhancedLLMRequest("Hello"))
        assert (response.provider, response.model) == ("b", "mock")
    assert models_of(a) == ["special-of-a"]
    assert models_of(b) == [None, None]


async def test_a_refusal_of_one_model_leaves_the_providers_other_models_alone() -> None:
    a = scripted("a", RateLimited("slow", provider="a", retry_after_s=600))
    made = manager(a, good("b"))
    await answer(made, SPECIAL, "a")
    await answer(made, ASK, "a")
    assert models_of(a) == ["special-of-a", None]
    await answer(made, SPECIAL, "a")
    assert len(a.requests) == 2


async def test_failures_of_one_model_open_no_breaker_of_another() -> None:
    made = manager(down("a"), good("b"), circuit_breaker=ONE_FAILURE)
    await answer(made, SPECIAL, "a")
    assert made.breaker("a", "special-of-a").state == "open"
    assert made.breaker("a", "mock").state == "closed"


# Who is asked


async def test_when_every_breaker_of_two_is_open_the_least_bad_is_asked() -> None:
    a, b = down("a"), down("b")
    made = manager(a, b, circuit_breaker=ONE_FAILURE)
    with pytest.raises(AllProvidersFailed):
        await collect(made)
    a.events = [TextDelta("well again"), StreamDone("stop", Usage(1, 1))]
    assert (await answer(made)).content == "well again"
    assert len(b.requests) == 1


class Gated(ScriptedProvider):
    """Answers when ``gate`` is set; ``most_at_once`` is how many were under way together."""

    def __init__(self, config: LLMProviderConfig) -> None:
        super().__init__(config, [TextDelta("fine"), StreamDone("stop", Usage(1, 1))])
        self.gate = asyncio.Event()
        self.under_way = self.most_at_once = 0

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        await self.gate.wait()
        async for event in super().stream(request):
            yield event
        self.under_way -= 1


async def test_askers_at_once_go_out_beside_the_probe_where_nobody_else_can_answer() -> None:
    clock = FakeClock()
    made = LLMProviderManager(RoutingSettings(circuit_breaker=ONE_FAILURE), clock=clock)
    probed, dead = Gated(config("a")), down("b")
    made.register_provider("a", probed)
    made.register_provider("b", dead)
    made.breaker("a", "mock").failure()
    made.breaker("b", "mock").failure()
    clock.advance(5)
    made.breaker("b", "mock").acquire()
    made.breaker("b", "mock").failure()
    asked = [asyncio.create_task(answer(made)) for _ in range(5)]
    for _ in range(100):
        await asyncio.sleep(0.005)
        if probed.under_way == 5:
            break
    probed.gate.set()
    assert [response.provider for response in await asyncio.gather(*asked)] == ["a"] * 5
    assert dead.requests == []


# What stops


async def test_a_skip_neither_stops_nor_repeats_for_what_another_had_said() -> None:
    clock = FakeClock()
    made = LLMProviderManager(RoutingSettings(circuit_breaker=ONE_FAILURE), clock=clock)
    blind, busy, fine = good("a", model="blind"), good("b"), good("c")
    for provider in (blind, busy, fine):
        made.register_provider(provider.provider_id, provider)
    made.model_info = lambda config, model: ModelInfo(model, images=model != "blind")
    made.breaker("b", "mock").failure()
    clock.advance(5)
    assert made.breaker("b", "mock").acquire()
    response = await answer(made, LLMRequest((Message("user", "What is it?", (ImageData("image/png", b"x"),)),)))
    assert response.provider == "c"
    assert [a.outcome for a in response.attempts] == ["skipped", "skipped", "ok"]


@pytest.mark.parametrize(
    "refusal",
    [
        RequestRejected("no", "It answered 400", status=400),
        RequestRejected("no", "It answered 400", status=400, code="invalid_request_error"),
        RequestRejected("no", "It answered 400", status=400, code="INVALID_ARGUMENT"),
        RequestRejected("no", "It answered 400", status=400, param="model"),
        RequestRejected("no", "It answered 400", status=400, code="unsupported_value", param="temperature"),
    ],
    ids=["bare", "type only", "Gemini's word for everything", "its model", "its model's abilities"],
)
async def test_a_400_that_may_be_about_the_provider_goes_on_to_the_next(refusal: RequestRejected) -> None:
    assert (await answer(manager(scripted("a", refusal), good("b")))).provider == "b"


@pytest.mark.parametrize(
    "refusal",
    [
        RequestRejected("no", status=400, code="unknown_parameter"),
        RequestRejected("no", status=400, param="messages[0].content"),
    ],
)
async def test_a_400_that_is_the_callers_stops(refusal: RequestRejected) -> None:
    second = good("b")
    with pytest.raises(RequestRejected):
        await collect(manager(scripted("a", refusal), second))
    assert second.requests == []


async def test_where_all_refuse_the_request_the_first_refusal_is_shown() -> None:
    made = manager(*(scripted(name, RequestRejected(f"{name} says no", status=400)) for name in "abc"))
    with pytest.raises(RequestRejected, match="a says no"):
        await collect(made)


# Endings


@pytest.mark.parametrize("finish", ["pause", "continue"])
async def test_an_answer_that_stopped_before_its_end_says_so_and_is_not_kept(finish: FinishReason) -> None:
    provider = scripted("a", TextDelta("The first part"), StreamDone(finish, Usage(3, 3)))
    desk = AnswerDesk(manager(provider), AnswerCache(CacheSettings))
    for _ in range(2):
        async with aclosing(desk.stream(ASK)) as events:
            last = [event async for event in events][-1]
        assert isinstance(last, RouteDone)
        assert last.response.content == "The first part"
        assert "may not be whole" in " ".join(last.response.warnings)
    assert len(provider.requests) == 2


async def test_what_the_provider_wants_back_is_handed_on() -> None:
    carry = Carry("anthropic", "m", ({"type": "thinking"},))
    response = await answer(manager(scripted("a", TextDelta("x"), StreamDone("stop", Usage(1, 1), carry=carry))))
    assert response.carry == carry
