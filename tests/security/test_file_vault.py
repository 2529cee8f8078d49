"""The encrypted key file: every changed bit is noticed, nothing readable is written, one step at a time."""

# The loop has nothing else to do while a test waits for a file.
# ruff: noqa: ASYNC240

from __future__ import annotations

import asyncio
import json
import random
import stat
from pathlib import Path

import pytest

from vpa_desktop.errors import ConfigError, SecretError, VaultLocked, VaultUnavailable
from vpa_desktop.security.file_vault import FileVault
from vpa_desktop.security.vault import KeyringVault, KeyVault, MemoryVault, open_vault

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "keys.vault"


async def filled(path: Path) -> FileVault:
    vault = FileVault(path, "a passphrase")
    await vault.set("openai", KEY)
    return vault


@pytest.mark.parametrize("kind", ["file", "memory"])
async def test_a_vault_keeps_and_forgets(path: Path, kind: str) -> None:
    vault: KeyVault = open_vault(kind, file=path, passphrase="a passphrase")
    assert await vault.get("openai") is None
    assert await vault.ids() == []
    await vault.set("openai", KEY)
    await vault.set("anthropic", "sk-ant-é中")
    await vault.set("openai", KEY + "2")
    assert await vault.ids() == ["anthropic", "openai"]
    assert await vault.get("openai") == KEY + "2"
    assert await vault.get("anthropic") == "sk-ant-é中"
    await vault.delete("openai")
    await vault.delete("openai")
    assert await vault.ids() == ["anthropic"]


async def test_another_process_opens_it_with_the_passphrase_only(path: Path) -> None:
    await filled(path)
    assert await FileVault(path, "a passphrase").get("openai") == KEY
    with pytest.raises(VaultLocked, match="passphrase is wrong"):
        await FileVault(path, "another").get("openai")
    with pytest.raises(VaultLocked, match="was not given"):
        await FileVault(path, None).get("openai")


async def test_the_file_is_private_and_holds_nothing_readable(path: Path) -> None:
    vault = await filled(path)
    first = path.read_bytes()
    await vault.set("openai", KEY)
    assert KEY.encode() not in first
    assert b"openai" not in first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    header = first.index(b"\n", first.index(b"\n") + 1) + 1
    assert path.read_bytes()[header : header + 12] != first[header : header + 12]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_every_flipped_bit_after_the_header_is_noticed(path: Path) -> None:
    vault = await filled(path)
    sound = path.read_bytes()
    header = sound.index(b"\n", sound.index(b"\n") + 1) + 1
    for bit in range(header * 8, len(sound) * 8):
        bad = bytearray(sound)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        with pytest.raises(SecretError):
            await vault.get("openai")
    path.write_bytes(sound)
    assert await vault.get("openai") == KEY


async def test_flipped_bits_of_the_header_are_noticed(path: Path) -> None:
    await filled(path)
    sound = path.read_bytes()
    header = sound.index(b"\n", sound.index(b"\n") + 1) + 1
    for bit in random.Random(3).sample(range(header * 8), 25):
        bad = bytearray(sound)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        with pytest.raises(SecretError):
            await FileVault(path, "a passphrase").get("openai")


async def test_a_file_cut_at_any_byte_is_refused_and_not_overwritten(path: Path) -> None:
    vault = await filled(path)
    sound = path.read_bytes()
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        with pytest.raises(SecretError):
            await vault.set("openai", "new")
        assert path.read_bytes() == sound[:length]


@pytest.mark.parametrize("change", [{"memory_kib": 8}, {"passes": 1}, {"memory_kib": 1 << 30}, {"salt": ""}])
async def test_weak_or_absurd_parameters_are_refused(path: Path, change: dict[str, object]) -> None:
    await filled(path)
    magic, text, rest = path.read_bytes().split(b"\n", 2)
    header = json.dumps({**json.loads(text), **change}).encode()
    path.write_bytes(b"\n".join([magic, header, rest]))
    with pytest.raises(VaultUnavailable, match="damaged"):
        await FileVault(path, "a passphrase").get("openai")


async def test_writes_at_once_are_all_kept(path: Path) -> None:
    vault = await filled(path)
    await asyncio.gather(*(vault.set(f"p{n}", f"key-number-{n}") for n in range(20)))
    assert len(await FileVault(path, "a passphrase").ids()) == 21


async def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultUnavailable, match="key file"):
        await FileVault(tmp_path / "file" / "keys", "p").set("openai", KEY)


def test_the_setting_names_the_vault(path: Path) -> None:
    names = [open_vault(choice, file=path).name for choice in ("keyring", "file", "memory")]
    assert names == ["system keyring", "encrypted file", "this session only"]
    assert isinstance(open_vault("keyring", file=path), KeyringVault)
    assert isinstance(open_vault("memory", file=path), MemoryVault)
    with pytest.raises(ConfigError, match="plain"):
        open_vault("plain", file=path)
