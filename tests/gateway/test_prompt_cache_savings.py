"""What a provider's own prompt cache saves is booked beside the cost, and summed apart from our cache's."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.gateway.test_manager import collect, manager, scripted
from vpa_desktop import prices
from vpa_desktop.analytics import savings_of
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.messages import StreamDone, TextDelta, Usage
from vpa_desktop.records import UsageRow

OWN: dict[str, Any] = {
    "input_cost_per_million": Decimal(10),
    "output_cost_per_million": Decimal(50),
    "cached_input_cost_per_million": Decimal(1),
}
AT = datetime(2026, 11, 22, tzinfo=UTC)


async def booked(usage: Usage, **facts: Any) -> UsageRow:
    made = manager(scripted("a", TextDelta("Hi"), StreamDone("stop", usage), **facts))
    await collect(made)
    (row,) = await made.ledger.rows()
    return row


async def test_what_was_read_from_the_providers_cache_is_booked_as_saved() -> None:
    row = await booked(Usage(10_000, 100, cached_input_tokens=8_000), **OWN)
    assert row.cost_usd == Decimal("0.033")
    assert row.saved_usd == Decimal("0.072")


async def test_without_a_cached_part_or_a_price_nothing_is_said_to_be_saved() -> None:
    assert (await booked(Usage(10_000, 100), **OWN)).saved_usd is None
    plain = {name: price for name, price in OWN.items() if not name.startswith("cached")}
    assert (await booked(Usage(10_000, 100, cached_input_tokens=8_000), **plain)).saved_usd == 0


@pytest.mark.parametrize(
    ("kind", "model", "usage", "is_saving"),
    [
        ("openai", "gpt-4o", Usage(10_000, 10, cached_input_tokens=8_000), True),
        ("anthropic", "claude-sonnet-4-5", Usage(10_000, 10, cached_input_tokens=8_000), True),
        ("anthropic", "claude-sonnet-4-5", Usage(10_000, 10, cache_write_tokens=8_000), False),
    ],
)
def test_the_catalogue_knows_what_reading_spares_and_writing_costs(
    kind: str, model: str, usage: Usage, is_saving: bool
) -> None:
    config = LLMProviderConfig(kind, model)
    saved = prices.prompt_cache_saving_usd(config, model, usage, prices.cost_usd(config, model, usage))
    assert saved is not None
    assert (saved > 0) is is_saving
    assert saved != 0


def test_our_cache_and_theirs_are_summed_apart() -> None:
    rows = [
        UsageRow(AT, "a", "m", "ok", cost_usd=Decimal("0.10"), saved_usd=Decimal("0.05")),
        UsageRow(AT, "a", "m", "ok", cost_usd=Decimal("0.20"), saved_usd=Decimal("-0.01")),
        UsageRow(AT, "a", "m", "failed"),
        UsageRow(AT, "a", "m", "ok", cached=True, saved_usd=Decimal("0.10"), saved_ms=1_200.0),
        UsageRow(AT, "b", "m", "ok", cached=True, saved_usd=None, saved_ms=300.0),
    ]
    savings = savings_of(rows)
    assert (savings.hits, savings.misses, savings.hit_rate) == (2, 2, 0.5)
    assert (savings.saved_usd, savings.saved_ms) == (Decimal("0.10"), 1_500.0)
    assert savings.prompt_cache_saved_usd == Decimal("0.04")
