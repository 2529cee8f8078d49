"""The names of models, and who sees which."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.fakes import ScriptedProvider
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import RequestRejected
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.serve.names import Choice, ModelNames


def manager_with(*configs: LLMProviderConfig) -> LLMProviderManager:
    """A manager with silent providers."""
    made = LLMProviderManager()
    for config in configs:
        made.register_provider(config.provider_id, ScriptedProvider(config, []))
    return made


async def known(provider: str) -> Sequence[ModelInfo]:
    return [ModelInfo("small"), ModelInfo("large"), ModelInfo("ears", chat=False)] if provider == "openai" else []


OPENAI = LLMProviderConfig("mock", "small", provider_id="openai")
ROUTER = LLMProviderConfig("mock", "openai/large", provider_id="router")
OFF = LLMProviderConfig("mock", "old", provider_id="off", enabled=False)


async def test_a_name_means_the_route_a_provider_or_its_model() -> None:
    names = ModelNames(manager_with(ROUTER, OPENAI, OFF), known, lambda: "wanted")
    assert await names.find("") == await names.find("auto") == Choice(None, "wanted")
    assert await names.find("openai") == Choice("openai")
    assert await names.find("openai/large") == Choice("openai", "large")
    assert await names.find("router/openai/large") == Choice("router", "openai/large")
    assert await names.find("large") == Choice("openai", "large")
    assert await names.find("openai/unheard-of") == Choice("openai", "unheard-of")
    for unknown in ("off", "off/old", "nobody", "/", "openai/", "AUTO"):
        with pytest.raises(RequestRejected, match="There is no model"):
            await names.find(unknown)


async def test_a_list_has_what_the_user_may_ask() -> None:
    def may_ask(config: LLMProviderConfig, model: str, user: str) -> bool:
        return user == "anna" or (config.provider_id, model) == ("openai", "small")

    names = ModelNames(manager_with(ROUTER, OPENAI, OFF), known, lambda: "", may_ask=may_ask)
    listed = [entry["id"] for entry in await names.every("anna")]
    assert listed == ["auto", "router/openai/large", "openai/small", "openai/large"]
    assert [entry["id"] for entry in await names.every("ben")] == ["auto", "openai/small"]
    with pytest.raises(RequestRejected) as caught:
        await names.find("nobody", "ben")
    assert "large" not in str(caught.value)
