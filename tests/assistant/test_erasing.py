"""Erasing: everything of ours goes, keys too, and nothing else does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vpa_desktop.assistant.erasing import erase, plan
from vpa_desktop.config import Paths
from vpa_desktop.errors import SecretError, StorageError, VaultUnavailable
from vpa_desktop.security.key_store import KeyStore
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()} if folder.exists() else set()


async def lived_in(home: Path) -> Paths:
    """A data folder with something of everything in it."""
    paths = Paths(home, home / "settings.toml")
    paths.make()
    db = await Database.open(paths.database, backups=paths.backups)
    await ConversationStore(db).create("secret plans")
    await db.backup()
    await db.aclose()
    for path in (paths.settings_file, paths.key_file, paths.serve_tokens, paths.model_lists, paths.window_geometry,
                 paths.window_lock, paths.logs / "vpa.log", paths.index / "p.faiss", home / "vpa.damaged-2026.db",
                 home / "settings.toml.bak"):  # fmt: skip
        path.write_text("x")
    return paths


async def test_everything_goes_with_the_keys(tmp_path: Path) -> None:
    paths = await lived_in(tmp_path / "home")
    vault = MemoryVault()
    await KeyStore(vault).put("main", "", "sk-0123456789", "https://a")
    await KeyStore(vault).put("main", "team", "sk-9876543210", "https://a")
    found = await plan(paths, vault)
    assert found.keys == ("main", "main#team")
    assert found.rows["conversations"] == 1
    assert await erase(paths, found, vault) == []
    assert await vault.ids() == []
    assert names(tmp_path) == set()


async def test_looking_changes_nothing(tmp_path: Path) -> None:
    paths = await lived_in(tmp_path / "home")
    before = names(paths.home)
    await plan(paths, MemoryVault())
    assert names(paths.home) == before


async def test_what_is_not_ours_stays_and_is_said(tmp_path: Path) -> None:
    paths = await lived_in(tmp_path / "home")
    for name in ("policy.toml", "thesis.docx"):
        (paths.home / name).write_text("mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    paths.model_lists.unlink()
    paths.model_lists.symlink_to(outside)
    found = await plan(paths, None)
    assert [line.split(": ")[0].rsplit("/")[-1] for line in found.left] == ["policy.toml", "thesis.docx"]
    await erase(paths, found, None)
    assert names(paths.home) == {"policy.toml", "thesis.docx"}
    assert names(outside) == {"file"}


async def test_nothing_goes_while_the_data_is_open(tmp_path: Path) -> None:
    paths = await lived_in(tmp_path / "home")
    paths.window_lock.write_text(f"{os.getpid()}\nvpa-desktop\nhost\n")
    with pytest.raises(StorageError, match="The window is open"):
        await erase(paths, await plan(paths, None), None)
    paths.window_lock.unlink()
    db = await Database.open(paths.database, backups=paths.backups)
    await ConversationStore(db).list()
    found = await plan(paths, None)
    with pytest.raises(StorageError, match="Another copy of the program"):
        await erase(paths, found, None)
    await db.aclose()
    assert "settings.toml" in names(paths.home)
    assert await erase(paths, await plan(paths, None), None) == []


class NoVault(MemoryVault):
    """A keyring that is not there."""

    async def ids(self) -> list[str]:
        raise VaultUnavailable("There is no system keyring here", "No keyring service is running")


async def test_where_keys_cannot_be_had_nothing_goes(tmp_path: Path) -> None:
    paths = await lived_in(tmp_path / "home")
    found = await plan(paths, NoVault())
    assert "no system keyring" in found.key_problem
    before = names(paths.home)
    with pytest.raises(SecretError, match="Nothing was removed"):
        await erase(paths, found, NoVault())
    assert names(paths.home) == before
