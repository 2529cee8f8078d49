"""The table of fields: every field is a setting, and what is typed is read as settings.toml would hold it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from vpa_desktop.catalog import KINDS
from vpa_desktop.errors import UsageError
from vpa_desktop.provider_fields import KEY, PRESETS, fields_of, key_page_of, preset_of, read_text, shown_text
from vpa_desktop.settings_rules import PROVIDER_RULES


def field(kind: str, key: str) -> Any:
    return next(f for f in fields_of(kind) if f.key == key)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_a_setting_and_stands_once(kind: str) -> None:
    keys = [f.key for f in fields_of(kind)]
    assert len(keys) == len(set(keys))
    assert set(keys) - {KEY} <= set(PROVIDER_RULES)
    assert "weight" in keys
    assert KINDS[kind].is_local or {"proxy", "ca_file", "allow_plain_http", KEY} <= set(keys)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("max_tokens", "4_000", 4000),
        ("temperature", "0,7", 0.7),
        ("input_cost_per_million", "$2.50", Decimal("2.5")),
        ("local_only", "yes", True),
        ("allow_plain_http", "false", False),
        ("effort", "low", "low"),
        ("timeout_s", "  ", None),
    ],
)
def test_what_is_typed_is_read(key: str, text: str, value: object) -> None:
    assert read_text(field("openai", key), text) == value


@pytest.mark.parametrize(
    ("kind", "key", "text"),
    [
        ("openai", "max_tokens", "many"),
        ("openai", "temperature", "3"),
        ("openai", "timeout_s", "nan"),
        ("openai", "effort", "hard"),
        ("openai", "input_cost_per_million", "-1"),
        ("openai", "local_only", "perhaps"),
        ("google", "api_version", "v7"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_can(kind: str, key: str, text: str) -> None:
    with pytest.raises(UsageError, match="Allowed: ") as refused:
        read_text(field(kind, key), text)
    raise_text = str(refused.value)
    assert text in raise_text


@pytest.mark.parametrize("value", [12.0, 0.25, 4000, True, Decimal("2.50"), "text"])
def test_a_value_is_shown_as_it_can_be_typed_again(value: object) -> None:
    assert "e" not in shown_text(value) or isinstance(value, (bool, str))
    assert shown_text(value) in ("12", "0.25", "4000", "true", "2.5", "text")


def test_services_are_known_by_their_address() -> None:
    assert {p.id for p in PRESETS} >= {"openrouter", "deepseek", "groq", "mistral", "vllm", "lm_studio", "litellm"}
    for preset in PRESETS:
        assert preset_of(preset.endpoint + "/") is preset
        assert preset.needs_key == bool(preset.key_page)
    assert preset_of("https://example.org/v1") is None
    assert key_page_of("openai_compatible", "https://api.deepseek.com/v1").startswith("https://platform.deepseek.com")
    assert key_page_of("azure")
