"""Taking over an old configuration: written once, keys in the vault, a copy kept, nothing of the person's changed."""

# Files of a few bytes, and nothing else on the loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_old_config import KEY, OLD
from vpa_desktop.assistant.old_setup import OldSetupDesk
from vpa_desktop.errors import ConfigError, UsageError, VaultUnavailable
from vpa_desktop.security.file_vault import FileVault
from vpa_desktop.security.key_store import KeyStore
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.settings_file import load_settings

MINE = '# my own words\n[providers.openai_gpt4]\nkind = "openai"\nmodel = "gpt-4o"  # better\n'


class BrokenVault(FileVault):
    """A vault that cannot store."""

    async def set(self, provider_id: str, key: str) -> None:
        raise VaultUnavailable("The key cannot be stored", "The vault is broken", "Mend it")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "llm_config.json"
    path.write_text(json.dumps(OLD, indent=2))
    return path


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(FileVault(tmp_path / "keys.vault", "passphrase"))


def desk(tmp_path: Path, store: KeyStore) -> OldSetupDesk:
    return OldSetupDesk(tmp_path / "settings.toml", tmp_path / "backups", store)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


async def test_settings_keys_and_a_copy_and_the_second_time_nothing(
    tmp_path: Path, file: Path, store: KeyStore
) -> None:
    taken = await desk(tmp_path, store).take_file(file)
    settings = load_settings(tmp_path / "settings.toml")
    assert settings.problems == ()
    assert str(settings.settings.providers["openai_gpt4"].model) == "gpt-4"
    assert settings.settings.routing.failover_chain == ("openai_gpt4", "ollama")
    assert taken.keys == {"openai_gpt4": "stored"}
    assert [each.key for each in await store.keys("openai_gpt4")] == [KEY]
    assert KEY not in (tmp_path / "settings.toml").read_text()
    assert [path.read_bytes() for path in taken.backups] == [file.read_bytes()]
    assert taken.backups[0].stat().st_mode & 0o777 == 0o600
    assert taken.holds_keys
    before = everything(tmp_path)
    again = await desk(tmp_path, store).take_file(file)
    assert (again.written, again.kept, again.keys) == ({}, {}, {"openai_gpt4": "there already"})
    assert everything(tmp_path) == before


async def test_what_settings_say_already_stays_with_its_comments(tmp_path: Path, file: Path, store: KeyStore) -> None:
    (tmp_path / "settings.toml").write_text(MINE)
    await store.put("openai_gpt4", "", "sk-another", "")
    taken = await desk(tmp_path, store).take_file(file)
    text = (tmp_path / "settings.toml").read_text()
    assert text.startswith(MINE)
    assert taken.kept == {"providers.openai_gpt4.model": "gpt-4o"}
    assert taken.keys["openai_gpt4"].startswith("not moved: another key")
    assert MINE.encode() in [path.read_bytes() for path in taken.backups]


async def test_keys_are_taken_out_of_the_file_only_once_the_vault_has_them(
    tmp_path: Path, file: Path, store: KeyStore
) -> None:
    broken = await desk(tmp_path, KeyStore(BrokenVault(tmp_path / "b", "x"))).take_file(file, remove_keys=True)
    assert broken.keys["openai_gpt4"].startswith("not moved")
    assert KEY in file.read_text()
    kept_in_memory = await desk(tmp_path, KeyStore(MemoryVault())).take_file(file, remove_keys=True)
    assert "this session only" in kept_in_memory.keys["openai_gpt4"]
    assert KEY in file.read_text()
    taken = await desk(tmp_path, store).take_file(file, remove_keys=True)
    assert not taken.holds_keys
    assert json.loads(file.read_text())["providers"]["openai_gpt4"]["api_key"] == ""
    assert not any(KEY.encode() in data for data in everything(tmp_path).values())


async def test_a_name_of_another_kind_and_an_address_with_a_secret_are_left_out(
    tmp_path: Path, store: KeyStore
) -> None:
    (tmp_path / "settings.toml").write_text('[providers.main]\nkind = "mock"\n')
    file = tmp_path / "old.json"
    bad = {"provider": "custom", "endpoint": "https://user:pw@example.org/v1"}
    file.write_text(json.dumps({"providers": {"main": {"provider": "openai", "model": "gpt-4"}, "mine": bad}}))
    taken = await desk(tmp_path, store).take_file(file)
    assert taken.written == {"providers.mine.kind": "openai_compatible"}
    assert "main (openai) was left out" in "".join(taken.left_out)
    assert "providers.mine.api_endpoint was left out" in "".join(taken.left_out)
    assert "pw" not in (tmp_path / "settings.toml").read_text()


@pytest.mark.parametrize("data", [b"", b"hello", b"[1]", b"\xff\xfe\x00", b'{"providers": '])
async def test_a_bad_file_changes_nothing(data: bytes, tmp_path: Path, store: KeyStore) -> None:
    file = tmp_path / "old.json"
    file.write_bytes(data)
    before = everything(tmp_path)
    with pytest.raises(UsageError, match=r"old\.json was not taken over"):
        await desk(tmp_path, store).take_file(file)
    assert everything(tmp_path) == before
    with pytest.raises(UsageError, match="There is no file"):
        await desk(tmp_path, store).take_file(tmp_path / "gone.json")
    with pytest.raises(UsageError, match="nothing to take over"):
        await desk(tmp_path, store).take_variables({})


async def test_settings_that_cannot_be_read_are_not_touched(tmp_path: Path, file: Path, store: KeyStore) -> None:
    (tmp_path / "settings.toml").write_text("[providers\n")
    with pytest.raises(ConfigError, match=r"settings\.toml was not changed"):
        await desk(tmp_path, store).take_file(file)
    assert (tmp_path / "settings.toml").read_text() == "[providers\n"


async def test_old_variables_are_written_without_the_keys_of_the_environment(tmp_path: Path, store: KeyStore) -> None:
    taken = await desk(tmp_path, store).take_variables({"VPA_OPENAI_MODEL": "gpt-4", "OPENAI_API_KEY": KEY})
    assert taken.written == {"providers.openai.kind": "openai", "providers.openai.model": "gpt-4"}
    assert taken.keys == {}
