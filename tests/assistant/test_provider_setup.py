"""Setting up providers and keys: keys only in the vault, bound to their host, and never sent to another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from vpa_desktop.assistant.key_desk import KeyDesk
from vpa_desktop.assistant.keys import clean_key, environment_key, missing_key
from vpa_desktop.assistant.provider_setup import ProviderSetup
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import Settings
from vpa_desktop.errors import ConfigError
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import LLMRequest
from vpa_desktop.providers import build_provider
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.records import ProviderDraft
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.settings_file import load_settings

KEY = "sk-test-0123456789abcdef"


class Bench:
    def __init__(self, folder: Path, environ: dict[str, str] | None = None) -> None:
        self.file = folder / "settings.toml"
        self.vault = MemoryVault()
        self.manager = LLMProviderManager()
        self.built: list[LLMProviderConfig] = []
        self.setup = ProviderSetup(self.manager, self.vault, self.settings, self.file, environ or {}, self.build)
        self.desk = KeyDesk(self.setup)

    def settings(self) -> Settings:
        return load_settings(self.file).settings

    def build(self, config: LLMProviderConfig) -> BaseLLMProvider:
        self.built.append(config)
        return build_provider(config)


async def test_a_key_typed_in_settings_is_in_the_vault_and_not_in_the_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.setup.save(ProviderDraft("work", "openai", "gpt-6-luna", key=f' "{KEY}"\n'))
    assert await bench.vault.get("work") == KEY
    assert KEY not in bench.file.read_text()
    await bench.setup.refresh()
    assert bench.manager.provider_ids[0] == "work"
    assert bench.built[0].api_key == KEY
    assert KEY not in repr(bench.built[0])


async def test_a_new_address_asks_for_the_key_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.setup.save(ProviderDraft("work", "openai", key=KEY))
    with pytest.raises(ConfigError, match="Type the key again"):
        await bench.setup.save(ProviderDraft("work", "openai", endpoint="https://other.example/v1"))
    verdict = await bench.setup.test(ProviderDraft("work", "openai", endpoint="https://other.example/v1"))
    assert not verdict.ok
    assert "no key" in verdict.sentence
    assert all(c.api_key is None for c in bench.built)


async def test_keys_of_the_environment_make_their_provider_at_once_and_win(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"ANTHROPIC_API_KEY": KEY})
    assert bench.setup.register_at_once() == []
    assert set(bench.manager.provider_ids) == {"anthropic", "local"}
    keys = await bench.desk.list_keys()
    assert [(k.provider, k.source, k.hint) for k in keys] == [("anthropic", "environment", "…cdef")]
    with pytest.raises(ConfigError, match="environment"):
        await bench.desk.delete_key("anthropic")


async def test_the_general_key_does_not_go_to_a_custom_endpoint(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"OPENAI_API_KEY": KEY})
    bench.file.write_text(
        '[providers.box]\nkind = "openai_compatible"\nmodel = "m"\napi_endpoint = "http://127.0.0.1:9/v1"\n'
    )
    waiting = bench.setup.register_at_once()
    await bench.setup.register_from_vault(waiting)
    assert {c.provider_id: c.api_key for c in bench.built}["box"] is None


async def test_removing_takes_the_key_and_the_routes_with_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.setup.save(ProviderDraft("work", "openai", key=KEY, make_default=True))
    await bench.setup.remove("work")
    assert await bench.vault.get("work") is None
    assert bench.settings().routing.default_provider == ""
    assert not load_settings(bench.file).problems
    with pytest.raises(ConfigError, match="no provider work"):
        await bench.setup.remove("work")


@pytest.mark.parametrize("bad", ["", "   ", '""', "two words", "line\nbreak", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_without_showing_it(bad: str) -> None:
    with pytest.raises(ConfigError) as refused:
        clean_key(bad)
    assert not bad.strip() or bad not in str(refused.value)


@pytest.mark.parametrize("endpoint", ["ftp://x/v1", "api.openai.com/v1", "https://", "javascript:alert(1)"])
async def test_an_address_that_is_none_is_refused(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(ConfigError, match="not an address"):
        await Bench(tmp_path).setup.save(ProviderDraft("x", "openai_compatible", endpoint=endpoint))


@pytest.mark.parametrize(
    "endpoint", ["http://[::1", "https://host:99999/v1", "https://host:abc/v1", "https://me:pass-word@host/v1"]
)
async def test_an_endpoint_that_is_no_address_gets_its_sentence(tmp_path: Path, endpoint: str) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(ConfigError, match=r"endpoint|not an address"):
        await bench.setup.save(ProviderDraft("work", "openai", endpoint=endpoint))
    bench.file.write_text(f'[providers.work]\nkind = "openai"\napi_endpoint = "{endpoint}"\n')
    verdict = await bench.setup.test(ProviderDraft("work", "openai", endpoint=endpoint, key=KEY))
    assert not verdict.ok
    assert [p.id for p in await bench.setup.list_providers()] == ["work", "local"]
    await bench.setup.save(ProviderDraft("work", "openai", endpoint="https://good.example/v1"))


async def test_a_key_that_is_not_there_is_not_said_to_be_deleted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(ConfigError, match="no key of work"):
        await bench.desk.delete_key("work")
    await bench.vault.set("work", KEY)
    await bench.desk.delete_key("work")
    assert await bench.vault.get("work") is None


@pytest.mark.parametrize(
    "pasted",
    [
        f"  {KEY}\r\n",
        f"'{KEY}'",
        f"\u201c{KEY}\u201d",
        f"Bearer {KEY}",
        f"Authorization: Bearer {KEY}",
        f"OPENAI_API_KEY={KEY}",
        f'export OPENAI_API_KEY="{KEY}"',
        f"x-api-key: {KEY}",
        f"\ufeff{KEY}\u200b",
    ],
)
def test_what_was_copied_along_with_a_key_is_taken_off(pasted: str) -> None:
    assert clean_key(pasted) == KEY


def test_a_key_that_ends_in_equals_signs_stays_whole() -> None:
    assert clean_key("QUJDREVGR0g9PQ==") == "QUJDREVGR0g9PQ=="


async def test_options_of_a_kind_are_stored_and_go_back_to_the_default(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    options = {"timeout_s": 12.0, "proxy": "http://p.example:3128", "effort": "low"}
    await bench.setup.save(ProviderDraft("work", "openai", key=KEY, options=options))
    status = (await bench.setup.list_providers())[0]
    assert status.options == options
    assert not load_settings(bench.file).problems
    await bench.setup.save(ProviderDraft("work", "openai", options={"timeout_s": None}))
    assert bench.settings().providers["work"].timeout == LLMProviderConfig("openai").timeout
    assert bench.settings().providers["work"].proxy == "http://p.example:3128"
    with pytest.raises(ConfigError, match="not a setting"):
        await bench.setup.save(ProviderDraft("work", "openai", options={"api_key": KEY}))
    assert KEY not in bench.file.read_text()


async def test_the_order_is_one_list_and_a_new_provider_comes_before_the_local_model(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for name in ("a", "b", "c"):
        await bench.setup.save(ProviderDraft(name, "mock"))
    await bench.setup.refresh()
    assert bench.setup.order() == ["a", "b", "c", "local"]
    assert bench.setup.set_order(["c", "a"]) == ["c", "a", "b", "local"]
    bench.manager.routing = bench.settings().routing
    assert [p.provider_id for p in bench.manager.route(LLMRequest(()))] == ["c", "a", "b", "local"]
    await bench.setup.save(ProviderDraft("d", "mock"))
    bench.manager.routing = bench.settings().routing
    assert bench.setup.order() == ["c", "a", "b", "d", "local"]
    await bench.setup.save(ProviderDraft("b", "mock", make_default=True))
    bench.manager.routing = bench.settings().routing
    assert bench.setup.order() == ["b", "c", "a", "d", "local"]
    assert bench.settings().routing.default_provider == "b"
    with pytest.raises(ConfigError, match="no provider nobody"):
        bench.setup.set_order(["nobody"])
    with pytest.raises(ConfigError, match="twice"):
        bench.setup.set_order(["a", "a"])


@pytest.mark.parametrize(
    ("kind", "endpoint", "found"),
    [
        ("openai", None, True),
        ("openai", "http://127.0.0.1:8000/v1", True),
        ("openai", "https://api.openai.com/v1", True),
        ("openai", "https://api.openai.com.evil.example/v1", False),
        ("openai", "https://gateway.example/v1", False),
        ("azure", "https://mine.openai.azure.com", True),
        ("azure", "https://mine.openai.azure.com.evil.example", False),
        ("google", "https://proxy.example", False),
    ],
)
def test_a_vendors_variable_is_for_the_vendors_host_only(kind: str, endpoint: str | None, found: bool) -> None:
    config = LLMProviderConfig(kind, provider_id="mine", api_endpoint=endpoint)
    vendor = {"OPENAI_API_KEY": "sk-vendor", "AZURE_OPENAI_API_KEY": "sk-vendor", "GOOGLE_API_KEY": "sk-vendor"}
    assert (environment_key(config, vendor).key == "sk-vendor") is found
    assert ("VPA_KEY_MINE" in missing_key(config, vendor)) is not found
    assert environment_key(config, {**vendor, "VPA_KEY_MINE": "sk-mine"}).key == "sk-mine"
