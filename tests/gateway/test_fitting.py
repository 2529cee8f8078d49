"""What is sent fits the model: its window, its longest answer, what it can see. Counted exactly where it matters."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes import ScriptedProvider
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.config import BudgetSettings, RoutingSettings
from vpa_desktop.errors import BudgetExceeded, ProviderUnavailable, RequestRejected
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import (
    ImageData,
    LLMRequest,
    LLMResponse,
    Message,
    StreamDone,
    TextDelta,
    ToolCall,
    ToolSpec,
    Usage,
)

PICTURE = ImageData("image/png", b"\x89PNG")


def turns(count: int, words: int) -> tuple[Message, ...]:
    """Instructions, then question and answer in turn, the last a question; each of so many tokens of gpt-4."""
    said = [Message("system", "Be brief.")]
    said += [Message("user" if n % 2 == 0 else "assistant", f"{n}" + " word" * words) for n in range(count)]
    return tuple(said)


def provider(kind: str, model: str, provider_id: str = "p", **facts: Any) -> ScriptedProvider:
    config = LLMProviderConfig(kind, model, provider_id=provider_id, max_retries=0, **facts)
    return ScriptedProvider(config, [TextDelta("fine"), StreamDone("stop", Usage(10, 2))])


async def sent(to: ScriptedProvider, request: LLMRequest) -> LLMRequest:
    """The request as the provider got it."""
    await answered(LLMProviderManager(), request, to)
    return to.requests[0]


async def answered(manager: LLMProviderManager, request: LLMRequest, *route: ScriptedProvider) -> LLMResponse:
    for each in route:
        manager.register_provider(each.provider_id, each)
    return await manager.generate(request)


async def test_old_turns_are_left_out_to_fit_the_window_of_the_model_that_is_asked() -> None:
    said = turns(21, 800)
    small = await sent(provider("openai", "gpt-4"), LLMRequest(said))  # 8,192 tokens
    assert small.messages[0].role == "system"
    assert small.messages[1].role == "user"
    assert small.messages[-1] == said[-1]
    assert (
        len(small.messages) == 2 + 6 + 1 - 1
    )  # eight turns of some 806 tokens beside 1,024 for the answer; they begin with a question
    large = await sent(provider("openai", "gpt-6-luna"), LLMRequest(said))
    assert large.messages == said
    asked = await sent(provider("openai", "gpt-6-luna"), LLMRequest(said, model="gpt-4"))
    assert len(asked.messages) == len(small.messages)


async def test_the_window_the_person_set_wins_over_the_table() -> None:
    said = turns(9, 200)
    fitted = await sent(provider("openai", "gpt-6-luna", context_tokens=2_000), LLMRequest(said))
    assert len(fitted.messages) < len(said)
    unknown = await sent(provider("openai_compatible", "who-knows", api_endpoint="http://h/v1"), LLMRequest(said))
    assert unknown.messages == said


async def test_a_running_tool_loop_is_not_cut_apart() -> None:
    call = ToolCall("1", "look", "{}")
    loop = (
        *turns(5, 400)[:-1],
        Message("user", "Now look" + " word" * 400),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "found" + " word" * 400, tool_call_id="1"),
    )
    fitted = await sent(provider("openai", "gpt-4", context_tokens=1_500), LLMRequest(loop))
    assert [m.role for m in fitted.messages] == ["system", "user", "assistant", "tool"]


async def test_no_longer_an_answer_is_asked_for_than_the_model_can_give() -> None:
    manager = LLMProviderManager()
    manager.model_info = lambda config, model: ModelInfo(model, max_output_tokens=4_096)
    to = provider("openai", "m", max_tokens=100_000)
    await answered(manager, LLMRequest((Message("user", "Hi"),)), to)
    await answered(manager, LLMRequest((Message("user", "Hi"),), max_tokens=50), to)
    assert [r.max_tokens for r in to.requests] == [4_096, 50]


async def test_the_only_one_that_can_see_is_asked_though_it_failed_before() -> None:
    manager = LLMProviderManager(RoutingSettings(failover_chain=("seeing", "blind")))
    manager.model_info = lambda config, model: ModelInfo(model, images=model != "blind")
    seeing, blind = provider("openai", "sees", "seeing"), provider("openai", "blind", "blind")
    await answered(manager, LLMRequest((Message("user", "?"),)), seeing, blind)
    for _ in range(5):
        manager.breaker("seeing", "sees").failure("down")
    response = await manager.generate(LLMRequest((Message("user", "?", (PICTURE,)),)))
    assert (response.provider, blind.requests) == ("seeing", [])
    assert [(each.provider, each.outcome) for each in response.attempts] == [("blind", "skipped"), ("seeing", "ok")]
    assert response.attempts[0].reason == "blind cannot see images"


async def test_images_are_refused_before_sending_where_the_model_cannot_see() -> None:
    manager = LLMProviderManager(RoutingSettings(default_provider="p"))
    manager.model_info = lambda config, model: ModelInfo(model, images=model != "blind" and None)
    to, other = provider("openai", "blind"), provider("openai", "who-knows", "q")
    question = LLMRequest((Message("user", "What is this?", (PICTURE,)),))
    with pytest.raises(RequestRejected, match="not sent") as caught:
        await answered(manager, question, to)
    assert "blind cannot see images" in str(caught.value)
    assert to.requests == []
    assert (await answered(manager, LLMRequest((Message("user", "Hi"),)), to)).provider == "p"
    seen = await answered(manager, question, to, other)
    assert [(a.provider, a.outcome) for a in seen.attempts] == [("p", "skipped"), ("q", "ok")]


async def test_a_blind_fallback_is_passed_over_and_the_receipt_says_why() -> None:
    manager = LLMProviderManager(RoutingSettings(failover_chain=("p", "blind", "q")))
    manager.model_info = lambda config, model: ModelInfo(model, images=False if model == "blind" else None)
    broken = provider("openai", "m")
    broken.events = [ProviderUnavailable("down", provider="p")]
    blind, last = provider("openai", "blind", "blind"), provider("openai", "m", "q")
    question = LLMRequest((Message("user", "What is this?", (PICTURE,)),))
    response = await answered(manager, question, broken, blind, last)
    assert [(a.provider, a.outcome) for a in response.attempts] == [("p", "failed"), ("blind", "skipped"), ("q", "ok")]
    assert response.attempts[1].reason == "blind cannot see images"


async def test_tokens_are_counted_before_a_limit_refuses_what_an_estimate_made_too_dear() -> None:
    # 20,000 letters in one go are few tokens; the fast estimate, a quarter on top, takes them for many.
    dear: dict[str, Any] = {"input_cost_per_million": Decimal(1), "output_cost_per_million": Decimal(0)}
    question = LLMRequest((Message("user", "a" * 28_000),))
    manager = LLMProviderManager(budget=BudgetSettings(daily_limit_usd=Decimal("0.005")))
    assert (await answered(manager, question, provider("openai", "gpt-4o", **dear))).content == "fine"
    unknown = LLMProviderManager(budget=BudgetSettings(daily_limit_usd=Decimal("0.005")))
    with pytest.raises(BudgetExceeded):
        await answered(unknown, question, provider("openai", "no-tokenizer", **dear))


async def test_half_a_count_is_completed_with_an_estimate_that_says_so() -> None:
    to = provider("openai", "gpt-6-luna")
    to.events = [TextDelta("fine"), StreamDone("stop", Usage(output_tokens=9))]
    usage = (await answered(LLMProviderManager(), LLMRequest((Message("user", "Hi there"),)), to)).usage
    assert (usage.output_tokens, usage.estimated) == (9, True)
    assert usage.input_tokens


async def test_functions_are_not_offered_to_a_model_that_cannot_call_them() -> None:
    manager = LLMProviderManager(RoutingSettings(failover_chain=("p", "q")))
    manager.model_info = lambda config, model: ModelInfo(model, tools=model != "plain" and None)
    plain, able = provider("openai", "plain"), provider("openai", "who-knows", "q")
    question = LLMRequest((Message("user", "What time is it?"),), tools=(ToolSpec("clock", "The time", {}),))
    with pytest.raises(RequestRejected, match="plain cannot call functions"):
        await answered(manager, question, plain)
    response = await answered(manager, question, able)
    assert [(a.provider, a.outcome) for a in response.attempts] == [("p", "skipped"), ("q", "ok")]
    assert response.attempts[0].reason == "plain cannot call functions"
    assert plain.requests == []
    assert (await answered(manager, LLMRequest((Message("user", "Hi"),)))).provider == "p"


def small_and_large(
    small: str = "gpt-4", **large: Any
) -> tuple[LLMProviderManager, ScriptedProvider, ScriptedProvider]:
    """A model with a small window, asked first, and another after it."""
    manager = LLMProviderManager(RoutingSettings(failover_chain=("p", "q")))
    return (
        manager,
        provider("openai", small),
        provider("openai_compatible", "big", "q", api_endpoint="http://h", **large),
    )


async def test_a_question_that_cannot_fit_the_first_model_goes_to_a_larger_window() -> None:
    manager, small, large = small_and_large(context_tokens=100_000)
    asked = LLMRequest((*turns(4, 50), Message("user", "Sum this up:" + " word" * 9_000)))  # gpt-4 reads 8,192
    response = await answered(manager, asked, small, large)
    assert [(a.provider, a.outcome) for a in response.attempts] == [("p", "skipped"), ("q", "ok")]
    assert "more than gpt-4 reads at once" in response.attempts[0].reason
    assert small.requests == []


async def test_old_turns_are_left_out_before_another_model_is_asked() -> None:
    manager, small, large = small_and_large(context_tokens=100_000)
    response = await answered(manager, LLMRequest(turns(21, 800)), small, large)
    assert [(a.provider, a.outcome) for a in response.attempts] == [("p", "ok")]
    assert large.requests == []


async def test_a_question_that_nobody_on_the_route_is_known_to_take_is_asked_where_it_was_meant_for() -> None:
    question = LLMRequest((Message("user", "Sum this up:" + " word" * 9_000),))
    for window in (None, 4_000):
        manager, small, large = small_and_large(context_tokens=window)
        assert (await answered(manager, question, small, large)).provider == "p"


async def test_an_estimate_that_may_be_wrong_turns_nobody_away() -> None:
    manager, small, large = small_and_large("who-knows", context_tokens=100_000)
    small.config = replace(small.config, context_tokens=8_000)
    near = LLMRequest((Message("user", "Sum this up:" + " word" * 6_000),))  # some 8,500 by the estimate
    assert (await answered(manager, near, small, large)).provider == "p"
    far = LLMRequest((Message("user", "Sum this up:" + " word" * 12_000),))
    assert (await answered(manager, far, small, large)).provider == "q"
