"""The wired program without a window: settings count at once, and what came with it can be switched off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.providers.rawserver import GOOD, reply, serving
from vpa_desktop.config import find_paths
from vpa_desktop.errors import BudgetExceeded, ConfigError
from vpa_desktop.messages import EnhancedLLMRequest, TurnStarted
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


async def _to_the_end(events: AsyncIterator[object]) -> None:
    async for _ in events:
        pass


async def test_a_refused_question_is_answered_in_its_place_once_it_may_pass_the_limit(system: System) -> None:
    prices = {"input_cost_per_million": 1, "output_cost_per_million": 1}
    await system.save_provider(ProviderDraft("mine", "mock", make_default=True, options=prices))
    await system.save_settings({"budget.daily_limit_usd": 0})
    events = system.stream_turn(EnhancedLLMRequest("Echo this", conversation_id="new"))
    turn = await anext(events)
    assert isinstance(turn, TurnStarted)
    with pytest.raises(BudgetExceeded):
        await _to_the_end(events)
    again = EnhancedLLMRequest("Echo this", conversation_id=turn.conversation_id, regenerates=turn.message_id)
    answer = await system.integration.generate_enhanced_response(replace(again, over_limit=True, fresh=True))
    assert "past your daily limit" in answer.warnings[0]
    kept = await system.messages(str(turn.conversation_id))
    assert [(m.role, m.content, m.state) for m in kept] == [
        ("user", "Echo this", "done"),
        ("assistant", "Echo this", "done"),
    ]


async def test_a_refused_key_of_several_is_known_to_the_next_run_and_a_test_frees_it(tmp_path: Path) -> None:
    refused = reply("401 Unauthorized", "application/json", b'{"error":{"message":"no","code":"invalid_api_key"}}')
    vault, paths = MemoryVault(), find_paths(tmp_path / "home")
    paths.make()
    async with serving(refused, GOOD) as server:
        paths.settings_file.write_text(
            f'[providers.work]\nkind = "openai_compatible"\nmodel = "m"\napi_endpoint = "{server.url}/v1"\n'
        )
        for run in range(3):
            system = await build_system(paths, environ={}, vault=vault)
            if run == 0:
                await system.key_desk.set_key("work", KEY)
                await system.key_desk.set_key("work", KEY + "-2", "team")
            await system.keys_ready()
            answer = await system.integration.generate_enhanced_response(EnhancedLLMRequest(f"Hi {run}"))
            assert (answer.provider, answer.content) == ("work", "Hello")
            states = [(k.label, k.state) for k in await system.key_desk.list_keys()]
            if run < 2:
                assert states == [("", "refused"), ("team", "in use")]
                assert len(server.requests) == 2 + run
            else:
                assert states == [("", "in use"), ("team", "in use")]
            if run == 1:
                assert [v.ok for v in await system.key_desk.test_keys("work", "default")] == [True]
            await system.aclose()


async def test_a_changed_breaker_counts_at_once_and_forgets_nobody(system: System) -> None:
    for _ in range(5):
        system.manager.breaker("down", "m").failure("no")
    await system.save_settings({"routing.circuit_breaker.failure_threshold": 2, "routing.hedge_first_token": True})
    assert system.manager.routing.hedge_first_token
    assert system.manager.breaker("down", "m").state == "open"
    other = system.manager.breaker("other", "m")
    other.failure("no")
    assert other.acquire()
    other.failure("no")
    assert not other.acquire()
    assert "failure_threshold = 2" in system.paths.settings_file.read_text()


class WatchedVault(MemoryVault):
    """Notes that it was read, which a locked keyring would ask a password for."""

    was_read = False

    async def ids(self) -> list[str]:
        self.was_read = True
        return await super().ids()

    async def get(self, provider_id: str) -> str | None:
        self.was_read = True
        return await super().get(provider_id)


@pytest.mark.parametrize(("settings", "is_read"), [("", False), ('[providers.openai]\nkind = "openai"\n', True)])
async def test_the_place_of_keys_is_opened_at_the_start_only_where_a_provider_needs_it(
    tmp_path: Path, settings: str, is_read: bool
) -> None:
    vault, paths = WatchedVault(), find_paths(tmp_path / "home")
    paths.make()
    paths.settings_file.write_text(settings)
    system = await build_system(paths, environ={}, vault=vault, background=True)
    await system.keys_ready()
    await system.status()
    await system.list_providers()
    assert vault.was_read is is_read
    await system.aclose()


async def test_the_status_names_who_answers_while_the_first_choice_does_not_work(tmp_path: Path) -> None:
    paths = find_paths(tmp_path / "home")
    paths.make()
    paths.settings_file.write_text(
        '[providers.a]\nkind = "mock"\n[providers.b]\nkind = "mock"\n[routing]\nfailover_chain = ["a", "b"]\n'
    )
    system = await build_system(paths, environ={}, vault=MemoryVault())
    assert (await system.status()).route == "a"
    breaker = system.manager.breaker("a", system.manager.get_provider("a").model)  # type: ignore[union-attr]
    for _ in range(5):
        breaker.failure("no")
    assert (await system.status()).route == "b (a does not work now)"
    await system.aclose()
