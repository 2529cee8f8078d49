"""The configuration of before: what it becomes in settings.toml, and what is said of the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from vpa_desktop import create_llm_provider_manager, get_config
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import Settings
from vpa_desktop.old_config import convert_json, convert_text, convert_variables, heed_old_variables

KEY = "sk-CANARY0123456789abcdefghij"
OLD: dict[str, Any] = {
    "environment": "production",
    "providers": {
        "openai_gpt4": {
            "provider": "openai",
            "model": "GPT_4",
            "api_key": KEY,
            "max_tokens": 4000,
            "temperature": 0.7,
            "cost_per_token": 0.00003,
            "timeout": 30,
            "max_retries": 3,
        },
        "local": {
            "provider": "LLMProvider.LOCAL_OLLAMA",
            "model_name": "llama2:7b",
            "base_url": "http://localhost:11434",
        },
        "anthropic": {"api_key": "your-api-key", "temperature": 9},
        "odd": {"provider": "skynet"},
    },
    "default_provider": "openai_gpt4",
    "failover_chain": ["openai_gpt4", "local", "nobody"],
    "load_balancing_enabled": True,
    "provider_weights": {"openai_gpt4": 0.6, "local": 0.4},
    "circuit_breaker": {"failure_threshold": 5, "recovery_timeout": 300, "half_open_max_calls": 3},
    "cost_limits": {"daily_limit": 100.0, "monthly_limit": 2000.0},
    "PERFORMANCE_CONFIG": {"caching": {"enabled": True, "ttl": 3600, "max_size": 1000}},
    "enable_cost_tracking": True,
    "color": "blue",
}


def test_an_old_json_configuration_becomes_settings() -> None:
    found = convert_json(OLD)
    assert found.changes == {
        "providers.openai_gpt4.kind": "openai",
        "providers.openai_gpt4.model": "gpt-4",
        "providers.openai_gpt4.max_tokens": 4000,
        "providers.openai_gpt4.temperature": 0.7,
        "providers.openai_gpt4.timeout_s": 30,
        "providers.openai_gpt4.max_retries": 3,
        "providers.openai_gpt4.weight": 0.6,
        "providers.ollama.kind": "ollama",  # "local" is the name of the model that comes with the program
        "providers.ollama.model": "llama2:7b",
        "providers.ollama.api_endpoint": "http://localhost:11434",
        "providers.ollama.weight": 0.4,
        "providers.anthropic.kind": "anthropic",
        "routing.default_provider": "openai_gpt4",
        "routing.failover_chain": ("openai_gpt4", "ollama"),
        "routing.strategy": "weighted",
        "routing.circuit_breaker.failure_threshold": 5,
        "routing.circuit_breaker.recovery_timeout_s": 300,
        "budget.daily_limit_usd": Decimal("100.0"),
        "budget.monthly_limit_usd": Decimal("2000.0"),
        "cache.enabled": True,
        "cache.ttl_s": 3600,
        "cache.max_entries": 1000,
        "budget.cost_tracking": True,
    }
    assert found.keys == {"openai_gpt4": KEY}
    said = "\n".join(found.left)
    for word in ("cost_per_token", "anthropic.temperature", "odd", "nobody", "half_open_max_calls", "color"):
        assert word in said, word
    assert KEY not in said + repr(found)


def test_one_provider_by_itself_is_a_configuration_too() -> None:
    found = convert_json({"provider": "azure_openai", "base_url": "https://x.openai.azure.com", "api_key": KEY})
    assert found.changes == {
        "providers.azure.kind": "azure",
        "providers.azure.api_endpoint": "https://x.openai.azure.com",
    }
    assert found.keys == {"azure": KEY}


VARIABLES = {
    "VPA_OPENAI_MODEL": "gpt-4",
    "VPA_OPENAI_MAX_TOKENS": "4000",
    "VPA_LOCAL_MODEL_ENDPOINT": "http://localhost:11434",
    "VPA_LOCAL_MODEL_NAME": "llama2:7b",
    "VPA_LLM_PROVIDER_PRIORITY": "openai,local",
    "VPA_LLM_CACHE_TTL": "3600",
    "VPA_LLM_DAILY_COST_LIMIT": "100.0",
    "VPA_DEFAULT_LLM_MODEL": "gpt-4-turbo",
    "VPA_LLM_PERFORMANCE_MONITORING": "true",
    "OPENAI_API_KEY": KEY,
}


def test_old_variables_become_settings_from_a_file_of_them() -> None:
    text = "# old\n" + "\n".join(f'export {name}="{value}"' for name, value in VARIABLES.items())
    found = convert_text(text)
    assert found == convert_variables(VARIABLES)
    assert found is not None
    assert found.changes["providers.openai.model"] == "gpt-4"
    assert found.changes["providers.openai.max_tokens"] == 4000
    assert found.changes["providers.ollama.model"] == "llama2:7b"
    assert found.changes["budget.daily_limit_usd"] == Decimal("100.0")
    assert found.keys == {"openai": KEY}
    assert any("VPA_LLM_PERFORMANCE_MONITORING" in sentence for sentence in found.left)
    assert convert_text("hello") is None
    assert convert_text("[1, 2]") is None


def test_old_variables_are_heeded_and_said_once() -> None:
    mine = {"main": LLMProviderConfig("openai", "gpt-4o", provider_id="main")}
    environ = {"VPA_OPENAI_MODEL": "gpt-4", "VPA_LLM_CACHE_ENABLED": "false", "VPA_OPENAI_TIMEOUT": "soon"}
    settings, said = heed_old_variables(Settings(providers=mine), environ)
    assert str(settings.providers["main"].model) == "gpt-4"
    assert settings.cache.enabled is False
    assert len(said) == 2
    assert "VPA_OPENAI_MODEL, VPA_OPENAI_TIMEOUT, VPA_LLM_CACHE_ENABLED are old names" in said[0]
    assert "VPA_OPENAI_TIMEOUT was left out" in said[1]
    assert heed_old_variables(Settings(), {"OPENAI_API_KEY": KEY}) == (Settings(), ())


def test_the_source_documents_get_config_heeds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPA_LLM_CACHE_ENABLED", "false")
    assert get_config().cache.enabled is False


async def test_a_manager_takes_an_old_json_configuration_with_its_key() -> None:
    with pytest.warns(DeprecationWarning, match="A configuration of before") as caught:
        manager = create_llm_provider_manager({**OLD, "failover_chain": ["openai_gpt4", "local"]})
    try:
        provider = manager.get_provider("openai_gpt4")
        assert provider is not None
        assert provider.config.api_key == KEY
        assert str(provider.config.model) == "gpt-4"
        assert list(manager.routing.failover_chain) == ["openai_gpt4", "ollama"]
    finally:
        await manager.aclose()
    assert KEY not in str(caught[0].message)


@pytest.mark.parametrize("wrong", [None, 7, "x", [], {}, [[1]], {"provider": 1}, -1.5, True])
@pytest.mark.parametrize("key", list(OLD))
def test_values_of_another_kind_do_no_harm(key: str, wrong: Any) -> None:
    convert_json({**OLD, key: wrong})
