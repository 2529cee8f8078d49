"""Finds the keys of a provider: the environment's first, then the vault's, each held to the host it was stored for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from vpa_desktop.assistant.keys import FoundKey, environment_keys, hint
from vpa_desktop.assistant.provider_rules import home_of_key
from vpa_desktop.catalog import KINDS, LLMProviderConfig
from vpa_desktop.errors import SecretError
from vpa_desktop.gateway.keypool import PoolKey
from vpa_desktop.security.key_store import KeyStore, StoredKey


class KeyFinder:
    """``notices`` gets a sentence where the vault does not answer or a key is held back; nothing is raised for it."""

    def __init__(self, store: KeyStore, environ: Mapping[str, str], notices: dict[str, str]) -> None:
        self.store = store
        self._environ = environ
        self._notices = notices
        self._held: set[str] = set()
        self._homeless: set[str] = set()

    def in_environment(self, config: LLMProviderConfig) -> tuple[FoundKey, ...]:
        """Return the keys the environment holds for this provider."""
        return environment_keys(config, self._environ)

    async def every(self, config: LLMProviderConfig) -> tuple[FoundKey, ...]:
        """Return every key of a provider, also those that are held back."""
        found = self.in_environment(config)
        if found or KINDS[config.kind].is_local:
            return found
        home = home_of_key(config)
        try:
            stored = await self.store.keys(config.provider_id)
        except SecretError as exc:
            self._notices["vault"] = str(exc)
            return ()
        self._notices.pop("vault", None)
        if any(not key.host for key in stored):
            self._homeless.add(config.provider_id)
        return tuple(_found(key, home) for key in stored)

    async def usable(self, config: LLMProviderConfig, *, is_first_use: bool = False) -> tuple[FoundKey, ...]:
        """Return the keys that may be sent where the settings say.

        ``is_first_use`` records that host with keys that have none yet: from then on they are held to it.
        """
        every = await self.every(config)
        held = [key for key in every if key.held_for]
        if held:
            self._notices[config.provider_id] = held_back(config, held)
            self._held.add(config.provider_id)
        elif config.provider_id in self._held:
            self._held.discard(config.provider_id)
            self._notices.pop(config.provider_id, None)
        if is_first_use and home_of_key(config) and config.provider_id in self._homeless:
            with suppress(SecretError):  # it is tried again at the next start
                await self.store.record_host(config.provider_id, home_of_key(config))
                self._homeless.discard(config.provider_id)
        return tuple(key for key in every if not key.held_for)

    def holds_back(self, provider_id: str) -> bool:
        """True where a key of this provider was stored for another host than the settings say now."""
        return provider_id in self._held


def _found(stored: StoredKey, home: str) -> FoundKey:
    key = FoundKey(stored.key, "vault", stored.label or "default", stored.label, retires_at=stored.retires_at)
    return replace(key, held_for=stored.host) if stored.host and home and stored.host != home else key


def held_back(config: LLMProviderConfig, held: list[FoundKey]) -> str:
    """Return the sentence for keys that are not sent to the host the settings say now."""
    before, now = held[0].held_for, home_of_key(config)
    if before.partition("://")[0] == now.partition("://")[0]:
        before, now = before.partition("://")[2], now.partition("://")[2]
    named = config.provider_id
    said = f"The key of {named} was" if len(held) == 1 else f"{len(held)} keys of {named} were"
    return (
        f"{said} stored for {before}; settings now say {now}, and nothing was sent there. "
        f"Correct the address, or confirm it with: vpa-desktop keys set {named}"
    )


def in_pool(key: FoundKey) -> PoolKey:
    """Return a key as a pool takes it."""
    secret = key.key or ""
    return PoolKey(key.id, secret, key.called, key.retires_at)


def shown(key: FoundKey) -> str:
    """Return what may be shown of a key: at most its last four characters."""
    return hint(key.key or "")
