"""What answers cost: the catalogue's prices, the person's own, and None (never nothing) where it is not known."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.messages import Usage
from vpa_desktop.prices import cost_usd, is_free, price_per_million

AT = datetime(2026, 11, 22, tzinfo=UTC)
THOUSAND = Usage(input_tokens=1_000, output_tokens=1_000)
OPENROUTER = LLMProviderConfig("openai_compatible", api_endpoint="https://openrouter.ai/api/v1")


@pytest.mark.parametrize(
    ("config", "model", "dollars"),
    [
        (LLMProviderConfig("openai"), "gpt-6-luna", "0.0006"),
        (LLMProviderConfig("anthropic"), "claude-sonnet-5-5", "0.012"),
        (LLMProviderConfig("google"), "gemini-3.8-flash", "0.0045"),
        (LLMProviderConfig("azure"), "gpt-4o", "0.0125"),
        (OPENROUTER, "openai/gpt-6-luna", "0.0006"),
        (OPENROUTER, "mistralai/mistral-nemo:free", "0"),
        (LLMProviderConfig("openai_compatible", api_endpoint="https://api.x.ai/v1"), "grok-4.7", "0.008"),
        (LLMProviderConfig("ollama"), "llama3.1:8b", "0"),
        (LLMProviderConfig("llama_cpp"), "smollm2-135m-instruct", "0"),
    ],
)
def test_a_known_price_is_the_catalogues(config: LLMProviderConfig, model: str, dollars: str) -> None:
    assert cost_usd(config, model, THOUSAND, AT) == Decimal(dollars)


@pytest.mark.parametrize(
    ("config", "model"),
    [
        (LLMProviderConfig("openai"), "gpt-6.2-sol"),
        (LLMProviderConfig("google"), "gemma-4-31b-it"),
        (LLMProviderConfig("azure"), "our-deployment"),
        (OPENROUTER, "nobody/knows-this"),
        (LLMProviderConfig("ollama", api_endpoint="http://192.168.1.5:11434"), "llama3.1:8b"),
        (LLMProviderConfig("openai_compatible", api_endpoint="http://10.0.0.9:8000/v1"), "gpt-4o"),
    ],
)
def test_an_unknown_price_is_none_and_never_nothing(config: LLMProviderConfig, model: str) -> None:
    assert cost_usd(config, model, THOUSAND, AT) is None
    assert price_per_million(config, model, AT) is None


@pytest.mark.parametrize("usage", [None, Usage(), Usage(input_tokens=5), Usage(output_tokens=5)])
def test_without_both_counts_the_cost_is_unknown(usage: Usage | None) -> None:
    assert cost_usd(LLMProviderConfig("openai"), "gpt-6-luna", usage, AT) is None


def test_cached_and_written_input_is_part_of_the_whole_and_has_its_own_price() -> None:
    # Sonnet 5.5 per million: input 2, read from cache 0.1, written to it 2.5, output 10.
    usage = Usage(input_tokens=300, output_tokens=10, cached_input_tokens=100, cache_write_tokens=100)
    expected = (100 * Decimal(2) + 100 * Decimal("0.1") + 100 * Decimal("2.5") + 10 * Decimal(10)) / 1_000_000
    assert cost_usd(LLMProviderConfig("anthropic"), "claude-sonnet-5-5", usage, AT) == expected


def test_more_cached_than_sent_is_priced_without_the_rebate_and_breaks_nothing() -> None:
    odd = Usage(input_tokens=100, output_tokens=0, cached_input_tokens=200)
    assert cost_usd(LLMProviderConfig("anthropic"), "claude-sonnet-5-5", odd, AT) == Decimal("0.0002")


def test_a_price_is_the_one_of_the_day_it_was_asked_on() -> None:
    config = LLMProviderConfig("openai_compatible", api_endpoint="https://api.deepseek.com")
    before = cost_usd(config, "deepseek-v4-flash", THOUSAND, datetime(2026, 1, 1, tzinfo=UTC))
    now = cost_usd(config, "deepseek-v4-flash", THOUSAND, AT)
    assert before is not None
    assert now is not None
    assert before < now


def test_ones_own_price_wins_also_for_what_came_from_a_cache() -> None:
    own = LLMProviderConfig(
        "openai", input_cost_per_million=Decimal(2), output_cost_per_million=Decimal(10),
        cached_input_cost_per_million=Decimal(1),
    )  # fmt: skip
    usage = Usage(input_tokens=1_000_000, output_tokens=0, cached_input_tokens=400_000)
    assert cost_usd(own, "gpt-6-luna", usage) == Decimal("1.6")
    plain = LLMProviderConfig("openai", input_cost_per_million=Decimal(2), output_cost_per_million=Decimal(0))
    assert cost_usd(plain, "gpt-6-luna", usage) == Decimal(2)
    assert price_per_million(own, "anything") == (Decimal(2), Decimal(10))


def test_a_price_of_zero_of_ones_own_is_zero_and_not_missing() -> None:
    own = LLMProviderConfig("openai", cost_per_token=0.001, input_cost_per_million=Decimal(0))
    assert cost_usd(own, "x", Usage(input_tokens=1_000, output_tokens=1)) == Decimal("0.001")


@pytest.mark.parametrize(
    ("config", "free"),
    [
        (LLMProviderConfig("openai", local_only=True), False),
        (LLMProviderConfig("openai_compatible", local_only=True), False),
        (LLMProviderConfig("ollama", api_endpoint="http://192.168.1.5:11434", local_only=True), False),
        (LLMProviderConfig("ollama"), True),
        (LLMProviderConfig("ollama", local_only=False), True),
        (LLMProviderConfig("ollama", cost_per_token=0.001), False),
        (LLMProviderConfig("llama_cpp", cost_per_token=0.001), False),
        (LLMProviderConfig("transformers"), True),
    ],
)
def test_free_is_what_runs_here_without_a_price_of_ones_own_whatever_privacy_says(
    config: LLMProviderConfig, free: bool
) -> None:
    assert is_free(config) is free


def test_one_price_for_every_token_counts_at_a_local_model_too() -> None:
    assert cost_usd(LLMProviderConfig("ollama", cost_per_token=0.001), "llama3.1:8b", THOUSAND) == Decimal(2)
