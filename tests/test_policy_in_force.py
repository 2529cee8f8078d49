"""The wired program under an administrator's policy: no setting, variable or page leads to who is forbidden."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.faults import GOOD, WHOLE
from tests.providers.rawserver import RawServer, serving
from vpa_desktop.assistant.guarded_build import guarded
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import find_paths
from vpa_desktop.errors import PolicyRefused
from vpa_desktop.gateway.keypool import KeyPool, PoolKey
from vpa_desktop.messages import EnhancedLLMRequest
from vpa_desktop.providers import build_provider
from vpa_desktop.records import ProviderDraft
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.security.policy import Policy, PolicyBook
from vpa_desktop.security.policy_file import login_name
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.system import System, build_system

SETTINGS = """
[providers.good]
kind = "openai_compatible"
model = "fine"
input_cost_per_million = 0.1
output_cost_per_million = 0.1
api_endpoint = "{good}/v1"
[providers.bad]
kind = "openai_compatible"
model = "fine"
input_cost_per_million = 0.1
output_cost_per_million = 0.1
api_endpoint = "{bad}/v1"
{more}
[providers.local]
kind = "mock"
enabled = false
[routing]
default_provider = "{default}"
failover_chain = {chain}
[privacy]
redact_outgoing = {redact}
[budget]
daily_limit_usd = 10000
"""
POLICY = """
[limits]
daily_limit_usd = 50
[providers]
allowed_hosts = ["{host}"]
[privacy]
redact_outgoing = true
"""
SECRET = "sk-CANARY0123456789abcdefghij"


class Office:
    """A home folder with settings, an administrator's policy, and the two servers the settings name."""

    def __init__(self, folder: Path, good: RawServer, bad: RawServer) -> None:
        self.paths = find_paths(folder / "home")
        self.policy = folder / "etc" / "policy.toml"
        self.good, self.bad = good, bad
        self.paths.make()
        self.policy.parent.mkdir()
        self.policy.write_text(POLICY.format(host=good.url.removeprefix("http://")))
        self.settings()

    def settings(self, **said: Any) -> None:
        """Write settings.toml."""
        facts = {"default": "bad", "chain": '["bad", "good"]', "redact": "false", "more": "", **said}
        text = SETTINGS.format(good=self.good.url, bad=self.bad.url, **facts)
        self.paths.settings_file.write_text(text)

    @asynccontextmanager
    async def program(self, **environ: str) -> AsyncIterator[System]:
        made = await build_system(self.paths, environ=environ, vault=MemoryVault(), system_policy=self.policy)
        try:
            yield made
        finally:
            await made.aclose()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with serving(GOOD) as good, serving(GOOD) as bad:
        made = Office(tmp_path, good, bad)
        yield made
        assert bad.requests == []


ASK = EnhancedLLMRequest(f"My key is {SECRET}. Count to sixty")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, {}),
        ({"VPA_DEFAULT_LLM_PROVIDER": "bad"}, {"default": "good"}),
        ({"VPA_DEFAULT_LLM_PROVIDER": "openai_compatible", "VPA_ENVIRONMENT": "development"}, {}),
        ({"VPA_LLM_COST_TRACKING": "0", "VPA_ENABLE_LLM_FALLBACK": "1"}, {}),
        ({}, {"more": "local_only = true"}),
        ({}, {"more": "weight = 1000\nproxy = ''"}),
        ({}, {"chain": '["bad"]'}),
    ],
)
async def test_neither_settings_nor_variables_lead_to_a_forbidden_provider(
    office: Office, environ: dict[str, str], said: dict[str, str]
) -> None:
    office.settings(**said)
    async with office.program(**environ) as system:
        answer = await system.integration.generate_enhanced_response(ASK)
        assert (answer.provider, answer.content) == ("good", WHOLE)
        assert ("bad", "skipped") in [(a.provider, a.outcome) for a in answer.attempts]
        if system.settings.routing.default_provider == "bad":
            assert answer.warnings[0].startswith("bad was not asked. ")
        body = str(office.good.bodies)
        assert SECRET not in body
        assert "[SECRET_1]" in body
        assert system.settings.budget.daily_limit_usd == Decimal(50)
        row = (await system.manager.ledger.rows())[0]
        assert row.user_id == login_name()


async def test_another_machine_that_is_called_local_gets_no_secrets_either(office: Office) -> None:
    text = office.paths.settings_file.read_text()
    first = text.index("[providers.bad]")
    office.paths.settings_file.write_text(text[:first] + "local_only = true\n" + text[first:])
    office.policy.write_text("[privacy]\nredact_outgoing = true\n[providers]\nallowed = ['good']")
    async with office.program() as system:
        answer = await system.integration.generate_enhanced_response(ASK)
        assert answer.provider == "good"
        assert SECRET not in str(office.good.bodies)


async def test_a_forbidden_provider_under_an_allowed_name_is_still_forbidden(office: Office) -> None:
    office.policy.write_text('[providers]\nallowed = ["good"]\nallowed_hosts = ["api.openai.com"]')
    office.good.url = office.bad.url
    office.settings(default="good")
    async with office.program() as system:
        with pytest.raises(PolicyRefused):
            await system.integration.generate_enhanced_response(ASK)


@pytest.mark.parametrize("how", [{"provider": "bad"}, {"provider": "bad", "model": "other", "user_id": "boss"}])
async def test_who_names_it_is_refused_and_it_stands_in_the_audit(office: Office, how: dict[str, Any]) -> None:
    async with office.program() as system:
        with pytest.raises(PolicyRefused):
            await system.integration.generate_enhanced_response(replace(ASK, **how))
        entry = (await AuditLog(system.db).entries())[0]
        assert (entry.action, entry.target, entry.result) == ("request", login_name(), "refused")
        assert entry.facts["rule"] == "providers.allowed_hosts"
        assert "Count to sixty" not in str(entry)
        assert office.good.requests == []


async def test_neither_a_test_nor_a_list_of_models_nor_a_connection_reaches_it(office: Office) -> None:
    async with office.program() as system:
        verdict = await system.test_provider(ProviderDraft("bad", "openai_compatible", "fine", office.bad.url + "/v1"))
        assert not verdict.ok
        assert "does not allow the address 127.0.0.1" in verdict.sentence
        renamed = ProviderDraft("good", "openai_compatible", "fine", office.bad.url + "/v1")
        assert not (await system.test_provider(renamed)).ok
        assert "does not allow the address" in (await system.models("bad", refresh=True)).error
        connected = await system.manager.connect_all_providers()
        assert not connected["bad"]
        await system.save_provider(renamed)
        with pytest.raises(PolicyRefused):
            await system.integration.generate_enhanced_response(ASK)


async def test_the_window_says_what_is_not_allowed_and_which_settings_are_decided(office: Office) -> None:
    async with office.program() as system:
        shown = {status.id: status for status in await system.list_providers()}
        assert shown["good"].forbidden == ""
        assert shown["bad"].forbidden.startswith("Not allowed. ")
        assert "policy does not allow the address 127.0.0.1" in shown["bad"].note
        choices = {c.provider: c for c in await system.route_choices() if c.provider}
        assert (choices["good"].is_ready, choices["bad"].is_ready) == (True, False)
        assert choices["bad"].note == shown["bad"].note
        assert "keeps this on" in system.settings.fixed["privacy.redact_outgoing"]
        assert "at most $50.00" in system.settings.bounded["budget.daily_limit_usd"]


async def test_settings_that_are_saved_do_not_loosen_it_and_a_policy_that_changed_counts_then(office: Office) -> None:
    async with office.program() as system:
        await system.save_settings({"budget.daily_limit_usd": 1_000, "privacy.redact_outgoing": False})
        assert system.settings.budget.daily_limit_usd == Decimal(50)
        assert system.settings.privacy.redact_outgoing
        office.policy.write_text('[providers]\nallowed = ["nobody"]')
        await system.save_settings({"routing.strategy": "fastest"})
        with pytest.raises(PolicyRefused):
            await system.integration.generate_enhanced_response(ASK)
        assert not (await system.manager.connect_all_providers())["good"]
        assert office.good.requests == []


async def test_a_policy_with_a_mistake_is_on_the_screen_and_sends_nothing(office: Office) -> None:
    office.policy.write_text("[providers]\nalowed_hosts = []")
    async with office.program() as system:
        notices = (await system.status()).notices
        said = f"{office.policy} line 2: providers.alowed_hosts is not a rule"
        assert any(said in notice for notice in notices)
        with pytest.raises(PolicyRefused, match="not sent") as caught:
            await system.integration.generate_enhanced_response(ASK)
        assert said in str(caught.value)
        assert office.good.requests == []
        await system.save_settings({"providers.local.enabled": True})
        assert (await system.integration.generate_enhanced_response(ASK)).provider == "local"


async def test_an_answer_that_is_kept_is_not_given_to_who_may_not_ask_for_it(office: Office) -> None:
    text = "Count to sixty, again"
    office.settings(more="enabled = false", default="good", chain='["good"]')
    async with office.program() as system:
        ask = EnhancedLLMRequest(text, provider="good", conversation_id="new")
        await system.integration.generate_enhanced_response(ask)
        assert (await system.integration.generate_enhanced_response(ask)).cached
        office.policy.write_text('[models]\ndenied = ["fine"]')
        await system.save_settings({"routing.strategy": "fastest"})
        with pytest.raises(PolicyRefused):
            await system.integration.generate_enhanced_response(ask)
        assert len(await AuditLog(system.db).entries()) == 1


async def test_a_policy_that_comes_while_the_window_is_open_counts_without_a_restart(office: Office) -> None:
    text = office.policy.read_text()
    office.policy.unlink()
    office.settings(more="enabled = false", default="good", chain='["good"]')
    async with office.program() as system:
        assert not system.manager.policy
        done = asyncio.Event()

        async def reload() -> None:
            await system._reload()
            done.set()

        watch = asyncio.create_task(system.policy.watch(reload, 0.01))
        office.policy.write_text(text.replace("allowed_hosts = [", 'allowed = ["nobody"]\nallowed_hosts = ['))
        await asyncio.wait_for(done.wait(), 10)
        with pytest.raises(PolicyRefused):
            await system.integration.generate_enhanced_response(ASK)
        done.clear()
        office.policy.unlink()
        await asyncio.wait_for(done.wait(), 10)
        assert (await system.integration.generate_enhanced_response(ASK)).provider == "good"
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


def test_a_provider_with_several_keys_is_believed_no_more_than_one_with_one() -> None:
    config = LLMProviderConfig(
        "openai_compatible", "m", provider_id="p", api_endpoint="https://192.168.1.5/v1", local_only=True
    )
    keys = [PoolKey("1", "first-key", "first"), PoolKey("2", "second-key", "second")]
    book = PolicyBook((Policy("The policy", redact_outgoing=True),), "anna")
    assert not KeyPool(config, keys, guarded(build_provider, lambda: book)).is_local
    assert KeyPool(config, keys, guarded(build_provider, PolicyBook)).is_local
