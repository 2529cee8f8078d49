"""The wired program without a window: settings count at once, and what came with it can be switched off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vpa_desktop.config import find_paths
from vpa_desktop.errors import ConfigError
from vpa_desktop.messages import EnhancedLLMRequest
from vpa_desktop.records import ProviderDraft
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.system import System, build_system

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    made = await build_system(find_paths(tmp_path / "home"), environ={}, vault=MemoryVault())
    yield made
    await made.aclose()


async def test_the_local_model_can_be_switched_off_and_on_but_not_removed(system: System) -> None:
    await system.save_settings({"providers.local.enabled": False})
    assert system.problems == ()
    assert not next(p for p in await system.list_providers() if p.id == "local").enabled
    assert not next(c for c in await system.route_choices() if c.provider == "local").is_ready
    await system.save_settings({"providers.local.enabled": True})
    assert (await system.status()).route == "Local demonstration model"


async def test_what_came_along_is_not_removed(system: System) -> None:
    with pytest.raises(ConfigError, match="Switch it off"):
        await system.remove_provider("local")


async def test_a_provider_added_in_the_window_answers_the_next_message(system: System) -> None:
    await system.save_provider(ProviderDraft("mine", "mock", make_default=True))
    answer = await system.integration.generate_enhanced_response(EnhancedLLMRequest("Echo this"))
    assert (answer.provider, answer.content) == ("mine", "Echo this")
    await system.remove_provider("mine")
    assert "mine" not in [p.id for p in await system.list_providers()]


async def test_a_key_counts_at_once_and_deleting_it_takes_the_provider_out(system: System) -> None:
    await system.save_provider(ProviderDraft("cloud", "openai"))
    assert system.manager.get_provider("cloud") is None
    await system.key_desk.set_key("cloud", KEY)
    assert system.manager.get_provider("cloud") is not None
    assert [(k.provider, k.hint) for k in await system.key_desk.list_keys()] == [("cloud", "…cdef")]
    await system.key_desk.delete_key("cloud")
    assert system.manager.get_provider("cloud") is None


async def test_a_limit_set_in_the_window_is_in_force_and_shown(system: System) -> None:
    await system.save_settings({"budget.daily_limit_usd": 5, "routing.default_provider": "local"})
    status = await system.status()
    assert status.limit_usd == 5
    assert (await system.list_providers())[0].is_default
    with pytest.raises(ConfigError, match="allowed"):
        await system.save_settings({"budget.on_limit": "explode"})
    assert (await system.status()).notices == ()
