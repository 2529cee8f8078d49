"""The table of models: names are found in every spelling, ends are exact, and nothing ended is a default."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from vpa_desktop.catalog import KINDS, LLMProviderConfig, ModelInfo
from vpa_desktop.model_facts import (
    RETIRING_WITHIN,
    _table,
    ending,
    ending_sentence,
    facts_as_of,
    facts_for,
    merged,
)

OPENAI = LLMProviderConfig("openai")
ANTHROPIC = LLMProviderConfig("anthropic")
GOOGLE = LLMProviderConfig("google")
OPENROUTER = LLMProviderConfig("openai_compatible", api_endpoint="https://openrouter.ai/api/v1")
DEEPSEEK = LLMProviderConfig("openai_compatible", api_endpoint="https://api.deepseek.com")
OWN_SERVER = LLMProviderConfig("openai_compatible", api_endpoint="http://127.0.0.1:8000/v1")
OLLAMA = LLMProviderConfig("ollama")
AZURE = LLMProviderConfig("azure", "gpt-4o", deployment="our-chat")


@pytest.mark.parametrize(
    ("config", "model", "window"),
    [
        (OPENAI, "gpt-4o-2024-08-06", 128_000),
        (OPENAI, "gpt-6-luna", 1_050_000),
        (OPENAI, "gpt-6-luna-2026-09-22", 1_050_000),
        (OPENAI, "ft:gpt-4o-2024-08-06:acme::id", 128_000),
        (ANTHROPIC, "claude-sonnet-5-5-20261001", 1_000_000),
        (ANTHROPIC, "claude-haiku-4-5@20251001", 200_000),
        (GOOGLE, "models/gemini-3.8-flash", 1_000_000),
        (GOOGLE, "gemini-3.8-flash-001", 1_000_000),
        (OPENROUTER, "openai/gpt-4o", 128_000),
        (OPENROUTER, "anthropic/claude-sonnet-4.5", 200_000),
        (OPENROUTER, "openai/gpt-4o:free", 128_000),
        (DEEPSEEK, "deepseek-v4-pro", 1_000_000),
        (AZURE, "gpt-4o", 128_000),
        (AZURE, "our-chat", None),
        (OWN_SERVER, "gpt-4o", None),
        (OLLAMA, "llama3.1:8b", None),
        (OPENAI, "gpt-4o-something-new", None),
        (OPENAI, "gpt-4", 8_192),
        (OPENAI, "", None),
    ],
)
def test_a_model_is_found_in_every_spelling_and_no_other(
    config: LLMProviderConfig, model: str, window: int | None
) -> None:
    found = facts_for(config, model)
    assert (found.id, found.context_tokens) == (model, window)


@pytest.mark.parametrize(
    ("config", "model", "day"),
    [
        (OPENAI, "gpt-4", "2026-10-23"),
        (OPENAI, "gpt-4o-2024-05-13", "2026-10-23"),
        (OPENAI, "gpt-4o-2024-08-06", "2027-01-14"),
        (OPENAI, "gpt-5-mini-2025-08-07", "2026-12-11"),
        (OPENAI, "gpt-5.1", "2027-04-01"),
        (OPENAI, "gpt-6-luna", None),
        (ANTHROPIC, "claude-sonnet-4-5-20250929", "2026-11-30"),
        (ANTHROPIC, "claude-3-opus-20240229", "2026-01-05"),
        (ANTHROPIC, "claude-sonnet-5-5", None),
        (OPENROUTER, "openai/gpt-4", None),
        (AZURE, "gpt-4o", None),
        (LLMProviderConfig("openai", api_endpoint="http://127.0.0.1:9/v1"), "gpt-4", None),
    ],
)
def test_the_day_of_the_end_holds_at_the_vendors_own_address(
    config: LLMProviderConfig, model: str, day: str | None
) -> None:
    assert facts_for(config, model).retires_on == day


def test_an_end_is_announced_sixty_days_before_and_said_after() -> None:
    info, last = ModelInfo("m", retires_on="2026-12-11"), date(2026, 12, 11)
    assert ending(info, last - timedelta(days=61)) == ""
    assert ending_sentence(info, last - timedelta(days=61)) == ""
    assert ending(info, last - timedelta(days=60)) == "ending"
    assert ending_sentence(info, last) == "m ends on 11 December 2026. Choose another model before then"
    assert ending(info, last + timedelta(days=1)) == "ended"
    assert ending_sentence(info, date(2027, 3, 1)).startswith("m no longer answers since 11 December 2026.")
    assert ending(ModelInfo("m", retires_on="soon"), last) == ""


def test_no_default_has_ended_or_ends_soon() -> None:
    for kind in KINDS.values():
        config = LLMProviderConfig(kind.kind)
        info = facts_for(config, str(config.model))
        assert ending(info, facts_as_of()) == "", kind.kind
        if info.retires_on:
            assert date.fromisoformat(info.retires_on) - facts_as_of() > RETIRING_WITHIN


def test_what_does_not_answer_in_text_is_known_by_its_name() -> None:
    for name in ("text-embedding-3-large", "whisper-1", "gpt-image-2", "gpt-4o-transcribe", "tts-1-hd", "sora-2"):
        assert facts_for(OPENAI, name).chat is False, name
    for name in ("gpt-6-luna", "gpt-4o", "o3", "gpt-5.3-codex", "gpt-4-vision-preview"):
        assert facts_for(OPENAI, name).chat is not False, name
    assert facts_for(OLLAMA, "nomic-embed-text:latest").chat is False
    assert facts_for(GOOGLE, "gemini-3.1-flash-tts-preview").chat is False
    assert facts_for(GOOGLE, "gemini-3.8-flash").chat is not False


def test_the_providers_word_wins_and_its_gaps_are_filled() -> None:
    known = facts_for(OPENAI, "gpt-5")
    said = replace(ModelInfo("gpt-5"), context_tokens=5, retires_on="2027-01-01", name="GPT-5")
    whole = merged(said, known)
    assert (whole.context_tokens, whole.retires_on, whole.name, whole.reasoning) == (5, "2027-01-01", "GPT-5", True)


def test_windows_agree_with_the_price_catalogues_own_data() -> None:
    data = pytest.importorskip("genai_prices.data")
    vendors = {"openai": "openai", "anthropic": "anthropic", "google": "google", "deepseek": "deepseek", "xai": "x-ai"}
    models = {p.id: p.models for p in data.providers}
    compared = 0
    for vendor, provider in vendors.items():
        windows = {m.id: m.context_window for m in models[provider]}
        for name, line in _table().vendors[vendor].items():
            if windows.get(name) and "context" in line:
                assert line["context"] == windows[name], name
                compared += 1
    assert compared > 60
