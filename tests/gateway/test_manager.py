"""The gateway answers whatever fails: order, failover, seams, receipts, and what must not be routed around."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes import FakeClock, ScriptedProvider
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import BreakerSettings, BudgetSettings, RoutingSettings
from vpa_desktop.errors import (
    AllProvidersFailed,
    AuthenticationFailed,
    BudgetExceeded,
    ContentBlocked,
    PolicyRefused,
    ProviderUnavailable,
    RateLimited,
    RequestRejected,
    StreamInterrupted,
)
from vpa_desktop.gateway.failover import ReadyAnswer
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import (
    EnhancedLLMRequest,
    GatewayEvent,
    LLMRequest,
    LLMResponse,
    Message,
    RouteDone,
    Seam,
    StreamDone,
    StreamEvent,
    TextDelta,
    Usage,
)
from vpa_desktop.providers.mock import MockProvider, MockReply

ASK = LLMRequest((Message("user", "Hello"),), conversation_id="c1")


def config(provider_id: str, **facts: object) -> LLMProviderConfig:
    return LLMProviderConfig("mock", provider_id=provider_id, max_retries=0, **facts)  # type: ignore[arg-type]


def scripted(provider_id: str, *events: StreamEvent | Exception, **facts: object) -> ScriptedProvider:
    return ScriptedProvider(config(provider_id, **facts), events)


def good(provider_id: str, text: str = "fine", **facts: object) -> ScriptedProvider:
    return scripted(provider_id, TextDelta(text), StreamDone("stop", Usage(10, 2)), **facts)


def manager(*providers: ScriptedProvider | MockProvider, **routing: object) -> LLMProviderManager:
    made = LLMProviderManager(RoutingSettings(**routing), clock=FakeClock())  # type: ignore[arg-type]
    for provider in providers:
        made.register_provider(provider.provider_id, provider)
    return made


async def collect(
    made: LLMProviderManager, request: LLMRequest = ASK, provider: str | None = None
) -> list[GatewayEvent]:
    async with aclosing(made.stream(request, provider=provider)) as events:
        return [event async for event in events]


async def answer(made: LLMProviderManager, request: LLMRequest = ASK, provider: str | None = None) -> LLMResponse:
    last = (await collect(made, request, provider))[-1]
    assert isinstance(last, RouteDone)
    return last.response


async def test_a_receipt_keeps_the_step_that_helps_and_not_the_advice_to_wait() -> None:
    busy = scripted("a", RateLimited("a takes no more requests", "It answered 429", "Try again in a minute"))
    keyless = scripted("b", AuthenticationFailed("b refused the key", "It answered 401", "Check the key in Settings"))
    made = manager(busy, keyless, good("c"))
    assert [a.reason for a in (await answer(made)).attempts] == [
        "a takes no more requests. It answered 429.",
        "b refused the key. It answered 401. Check the key in Settings.",
        "",
    ]
    with pytest.raises(RateLimited, match="a takes") as alone:
        await answer(manager(scripted("a", RateLimited("a takes no more", "", "Try again in a minute"))))
    assert alone.value.next_step == "Try again in a minute"


async def test_a_failure_before_the_first_token_is_silent_and_on_the_receipt() -> None:
    down = scripted("a", ProviderUnavailable("a is down", provider="a"))
    events = await collect(manager(down, good("b")))
    assert not any(isinstance(e, Seam) for e in events)
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["fine"]
    done = events[-1]
    assert isinstance(done, RouteDone)
    assert [(a.provider, a.outcome) for a in done.response.attempts] == [("a", "failed"), ("b", "ok")]
    assert "a is down" in done.response.attempts[0].reason


async def test_an_answer_that_breaks_off_goes_on_with_the_next_provider_and_the_seam_is_marked() -> None:
    broken = scripted("a", TextDelta("The first half"), StreamInterrupted("cut", provider="a"))
    second = good("b", " and the second.")
    events = await collect(manager(broken, second))
    seams = [e for e in events if isinstance(e, Seam)]
    assert [(s.from_provider, s.to_provider) for s in seams] == [("a", "b")]
    done = events[-1]
    assert isinstance(done, RouteDone)
    assert done.response.content == "The first half and the second."
    assert second.requests[0].messages[-2] == Message("assistant", "The first half")


async def test_it_stops_instead_where_the_person_chose_so_and_the_text_is_kept() -> None:
    broken = scripted("a", TextDelta("Half"), StreamInterrupted("cut", provider="a"))
    second = good("b")
    with pytest.raises(StreamInterrupted) as caught:
        await collect(manager(broken, second, continue_after_break=False))
    assert caught.value.partial == "Half"
    assert second.requests == []


@pytest.mark.parametrize("error", [RequestRejected("bad argument", code="invalid_value"), ContentBlocked("filtered")])
async def test_the_callers_own_mistake_and_a_filter_are_not_routed_around(error: Exception) -> None:
    second = good("b")
    with pytest.raises(type(error)):
        await collect(manager(scripted("a", error), second))
    assert second.requests == []


async def test_a_wrong_key_moves_on_and_all_failures_are_named() -> None:
    first = scripted("a", AuthenticationFailed("a refused the key", provider="a"))
    second = scripted("b", ProviderUnavailable("b does not answer", provider="b"))
    with pytest.raises(AllProvidersFailed) as caught:
        await collect(manager(first, second))
    assert "a refused the key" in str(caught.value)
    assert "b does not answer" in str(caught.value)
    assert caught.value.exit_code == 4


async def test_a_dead_primary_is_left_alone_and_found_again_after_it_recovers() -> None:
    clock = FakeClock()
    made = LLMProviderManager(RoutingSettings(circuit_breaker=BreakerSettings(5, 300)), clock=clock)
    primary = scripted("a", ProviderUnavailable("down", provider="a"))
    made.register_provider("a", primary)
    made.register_provider("b", good("b"))
    for _ in range(60):
        assert (await answer(made)).provider == "b"
    assert len(primary.requests) == 5
    primary.events = [TextDelta("back"), StreamDone("stop", Usage(1, 1))]
    clock.advance(5)
    assert (await answer(made)).provider == "a"


async def test_when_every_breaker_is_open_the_least_bad_is_still_tried() -> None:
    made = manager(scripted("a", ProviderUnavailable("down", provider="a")))
    for _ in range(7):
        with pytest.raises(ProviderUnavailable):
            await collect(made)
    provider = made.get_provider("a")
    assert isinstance(provider, ScriptedProvider)
    assert len(provider.requests) == 7


async def test_the_named_provider_comes_first_with_its_model_and_a_fallback_uses_its_own() -> None:
    first, second = scripted("a", ProviderUnavailable("down", provider="a")), good("b", model="b-model")
    made = manager(second, first)
    response = await answer(made, LLMRequest(ASK.messages, model="gpt-4"), provider="a")
    assert response.provider == "b"
    assert first.requests[0].model == "gpt-4"
    assert second.requests[0].model is None


async def test_local_only_never_leaves_the_machine_and_refuses_rather_than_leak() -> None:
    cloud = good("cloud", local_only=False)
    local = scripted("here", ProviderUnavailable("not loaded", provider="here"), local_only=True)
    with pytest.raises(ProviderUnavailable):
        await collect(manager(cloud, local), LLMRequest(ASK.messages, local_only=True))
    with pytest.raises(PolicyRefused):
        await collect(manager(cloud), LLMRequest(ASK.messages, local_only=True))
    assert cloud.requests == []


async def test_a_limit_blocks_before_anything_is_sent_or_falls_to_the_local_model() -> None:
    def limited(on_limit: str) -> tuple[LLMProviderManager, ScriptedProvider]:
        paid = good(
            "paid", local_only=False, input_cost_per_million=Decimal(1000), output_cost_per_million=Decimal(1000)
        )
        made = LLMProviderManager(
            budget=BudgetSettings(daily_limit_usd=Decimal("0.01"), on_limit=on_limit)  # type: ignore[arg-type]
        )
        made.register_provider("paid", paid)
        made.register_provider("here", good("here", local_only=True))
        return made, paid

    made, paid = limited("block")
    with pytest.raises(BudgetExceeded):
        await collect(made)
    assert paid.requests == []
    made, paid = limited("local")
    assert (await answer(made)).provider == "here"
    assert paid.requests == []


async def test_costs_are_booked_for_what_was_answered_and_nothing_for_a_refusal() -> None:
    priced: dict[str, Any] = {
        "local_only": False,
        "input_cost_per_million": Decimal(2),
        "output_cost_per_million": Decimal(10),
    }
    made = manager(scripted("a", ProviderUnavailable("down", provider="a"), **priced), good("b", **priced))
    response = await answer(made)
    assert response.cost_usd == Decimal("0.00004")
    stats = await made.get_cost_statistics()
    assert stats["daily_cost"] == Decimal("0.00004")


async def test_stopping_closes_the_providers_stream_and_is_no_failure() -> None:
    slow = MockProvider(config("a"), script=[MockReply("one two three", piece_delay_s=5)])
    made = manager(slow)
    async with aclosing(made.stream(ASK)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    assert (await made.get_provider_stats())["a"]["success_rate"] is None
    rows = await made.ledger.rows()
    assert [r.outcome for r in rows] == ["cancelled"]
    assert made.breaker("a", slow.model).state == "closed"


async def test_a_task_that_is_cancelled_mid_answer_is_booked_too() -> None:
    made = manager(MockProvider(config("a"), script=[MockReply("one two", piece_delay_s=30)]))
    task = asyncio.create_task(collect(made))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [r.outcome for r in await made.ledger.rows()] == ["cancelled"]


async def test_a_ready_answer_stands_in_for_its_provider_only() -> None:
    made = manager(scripted("a", ProviderUnavailable("down", provider="a")), good("b"))
    async with aclosing(made.stream(ASK, ready_answers={"b": ReadyAnswer("extracts", "From the file.")})) as events:
        done = [e async for e in events][-1]
    assert isinstance(done, RouteDone)
    assert (done.response.content, done.response.model) == ("From the file.", "extracts")


async def test_weights_spread_conversations_and_keep_each_where_it_is() -> None:
    made = manager(good("a"), good("b"))
    made.load_balancing_enabled = True
    made.set_provider_weights({"a": 0.75, "b": 0.25})
    used = [(await answer(made, LLMRequest(ASK.messages, conversation_id=f"c{n}"))).provider for n in range(200)]
    assert 0.6 < used.count("a") / 200 < 0.9
    again = [(await answer(made, LLMRequest(ASK.messages, conversation_id=f"c{n}"))).provider for n in range(200)]
    assert again == used


async def test_the_last_provider_is_retried_and_the_others_are_not() -> None:
    flaky = ScriptedProvider(LLMProviderConfig("mock", provider_id="a", max_retries=1), [])
    flaky.events = [ProviderUnavailable("down", provider="a", retry_after_s=0)]
    with pytest.raises(AllProvidersFailed):
        await collect(manager(flaky))
    assert len(flaky.requests) == 2


async def test_a_provider_that_gives_up_in_good_order_is_no_whole_answer() -> None:
    made = manager(scripted("a", TextDelta("Half"), StreamDone("error")), good("b", " and half"))
    response = await answer(made)
    assert response.content == "Half and half"
    assert [a.outcome for a in response.attempts] == ["interrupted", "ok"]


async def test_old_turns_are_left_out_to_fit_a_small_window() -> None:
    small = good("a")
    small.context_tokens = 1_200
    turns = [
        Message("system", "Be kind"),
        *(Message("user", "word " * 200) for _ in range(9)),
        Message("user", "Last?"),
    ]
    await answer(manager(small), LLMRequest(tuple(turns), max_tokens=200))
    sent = small.requests[0].messages
    assert sent[0].content == "Be kind"
    assert sent[-1].content == "Last?"
    assert 2 < len(sent) < len(turns)


async def test_the_quick_start_asks_by_provider_kind_and_says_when_it_is_not_there() -> None:
    made = manager(good("local", "An answer."))
    response = await made.generate_enhanced_response(
        EnhancedLLMRequest(user_query="What is AI?", user_id="user123", use_rag=True, provider="openai", model="gpt-4")
    )
    assert response.content == "An answer."
    assert any("no provider openai" in w for w in response.warnings)


def priced(provider_id: str, dollars_in: int, dollars_out: int, tokens_out: int) -> ScriptedProvider:
    """A provider with prices per million tokens, whose answers have so many."""
    answers = (TextDelta("fine"), StreamDone("stop", Usage(10, tokens_out)))
    costs = {"input_cost_per_million": Decimal(dollars_in), "output_cost_per_million": Decimal(dollars_out)}
    return scripted(provider_id, *answers, **costs)


async def test_the_cheapest_is_the_one_whose_usual_answer_to_this_question_costs_least() -> None:
    thinker, brief = priced("thinker", 1, 4, 2_000), priced("brief", 2, 8, 100)
    made = manager(thinker, brief, strategy="cheapest")
    assert (await answer(made)).provider == "thinker"  # half the price, and nothing is known of its answers
    assert (await answer(made, provider="brief")).provider == "brief"
    assert (await answer(made)).provider == "brief"  # twenty times as many tokens are not cheap at half the price
    long = LLMRequest((Message("user", "word " * 40_000),))
    assert (await answer(made, long)).provider == "thinker"  # here the question costs more than any answer


async def test_what_an_unknown_provider_answers_is_taken_to_be_as_long_as_elsewhere() -> None:
    made = manager(priced("a", 1, 1, 5_000), priced("b", 3, 1, 5_000), strategy="cheapest")
    await answer(made)
    assert (await answer(made)).provider == "a"
