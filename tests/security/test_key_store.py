"""Several keys in one vault: their order, their hosts, and what stays of an old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeClock
from vpa_desktop.errors import ConfigError, VaultLocked
from vpa_desktop.security.file_vault import FileVault
from vpa_desktop.security.key_store import GRACE, KeyStore
from vpa_desktop.security.vault import MemoryVault

ONE, TWO, THREE = (f"sk-test-{n}-0123456789abcdef" for n in "123")
HOST = "https://api.openai.com"


async def labels(store: KeyStore) -> list[tuple[str, str]]:
    return [(each.label, each.key) for each in await store.keys("work")]


async def test_a_key_stored_by_an_earlier_version_is_the_first_and_stays_where_it_is() -> None:
    vault = MemoryVault()
    await vault.set("work", ONE)
    store = KeyStore(vault)
    assert [(k.label, k.key, k.host) for k in await store.keys("work")] == [("", ONE, "")]
    await store.put("work", "team", TWO, HOST)
    assert await labels(store) == [("", ONE), ("team", TWO)]
    assert await vault.get("work") == ONE
    await store.record_host("work", "https://first.example")
    assert [k.host for k in await store.keys("work")] == ["https://first.example", HOST]


async def test_keys_survive_a_restart_in_the_encrypted_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.vault"
    await KeyStore(FileVault(path, "a passphrase")).put("work", "", ONE, HOST)
    await KeyStore(FileVault(path, "a passphrase")).put("work", "team", TWO, HOST)
    again = KeyStore(FileVault(path, "a passphrase"))
    assert await labels(again) == [("", ONE), ("team", TWO)]
    assert await again.remove("work", "") == [""]
    assert await labels(again) == [("team", TWO)]
    assert await again.remove("work") == ["team"]
    assert await again.vault.ids() == []


async def test_a_rotation_puts_the_new_key_in_front_and_keeps_the_old_one_for_a_while() -> None:
    clock, vault = FakeClock(), MemoryVault()
    store = KeyStore(vault, now=clock.now)
    await store.put("work", "", ONE, HOST)
    await store.put("work", "team", TWO, HOST)
    old = await store.rotate("work", "", THREE, HOST)
    assert old is not None
    assert old.retires_at == clock.now() + GRACE
    assert await labels(store) == [("", THREE), ("team", TWO), ("old", ONE)]
    clock.advance(GRACE.total_seconds() - 1)
    assert len(await store.keys("work")) == 3
    clock.advance(2)
    assert await labels(store) == [("", THREE), ("team", TWO)]
    assert ONE not in [await vault.get(entry) for entry in await vault.ids()], "it is gone from the vault too"


async def test_a_second_rotation_keeps_only_the_last_old_key_and_the_same_key_is_no_rotation() -> None:
    store = KeyStore(MemoryVault())
    assert await store.rotate("work", "team", ONE, HOST) is None
    await store.rotate("work", "team", TWO, HOST)
    await store.rotate("work", "team", THREE, HOST)
    assert await labels(store) == [("team", THREE), ("team-old", TWO)]
    assert await store.rotate("work", "team", THREE, HOST) is None
    assert await labels(store) == [("team", THREE), ("team-old", TWO)]


async def test_a_damaged_list_of_keys_costs_the_names_and_not_the_first_key() -> None:
    vault = MemoryVault()
    store = KeyStore(vault, now=FakeClock().now)
    await store.put("work", "", ONE, HOST)
    for text in ("{", '["x"]', '[{"label":"../x","host":""}]', "7"):
        await vault.set("work#.about", text)
        assert await labels(store) == [("", ONE)]


async def test_removing_every_key_takes_those_along_whose_names_are_lost() -> None:
    vault = MemoryVault()
    store = KeyStore(vault)
    for provider, label in (("work", ""), ("work", "team"), ("work2", "team")):
        await store.put(provider, label, ONE, HOST)
    await vault.set("work#.about", "damaged")
    await store.remove("work")
    assert await vault.ids() == ["work2#.about", "work2#team"]


@pytest.mark.parametrize("label", ["two words", ".about", "#", "x" * 33, "a,b", "-x"])
async def test_what_cannot_be_a_name_is_refused(label: str) -> None:
    store = KeyStore(MemoryVault())
    with pytest.raises(ConfigError, match="cannot be the name"):
        await store.put("work", label, ONE, HOST)
    assert await store.vault.ids() == []


async def test_a_locked_file_opens_with_its_passphrase_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.vault"
    await FileVault(path, "a passphrase").set("work", ONE)
    vault = FileVault(path, None)
    assert vault.needs_passphrase
    with pytest.raises(VaultLocked):
        await vault.get("work")
    with pytest.raises(VaultLocked):
        await vault.unlock("a wrong one")
    assert vault.needs_passphrase
    await vault.unlock("a passphrase")
    assert (vault.needs_passphrase, await vault.get("work")) == (False, ONE)


async def test_each_change_is_noted_without_the_key() -> None:
    said: list[tuple[str, str, dict[str, object]]] = []

    async def note(action: str, target: str, result: str, **facts: object) -> None:
        said.append((action, target, facts))

    store = KeyStore(MemoryVault())
    store.noted = note
    await store.put("main", "", "sk-0123456789", "https://a")
    await store.rotate("main", "", "sk-9876543210", "https://a")
    await store.remove("main", "old")
    await store.remove("main", "nothing")
    assert said == [
        ("key stored", "main", {"label": "default", "host": "https://a"}),
        ("key rotated", "main", {"label": "default", "host": "https://a", "old_kept_as": "old"}),
        ("key deleted", "main", {"label": "old"}),
    ]
    assert "sk-" not in repr(said)
