"""After a limit: say so, ask the cheapest that fits, or ask only this computer; the answer and its receipt tell."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes import ScriptedProvider
from tests.gateway.test_manager import ASK, answer, good, scripted
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import BudgetSettings, RoutingSettings
from vpa_desktop.errors import BudgetExceeded, ProviderUnavailable
from vpa_desktop.gateway.failover import ReadyAnswer
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.gateway.on_limit import may_answer
from vpa_desktop.messages import LLMRequest, RouteDone, StreamDone, TextDelta, Usage

FAR: dict[str, Any] = {"local_only": False, "max_tokens": 100}


def priced(name: str, per_million: int, **more: Any) -> ScriptedProvider:
    return good(name, **{**FAR, **more}, **_prices(per_million))


def _prices(per_million: int) -> dict[str, Any]:
    return {"input_cost_per_million": Decimal(per_million), "output_cost_per_million": Decimal(per_million)}


def limited(on_limit: str, *providers: ScriptedProvider, strategy: str = "failover", **more: Any) -> LLMProviderManager:
    """A manager with a limit of one cent; a token may cost a hundredth of that."""
    made = LLMProviderManager(
        RoutingSettings(strategy=strategy),  # type: ignore[arg-type]
        BudgetSettings(daily_limit_usd=Decimal("0.01"), on_limit=on_limit, **more),  # type: ignore[arg-type]
    )
    for provider in providers:
        made.register_provider(provider.provider_id, provider)
    return made


async def test_the_cheapest_that_fits_goes_on_and_says_why() -> None:
    dear, middle, cheap = priced("dear", 1000), priced("middle", 500), priced("cheap", 10)
    response = await answer(limited("cheapest", dear, middle, cheap, good("here", local_only=True)))
    assert response.provider == "here"  # free
    assert [(a.provider, a.outcome) for a in response.attempts] == [("dear", "skipped"), ("here", "ok")]
    assert response.warnings == ("The daily limit of $0.01 would be passed: the cheapest that fits was asked instead",)
    response = await answer(limited("cheapest", dear, middle, cheap))
    assert response.provider == "cheap"
    assert (dear.requests, middle.requests) == ([], [])


def demonstration() -> ScriptedProvider:
    """The small model that comes with the program, by its configuration."""
    config = LLMProviderConfig("llama_cpp", provider_id="local", max_retries=0)
    return ScriptedProvider(config, [TextDelta("Perhaps."), StreamDone("stop", Usage(10, 2))])


async def test_the_demonstration_model_is_not_the_cheapest_as_long_as_another_fits() -> None:
    dear, cheap = priced("dear", 1000), priced("cheap", 10)
    response = await answer(limited("cheapest", dear, cheap, demonstration()))
    assert response.provider == "cheap"
    response = await answer(limited("cheapest", dear, priced("middle", 500), demonstration()))
    assert response.provider == "local"


@pytest.mark.parametrize("strategy", ["cheapest", "fastest", "weighted"])
async def test_the_demonstration_model_is_asked_last(strategy: str) -> None:
    for _ in range(8):
        made = LLMProviderManager(RoutingSettings(strategy=strategy))  # type: ignore[arg-type]
        for provider in (priced("a", 10), demonstration(), priced("b", 20)):
            made.register_provider(provider.provider_id, provider)
        await made.learn_prices(ASK)
        assert [provider.provider_id for provider in made.route(ASK)][-1] == "local"


async def test_a_demonstration_model_that_somebody_has_put_into_the_chain_is_the_cheapest() -> None:
    made = LLMProviderManager(RoutingSettings(strategy="cheapest", failover_chain=("a", "local")))
    for provider in (priced("a", 10), demonstration()):
        made.register_provider(provider.provider_id, provider)
    await made.learn_prices(ASK)
    assert [provider.provider_id for provider in made.route(ASK)] == ["local", "a"]


async def test_block_asks_nobody_though_a_free_one_is_there() -> None:
    dear, here = priced("dear", 1000), good("here", local_only=True)
    with pytest.raises(BudgetExceeded) as refused:
        await answer(limited("block", dear, here))
    assert refused.value.exit_code == 5
    assert (dear.requests, here.requests) == ([], [])


async def test_local_asks_only_this_computer() -> None:
    dear, cheap, here = priced("dear", 1000), priced("cheap", 10), good("here", local_only=True)
    response = await answer(limited("local", dear, cheap, here))
    assert response.provider == "here"
    assert cheap.requests == []
    assert [(a.provider, a.outcome) for a in response.attempts] == [
        ("dear", "skipped"),
        ("cheap", "skipped"),
        ("here", "ok"),
    ]
    assert response.attempts[1].reason == "only models on this computer are asked after the limit"
    assert response.warnings == (
        "The daily limit of $0.01 would be passed: a model on this computer was asked instead",
    )


@pytest.mark.parametrize("on_limit", ["local", "cheapest"])
async def test_a_route_of_one_still_finds_the_local_model(on_limit: str) -> None:
    made = limited(on_limit, priced("dear", 1000), good("here", local_only=True), strategy="fixed")
    assert (await answer(made)).provider == "here"


async def test_without_a_local_model_the_limit_is_what_is_said() -> None:
    for on_limit in ("local", "cheapest"):
        with pytest.raises(BudgetExceeded):
            await answer(limited(on_limit, priced("dear", 1000), priced("dearer", 2000)))


async def test_the_providers_own_cheaper_model_is_tried_where_another_was_named() -> None:
    config = LLMProviderConfig("openai", "gpt-4o-mini", provider_id="p", max_tokens=400)
    provider = ScriptedProvider(config, [TextDelta("fine"), StreamDone("stop", Usage(10, 2))])
    response = await answer(limited("cheapest", provider), LLMRequest(ASK.messages, model="gpt-4"))
    assert [request.model for request in provider.requests] == [None]
    assert [(a.model, a.outcome) for a in response.attempts] == [("gpt-4", "skipped"), ("gpt-4o-mini", "ok")]


async def test_an_unknown_price_is_no_way_round_a_limit() -> None:
    config = LLMProviderConfig("openai_compatible", "nobody-knows", provider_id="riddle", max_tokens=100)
    riddle = ScriptedProvider(config, [TextDelta("fine"), StreamDone("stop", Usage(10, 2))])
    with pytest.raises(BudgetExceeded, match="price of nobody-knows at riddle is not known"):
        await answer(limited("block", riddle))
    response = await answer(limited("cheapest", riddle, good("here", local_only=True)))
    assert response.provider == "here"
    assert riddle.requests == []
    response = await answer(limited("block", riddle, unknown_price="allow"))
    assert response.provider == "riddle"
    assert response.cost_usd is None
    assert response.warnings == (
        "The price of nobody-knows at riddle is not known: what this answer costs does not count towards your limit",
    )


async def test_leave_to_pass_the_limit_asks_the_first() -> None:
    dear = priced("dear", 1000)
    made = limited("block", dear)
    response = await answer(made, LLMRequest(ASK.messages, over_limit=True))
    assert response.provider == "dear"
    assert response.warnings[0] == "This answer was sent past your daily limit of $0.01, as you asked"
    with pytest.raises(BudgetExceeded):
        await answer(made)


async def test_a_share_that_was_reached_is_said_on_the_answer() -> None:
    made = LLMProviderManager(budget=BudgetSettings(daily_limit_usd=Decimal(1), warn_at=(0.00001,)))
    made.register_provider("p", priced("p", 10))
    assert (await answer(made)).warnings == ("$0.00012 of your daily limit of $1.00 is spent (0 %)",)
    assert (await answer(made)).warnings == ()


async def test_who_may_answer_after_a_limit_is_known_before_so_that_documents_are_made_ready_for_it() -> None:
    dear, here = priced("dear", 1000), good("here", local_only=True)
    for on_limit, expected in (("block", ["dear"]), ("local", ["dear", "here"]), ("cheapest", ["dear", "here"])):
        made = limited(on_limit, dear, here, strategy="fixed")
        assert [p.provider_id for p in may_answer(made, made.route(ASK))] == expected
    made.budget.set_limits(None, None)
    assert [p.provider_id for p in may_answer(made, made.route(ASK))] == ["dear"]


@pytest.mark.parametrize("on_limit", ["local", "cheapest"])
async def test_a_local_model_with_a_price_of_its_own_is_refused_once_and_that_is_the_end(on_limit: str) -> None:
    at_home = priced("at-home", 1000, local_only=True)
    made = limited(on_limit, priced("dear", 1000), at_home, strategy="fixed")
    made.routing = replace(made.routing, fallback_enabled=False)
    with pytest.raises(BudgetExceeded):
        await asyncio.wait_for(answer(made), 2)
    assert at_home.requests == []


async def test_what_a_first_provider_had_cost_and_the_limit_stay_on_an_answer_from_the_documents() -> None:
    broke = scripted(
        "dear", TextDelta("half "), ProviderUnavailable("gone", usage=Usage(10, 2)), **FAR, **_prices(1000)
    )
    here = good("here", local_only=True)
    made = limited("block", broke, here, strategy="failover")
    made.set_cost_limit(100)
    ready = {"here": ReadyAnswer("extract", "from the documents")}
    async with aclosing(made.stream(ASK, ready_answers=ready)) as events:
        done = [event async for event in events if isinstance(event, RouteDone)]
    (row,) = await made.ledger.rows()
    assert row.cost_usd
    assert done[0].response.cost_usd == row.cost_usd

    made = limited("local", priced("dear", 1000), here)
    async with aclosing(made.stream(ASK, ready_answers=ready)) as events:
        done = [event async for event in events if isinstance(event, RouteDone)]
    assert "asked instead" in done[0].response.warnings[0]


@pytest.mark.parametrize("on_limit", ["local", "cheapest"])
async def test_a_model_that_ollama_hands_on_is_not_one_of_this_computer(on_limit: str) -> None:
    handed_on = ScriptedProvider(
        LLMProviderConfig("ollama", "gpt-oss:120b-cloud", provider_id="o"), [TextDelta("leak")]
    )
    made = limited(on_limit, priced("dear", 1000), handed_on)
    made.routing = replace(made.routing, fallback_enabled=False)
    with pytest.raises(BudgetExceeded):
        await answer(made)
    assert handed_on.requests == []
