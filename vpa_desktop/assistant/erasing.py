"""Removes everything of the program from this machine: what that is, and doing it. Files are deleted, not overwritten.

A policy stays: it is a rule, often somebody else's. So do files that this program did not make.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vpa_desktop.config import Paths
from vpa_desktop.errors import SecretError, StorageError, VaultUnavailable
from vpa_desktop.security.vault import KeyVault, forget_everything
from vpa_desktop.storage.occupancy import refuse_open_window, sole_connection
from vpa_desktop.storage.soundness import counts_of

NOT_ERASED: Final = "Nothing was removed"
KEEP_KEYS: Final = "add --keep-keys to leave them there"


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of data: what it is, and its files."""

    what: str
    paths: tuple[Path, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that would go. ``keys`` are those of the vault; ``left`` what stays, with the reason."""

    parts: tuple[Part, ...]
    rows: dict[str, int]
    keys: tuple[str, ...] = ()
    key_place: str = ""
    key_problem: str = ""
    left: tuple[str, ...] = field(default=())


async def plan(paths: Paths, vault: KeyVault | None) -> Plan:
    """Look at what there is, and change nothing. ``vault`` None leaves keys alone."""
    keys: tuple[str, ...] = ()
    problem = ""
    if vault is not None:
        try:
            keys = tuple(entry for entry in await vault.ids() if not entry.endswith("#.about"))
        except SecretError as exc:
            problem = str(exc)
    parts = tuple(part for part in _parts(paths) if part.paths)
    place = vault.name if vault is not None else ""
    return Plan(parts, counts_of(paths.database), keys, place, problem, tuple(_left(paths, parts)))


async def erase(paths: Paths, found: Plan, vault: KeyVault | None) -> list[str]:
    """Remove what the plan has; returns sentences about what could not be removed. Raises StorageError, SecretError.

    Keys go first: where they cannot be had, nothing is removed. Refuses while another copy has the data open.
    """
    refuse_open_window(paths.window_lock, NOT_ERASED)
    if paths.database.is_file() and found.rows:
        with sole_connection(paths.database, NOT_ERASED):
            pass
    if vault is not None:
        await _erase_keys(found, vault)
    problems = [said for part in found.parts for path in part.paths if (said := _remove(path))]
    for folder in (paths.home, paths.settings_file.parent):
        with suppress(OSError):  # something else is in it
            folder.rmdir()
    return problems


async def _erase_keys(found: Plan, vault: KeyVault) -> None:
    if found.key_problem:
        raise VaultUnavailable(NOT_ERASED, f"The keys could not be had. {found.key_problem}", f"Or {KEEP_KEYS}")
    await forget_everything(vault)


def _parts(paths: Paths) -> Iterator[Part]:
    home, settings = paths.home, paths.settings_file
    stem = paths.database.stem
    yield _part("database", [*home.glob(f"{paths.database.name}*"), *home.glob(f"{stem}.damaged-*")])
    yield _part("index", [paths.index])
    yield _part("backups", [paths.backups, *home.glob(".restoring-*")])
    yield _part("logs", [paths.logs])
    yield _part("settings", [*settings.parent.glob(f"{settings.name}*"), *settings.parent.glob(f".{settings.name}.*")])
    yield _part("encrypted key file", [paths.key_file, *home.glob(f".{paths.key_file.name}.*")])
    others = (paths.serve_tokens, paths.model_lists, paths.window_geometry, paths.window_lock)
    yield _part("tokens, model lists, place of the window", others)


def _part(what: str, paths: list[Path] | tuple[Path, ...]) -> Part:
    there = tuple(sorted(path for path in paths if path.exists() or path.is_symlink()))
    return Part(what, there, sum(_size(path) for path in there))


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(each.lstat().st_size for each in files if each.is_file() or each.is_symlink())


def _left(paths: Paths, parts: tuple[Part, ...]) -> Iterator[str]:
    going = {path for part in parts for path in part.paths}
    if paths.policy_file.exists():
        yield f"{paths.policy_file}: a policy is a rule, not your data"
    with suppress(OSError):
        for path in sorted(paths.home.iterdir()):
            if path not in going and path != paths.policy_file:
                yield f"{path}: VPA Desktop did not make it"


def _remove(path: Path) -> str:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as exc:
        return f"{path} could not be removed: {exc.strerror or exc}"
    return ""


def failed(problems: list[str]) -> StorageError:
    """The error that says what is still there."""
    return StorageError(
        "Not everything was removed", "; ".join(problems[:5]), "Mend the permissions, and run the command again"
    )
