"""What an attempt is booked at, what is set aside for it before, and who counts as free or cheap."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes import ScriptedProvider
from tests.gateway.test_manager import ASK, answer, collect, config, good, manager, scripted
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.config import BudgetSettings, RoutingSettings
from vpa_desktop.errors import BudgetExceeded, ProviderUnavailable, StreamInterrupted, VPAError
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import LLMRequest, ReasoningDelta, StreamDone, StreamEvent, TextDelta, Usage
from vpa_desktop.providers import build_provider
from vpa_desktop.records import UsageRow

PRICED: dict[str, Any] = {"input_cost_per_million": Decimal(1), "output_cost_per_million": Decimal(10)}
LONG = "lorem ipsum dolor " * 2_500


async def booked(*events: StreamEvent | Exception) -> UsageRow:
    made = manager(scripted("a", *events, **PRICED))
    with suppress(VPAError):
        await collect(made)
    (row,) = await made.ledger.rows()
    return row


async def test_an_answer_that_broke_off_costs_its_text_where_only_its_beginning_was_counted() -> None:
    row = await booked(TextDelta(LONG), StreamInterrupted("cut", provider="a", usage=Usage(1_000, 1)))
    assert row.input_tokens == 1_000
    assert row.output_tokens is not None
    assert row.output_tokens > 5_000
    assert row.estimated
    assert row.cost_usd is not None
    assert row.cost_usd > Decimal("0.05")


async def test_a_count_that_is_missing_is_estimated_from_the_text() -> None:
    row = await booked(ReasoningDelta(LONG), StreamInterrupted("cut", provider="a", usage=Usage(1_000, None)))
    assert row.output_tokens is not None
    assert row.output_tokens > 5_000
    assert row.cost_usd is not None


@pytest.mark.parametrize("counted", [Usage(0, 0), Usage(1_000, 0), Usage(0, 9_000)])
async def test_a_server_that_counts_nothing_is_not_free(counted: Usage) -> None:
    row = await booked(TextDelta(LONG), StreamDone("stop", counted))
    assert row.outcome == "ok"
    assert row.estimated
    assert row.input_tokens
    assert row.input_tokens == (counted.input_tokens or row.input_tokens)
    assert row.output_tokens is not None
    assert row.output_tokens > 5_000
    assert row.cost_usd == (row.input_tokens + 10 * row.output_tokens) / Decimal(1_000_000)


async def test_an_answer_without_a_word_has_no_tokens() -> None:
    row = await booked(StreamDone("stop", Usage(1_000, 0)))
    assert (row.output_tokens, row.cost_usd, row.estimated) == (0, Decimal("0.001"), False)


async def test_what_was_counted_is_paid_also_where_no_text_came() -> None:
    failed = await booked(ProviderUnavailable("failed", provider="a", usage=Usage(1_000, 9_000)))
    assert (failed.input_tokens, failed.output_tokens, failed.cost_usd) == (1_000, 9_000, Decimal("0.091"))
    assert not failed.estimated
    gave_up = await booked(StreamDone("error", Usage(1_000, 9_000)))
    assert gave_up.cost_usd == Decimal("0.091")


async def test_a_refusal_costs_nothing() -> None:
    assert (await booked(ProviderUnavailable("down", provider="a"))).cost_usd == 0


async def test_a_stopped_answer_costs_the_question_and_its_text() -> None:
    made = manager(scripted("a", TextDelta(LONG), TextDelta("more"), StreamDone("stop"), **PRICED))
    async with aclosing(made.stream(ASK)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    (row,) = await made.ledger.rows()
    assert row.outcome == "cancelled"
    assert row.input_tokens
    assert row.output_tokens is not None
    assert row.output_tokens > 5_000
    assert row.cost_usd is not None
    assert row.cost_usd > Decimal("0.05")


class Wordy(ScriptedProvider):
    """Sends a limit of its own where nobody has set one, as Anthropic's API demands."""

    def answer_limit(self, model: str) -> int | None:
        return 16_384


def limited(provider: ScriptedProvider, daily: str, most: int | None = None) -> LLMProviderManager:
    made = LLMProviderManager(budget=BudgetSettings(daily_limit_usd=Decimal(daily)))
    made.register_provider(provider.provider_id, provider)
    made.model_info = lambda config, model: ModelInfo(model, max_output_tokens=most)
    return made


async def reserved_usd(made: LLMProviderManager) -> Decimal:
    """What is set aside while the answer comes."""
    async with aclosing(made.stream(ASK)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                return (await made.budget.state()).reserved_usd
    raise AssertionError("no text came")


PER_TOKEN: dict[str, Any] = {"input_cost_per_million": Decimal(0), "output_cost_per_million": Decimal(1_000_000)}
"""One dollar for each token of the answer."""


@pytest.mark.parametrize(
    ("kind", "most", "tokens"),
    [
        (Wordy, None, 16_384),
        (Wordy, 8_192, 8_192),
        (ScriptedProvider, 16_000, 16_000),
        (ScriptedProvider, 128_000, 32_768),
        (ScriptedProvider, None, 4_096),
    ],
)
async def test_what_is_set_aside_is_enough_for_the_answer_that_is_asked_for(
    kind: type[ScriptedProvider], most: int | None, tokens: int
) -> None:
    provider = kind(config("a", **PER_TOKEN), [TextDelta("x"), StreamDone("stop", Usage(1, 1))])
    assert await reserved_usd(limited(provider, "100000", most)) == tokens
    assert provider.requests[0].max_tokens == tokens


async def test_a_shorter_answer_is_asked_for_before_the_limit_refuses() -> None:
    provider = good("a", **PER_TOKEN)
    await answer(limited(provider, "5000", 32_000))
    assert provider.requests[0].max_tokens == 4_096
    with pytest.raises(BudgetExceeded):
        await answer(limited(provider, "4000", 32_000))


async def test_without_a_limit_nothing_shortens_an_answer() -> None:
    provider = good("a", **PER_TOKEN)
    await answer(manager(provider))
    assert provider.requests[0].max_tokens is None


async def test_a_small_window_leaves_room_for_the_question() -> None:
    provider = good("a", **PER_TOKEN, context_tokens=8_000)
    await answer(limited(provider, "100000", 8_000), LLMRequest(ASK.messages))
    sent = provider.requests[0].max_tokens
    assert sent is not None
    assert 7_000 < sent < 8_000


async def test_anthropics_own_limit_is_what_is_reckoned_with() -> None:
    provider = build_provider(LLMProviderConfig("anthropic", api_key="sk-test-key-1234567890"), None)
    assert provider.answer_limit(provider.model) == 16_384


async def test_the_cheapest_is_found_by_the_catalogues_prices_and_unknown_ones_are_last() -> None:
    made = LLMProviderManager(RoutingSettings(strategy="cheapest"))
    for name, kind, model in (
        ("unknown", "openai_compatible", "nobody-knows"),
        ("dear", "openai", "gpt-6-astra"),
        ("cheap", "google", "gemini-3.5-flash"),
    ):
        made.register_provider(
            name,
            ScriptedProvider(
                LLMProviderConfig(kind, model, provider_id=name, local_only=name == "unknown"),
                [TextDelta(name), StreamDone("stop", Usage(1, 1))],
            ),
        )
    assert (await answer(made)).content == "cheap"
    assert [p.provider_id for p in made.route(ASK)] == ["cheap", "dear", "unknown"]


async def test_ones_own_prices_are_compared_without_reading_anything() -> None:
    made = LLMProviderManager(RoutingSettings(strategy="cheapest"))
    made.register_provider("dear", good("dear", **PER_TOKEN))
    made.register_provider("each", good("each", cost_per_token=0.000001))
    made.register_provider("free", good("free"))
    assert [p.provider_id for p in made.route(ASK)] == ["free", "each", "dear"]


async def test_prices_are_read_beside_the_event_loop() -> None:
    made = LLMProviderManager(RoutingSettings(strategy="cheapest"))
    for name in ("a", "b"):
        made.register_provider(name, good(name, **PRICED))
    learning = asyncio.create_task(made.learn_prices(ASK))
    await asyncio.sleep(0)
    assert not learning.done()
    await learning
