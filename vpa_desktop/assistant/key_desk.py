"""What a person does with keys: list, set, test, rotate, delete, unlock. Shows none; where they live is the vault's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vpa_desktop.assistant.key_finder import held_back, shown
from vpa_desktop.assistant.keys import FoundKey, clean_key
from vpa_desktop.assistant.provider_rules import home_of_key
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ConfigError, UsageError
from vpa_desktop.gateway.keypool import KeyPool
from vpa_desktop.gateway.keystate import KeyState, state_of_only
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.records import KeyInfo, ProviderVerdict
from vpa_desktop.security.key_store import FIRST, check_label

if TYPE_CHECKING:
    from vpa_desktop.assistant.provider_setup import ProviderSetup

LastUsed = Callable[[], Awaitable[Mapping[tuple[str, str], datetime]]]


async def _never_used() -> Mapping[tuple[str, str], datetime]:
    return {}


class KeyDesk:
    """The use-cases of the keys page and of ``vpa-desktop keys``.

    ``last_used`` returns when each provider was last asked with a key, by id and label; ``changed`` is awaited after
    every change, so that it counts at once.
    """

    def __init__(self, setup: ProviderSetup, last_used: LastUsed = _never_used) -> None:
        self._setup = setup
        self._finder = setup.finder
        self._store = setup.finder.store
        self._last_used = last_used
        self.changed: Callable[[], Awaitable[None]] = setup.refresh

    @property
    def is_locked(self) -> bool:
        """True where keys are in a file whose passphrase was not given yet."""
        return self._store.vault.needs_passphrase

    async def unlock(self, passphrase: str) -> None:
        """Open the file of keys; raises SecretError for a wrong passphrase."""
        await self._store.vault.unlock(passphrase)
        await self.changed()

    async def list_keys(self) -> list[KeyInfo]:
        """Return where each provider's keys are and how they stand, never a key."""
        last = await self._last_used()
        found = []
        for config in self._setup.configs().values():
            for key in await self._finder.every(config):
                info = KeyInfo(config.provider_id, key.source, shown(key), key.label)
                state = self._state(config, key)
                found.append(
                    replace(
                        info,
                        state=state.standing,
                        reason=state.reason,
                        until=state.until,
                        last_used=last.get((config.provider_id, key.called)),
                    )
                )
        return found

    def _state(self, config: LLMProviderConfig, key: FoundKey) -> KeyState:
        if key.held_for:
            return KeyState("held back", held_back(config, [key]))
        state = standing(self._setup.manager, config, key)
        if key.retires_at is not None and state.standing == "in use":
            return KeyState("old", "It helps out where the new one is refused", key.retires_at)
        return state

    async def set_key(self, provider_id: str, key: str, label: str = "") -> None:
        """Store a key, beside the others or in the place of the one with this label; it counts at once.

        Raises SecretError, ConfigError.
        """
        label, key = check_label(label), clean_key(key)
        self._setup.make_sure_of(provider_id)
        config = self._setup.configs()[provider_id]
        await self._store.put(provider_id, label, key, home_of_key(config))
        self._forgive(provider_id, label)
        await self.changed()

    async def delete_key(self, provider_id: str, label: str | None = None, *, every: bool = False) -> None:
        """Remove a key; it is asked with no more. Without a label it is the only one, or ``every`` one.

        Raises ConfigError where there is none or the environment has it, UsageError where it is not clear which.
        """
        self._refuse_environment(provider_id, "deleted", "Unset its variable where you set it")
        keys = await self._store.keys(provider_id)
        names = [key.label or FIRST for key in keys]
        wanted = None if label is None else check_label(label)
        if not keys or (wanted is not None and (wanted or FIRST) not in names):
            which = f" with the name {wanted or FIRST}" if keys else ""
            there = f"It has {', '.join(names)}" if keys else "Nothing is stored under that name"
            raise ConfigError(f"There is no key of {provider_id}{which}", there, "See: vpa-desktop keys list")
        if wanted is None and not every and len([key for key in keys if key.retires_at is None]) > 1:
            raise UsageError(
                f"{provider_id} has {len(keys)} keys and none was deleted",
                f"They are {', '.join(names)}",
                "Name one with --label, or delete them all with --all",
            )
        await self._store.remove(provider_id, wanted)
        await self.changed()

    async def rotate_key(self, provider_id: str, key: str, label: str = "") -> ProviderVerdict:
        """Test a new key and put it in the place of an old one, which helps out for ten minutes more.

        Nothing changes where the new one fails. Raises ConfigError, SecretError.
        """
        self._refuse_environment(provider_id, "changed", "Change its variable where you set it")
        label, key = check_label(label), clean_key(key)
        config = self._config(provider_id)
        verdict = await self._setup.test(self._setup.draft_with(config, key))
        if verdict.ok:
            await self._store.rotate(provider_id, label, key, home_of_key(config))
            self._forgive(provider_id, label)
            await self.changed()
        return verdict

    async def test_keys(self, provider_id: str, label: str | None = None) -> list[ProviderVerdict]:
        """Say in words whether each key of a provider is accepted, or one of them; a good one is asked with at once."""
        config = self._config(provider_id)
        keys = [key for key in await self._finder.every(config) if label is None or key.label == check_label(label)]
        return [await self._verdict(config, key, len(keys) > 1 or bool(key.label)) for key in keys]

    async def _verdict(self, config: LLMProviderConfig, key: FoundKey, is_named: bool) -> ProviderVerdict:
        name = key.called if is_named else ""
        if key.held_for:
            said = held_back(config, [key])
            return ProviderVerdict(
                config.provider_id, False, said, 0.0, reason="held_back", headline="Not tested.", advice=said, key=name
            )
        verdict = await self._setup.test(self._setup.draft_with(config, key.key or ""), key_label=key.called)
        if verdict.ok:
            self._forgive(config.provider_id, key.label)
        return replace(verdict, key=name)

    def _forgive(self, provider_id: str, label: str) -> None:
        """Ask with a key again that was refused: it was changed or has passed a test."""
        manager = self._setup.manager
        provider = manager.get_provider(provider_id)
        if isinstance(provider, KeyPool):
            provider.forgive(label or FIRST)
        manager.cooldowns.forget(provider_id)

    def _config(self, provider_id: str) -> LLMProviderConfig:
        self._setup.must_exist(provider_id)
        return self._setup.configs()[provider_id]

    def _refuse_environment(self, provider_id: str, what: str, next_step: str) -> None:
        config = self._setup.configs().get(provider_id)
        if config is not None and self._finder.in_environment(config):
            raise ConfigError(
                f"The key of {provider_id} was not {what}",
                "It comes from the environment, which wins over a stored one",
                next_step,
            )


def standing(manager: LLMProviderManager, config: LLMProviderConfig, key: FoundKey) -> KeyState:
    """Return whether a key is taken now, as far as this session has seen."""
    provider = manager.get_provider(config.provider_id)
    if isinstance(provider, KeyPool):
        return provider.states().get(key.id, KeyState())
    return state_of_only(manager.cooldowns, config.provider_id, str(config.model), datetime.now(UTC))
