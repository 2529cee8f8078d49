"""Takes over the configuration of before: settings into settings.toml, keys into the vault, a copy of what was there.

What settings.toml says already stays as it is, so that doing it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpa_desktop.assistant.provider_rules import check_addresses, home_of_key
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ConfigError, SecretError, StorageError, UsageError
from vpa_desktop.old_config import Converted, convert_text, convert_variables
from vpa_desktop.old_names import OLD_VARIABLES
from vpa_desktop.security.key_store import KeyStore
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.settings_file import save_changes, write_atomically

MOST_BYTES = 10_000_000


@dataclass(slots=True)
class TakenOver:
    """What was written, what stays because settings.toml says it already, where keys went, and what has no place."""

    written: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    backups: list[Path] = field(default_factory=list)
    holds_keys: bool = False


class OldSetupDesk:
    """Takes over old files and variables into one settings.toml and one vault."""

    def __init__(self, settings_file: Path, backups: Path, store: KeyStore) -> None:
        self._settings_file = settings_file
        self._backups = backups
        self._store = store

    async def take_file(self, file: Path, *, remove_keys: bool = False) -> TakenOver:
        """Take over a JSON file, or a file of ``export NAME=value`` lines; raises VPAError, and then changed nothing.

        ``remove_keys`` takes each key out of the file, and of its copy, once the vault has it.
        """
        text = _read(file)
        found = convert_text(text)
        if found is None or not (found.changes or found.keys or found.left):
            raise UsageError(
                f"{file.name} was not taken over",
                "It is no JSON object and has no line such as VPA_OPENAI_MODEL=gpt-4",
                "Name the file of the old configuration",
            )
        taken = await self._take(found, file)
        if remove_keys:
            stored = [found.keys[i] for i in taken.keys if taken.keys[i] in ("stored", "there already")]
            for path in (file, *(each for each in taken.backups if each.suffix == file.suffix)):
                _take_out(path, stored)
        left = _read(file)
        taken.holds_keys = any(key in left for key in found.keys.values())
        return taken

    async def take_variables(self, environ: Mapping[str, str]) -> TakenOver:
        """Take over the old variables of the environment. Keys of the environment stay there: they go on counting."""
        given = {name: environ[name] for name in OLD_VARIABLES if environ.get(name, "").strip()}
        if not given:
            raise UsageError(
                "There is nothing to take over",
                "No file was named, and no variable with an old name is set",
                "Name the file: vpa-desktop migrate legacy FILE",
            )
        return await self._take(convert_variables(given), None)

    async def _take(self, found: Converted, file: Path | None) -> TakenOver:
        there = _tables(self._settings_file)
        taken = TakenOver(left_out=list(found.left))
        wanted = _without_bad_addresses(_without_strangers(found.changes, there, taken), taken)
        for key, value in wanted.items():
            now = _held(there, key)
            if now is None:
                taken.written[key] = value
            elif now != (list(value) if isinstance(value, tuple) else value):
                taken.kept[key] = now
        if file is not None:
            taken.backups.append(self._backed_up(file))
        if taken.written:
            if self._settings_file.exists():
                taken.backups.append(self._backed_up(self._settings_file))
            save_changes(self._settings_file, taken.written)
        for provider_id, key in found.keys.items():
            taken.keys[provider_id] = await self._keep(provider_id, key, wanted)
        return taken

    def _backed_up(self, file: Path) -> Path:
        """A copy of the file for this person only; the same content is copied once."""
        data = file.read_bytes()
        name = f"{file.stem}-{hashlib.sha256(data).hexdigest()[:12]}{file.suffix}"
        copy = self._backups / "before-migration" / name
        if not copy.exists():
            write_atomically(copy, data)
        return copy

    async def _keep(self, provider_id: str, key: str, changes: Mapping[str, Any]) -> str:
        """Put a key into the vault; returns in words what came of it."""
        if isinstance(self._store.vault, MemoryVault):
            return "not moved: the vault holds keys for this session only (VPA_VAULT=keyring or file keeps them)"
        try:
            there = [each.key for each in await self._store.keys(provider_id)]
            if key in there:
                return "there already"
            if there:
                return "not moved: another key is there already, and stays"
            await self._store.put(provider_id, "", key, home_of_key(_config(provider_id, changes)))
        except SecretError as exc:
            return f"not moved: {exc}"
        return "stored"


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UsageError(f"{file.name} was not taken over", "It is too large for a configuration", "Name another")
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as exc:
        raise UsageError(f"There is no file {file}", "It was moved, or the name is mistyped", "Name the file") from exc
    except OSError as exc:
        raise StorageError(f"{file} cannot be read", exc.strerror or str(exc), "Mend its permissions") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{file.name} was not taken over", "It is not text in UTF-8", "Name another file") from exc


def _take_out(path: Path, keys: list[str]) -> None:
    text = before = _read(path)
    for key in keys:
        text = text.replace(key, "")
    if text != before:
        write_atomically(path, text.encode())


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path.name} was not changed", f"It cannot be read: {exc}", f"Mend {path} first") from exc


def _held(tables: Mapping[str, Any], key: str) -> Any:
    found: Any = tables
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def _without_strangers(changes: dict[str, Any], there: Mapping[str, Any], taken: TakenOver) -> dict[str, Any]:
    """The changes without providers whose name belongs to another kind in settings.toml."""
    strangers = set()
    for key, kind in changes.items():
        provider_id = key.removeprefix("providers.").removesuffix(".kind")
        now = _held(there, key) if key.startswith("providers.") and key.endswith(".kind") else None
        if now not in (None, kind):
            strangers.add(provider_id)
            taken.left_out.append(
                f"{provider_id} ({kind}) was left out: settings.toml has a provider of that name ({now})"
            )
    return {key: value for key, value in changes.items() if _owner(key) not in strangers}


def _without_bad_addresses(changes: dict[str, Any], taken: TakenOver) -> dict[str, Any]:
    for key in [key for key in changes if key.endswith(".api_endpoint")]:
        try:
            check_addresses(_config(_owner(key), changes))
        except ConfigError as exc:
            taken.left_out.append(f"{key} was left out: {exc}")
            del changes[key]
    return changes


def _owner(key: str) -> str:
    return key.split(".")[1] if key.startswith("providers.") else ""


def _config(provider_id: str, changes: Mapping[str, Any]) -> LLMProviderConfig:
    prefix = f"providers.{provider_id}."
    kind = changes.get(f"{prefix}kind", provider_id)
    return LLMProviderConfig(kind, provider_id=provider_id, api_endpoint=changes.get(f"{prefix}api_endpoint"))
