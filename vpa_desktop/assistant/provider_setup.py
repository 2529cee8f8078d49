"""Providers and keys as a person sets them up: list, save, remove, test; from the window and the command line.

Keys go to the vault and nowhere else; settings.toml never holds one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vpa_desktop import providers
from vpa_desktop.assistant.key_desk import standing
from vpa_desktop.assistant.key_finder import KeyFinder, in_pool
from vpa_desktop.assistant.keys import NO_KEY, FoundKey, clean_key, environment_key, missing_key
from vpa_desktop.assistant.provider_check import check_provider
from vpa_desktop.assistant.provider_order import after_adding, asked_in_order, order_changes
from vpa_desktop.assistant.provider_rules import check_addresses, check_name, home_of_key, origin
from vpa_desktop.catalog import (
    KINDS,
    LLMProvider,
    LLMProviderConfig,
    ModelInfo,
    is_loopback,
)
from vpa_desktop.config import LOCAL_PROVIDER_ID, Settings
from vpa_desktop.errors import ConfigError, SecretError, UsageError, VPAError
from vpa_desktop.gateway.keypool import KeyPool
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.records import ProviderDraft, ProviderStatus, ProviderVerdict
from vpa_desktop.security.key_store import KeyStore
from vpa_desktop.security.vault import KeyVault
from vpa_desktop.settings_file import provider_table, save_changes
from vpa_desktop.settings_rules import PROVIDER_FIELDS, PROVIDER_RULES

AUTOMATIC_KINDS = (LLMProvider.OPENAI, LLMProvider.ANTHROPIC, LLMProvider.GOOGLE)
"""Kinds that are there at once when the environment holds their key, under the kind's own name."""


class ProviderSetup:
    """The use-cases of the providers and keys pages. ``build`` makes a provider object from a configuration."""

    def __init__(
        self,
        manager: LLMProviderManager,
        vault: KeyVault,
        settings: Callable[[], Settings],
        settings_file: Path,
        environ: Mapping[str, str],
        build: Callable[[LLMProviderConfig], BaseLLMProvider],
    ) -> None:
        self.notices: dict[str, str] = {}
        self.manager = manager
        self.finder = KeyFinder(KeyStore(vault), environ, self.notices)
        self._settings = settings
        self._file = settings_file
        self._environ = environ
        self._build = build
        self._registered: dict[str, tuple[LLMProviderConfig, tuple[FoundKey, ...]]] = {}
        self._models: dict[str, tuple[ModelInfo, ...]] = {}

    def configs(self) -> dict[str, LLMProviderConfig]:
        """Every provider in force: those of the settings, those the environment has a key for, the local model."""
        found = dict(self._settings().providers)
        kinds = {config.kind for config in found.values()}
        for kind in AUTOMATIC_KINDS:
            config = LLMProviderConfig(kind)
            is_new = kind in providers.CLASSES and kind not in kinds and config.provider_id not in found
            if is_new and environment_key(config, self._environ).key:
                found[config.provider_id] = config
        if LOCAL_PROVIDER_ID not in found:
            found = dict(replace(self._settings(), providers=found).with_local_model().providers)
        return found

    def must_exist(self, provider_id: str) -> None:
        """Raise ConfigError where no provider of this id is in force."""
        configs = self.configs()
        if provider_id not in configs:
            raise _unknown(provider_id, configs)

    # Registration

    def register_at_once(self) -> list[LLMProviderConfig]:
        """Register what needs no look into the vault; return the configurations that do."""
        waiting = []
        for config in self._usable():
            keys = self.finder.in_environment(config)
            if keys or KINDS[config.kind].is_local:
                self._register(config, keys)
            else:
                waiting.append(config)
        return waiting

    async def register_from_vault(self, waiting: list[LLMProviderConfig]) -> None:
        """Register the providers whose key is in the vault, and those that work without one."""
        for config in waiting:
            keys = await self.finder.usable(config, is_first_use=True)
            if self._may_be_asked(config, keys):
                self._register(config, keys)
        self.manager.arrange(list(self.configs()))

    async def refresh(self) -> None:
        """Bring the manager in line with the settings: added, changed and removed providers."""
        usable = {config.provider_id: config for config in self._usable()}
        for provider_id in [i for i in self._registered if i not in usable]:
            self.manager.remove_provider(provider_id)
            del self._registered[provider_id]
        for config in usable.values():
            keys = await self.finder.usable(config, is_first_use=True)
            if not self._may_be_asked(config, keys):
                if config.provider_id in self._registered:
                    self.manager.remove_provider(config.provider_id)
                    del self._registered[config.provider_id]
                continue
            self._register(config, keys)

        self.manager.arrange(list(self.configs()))

    def _may_be_asked(self, config: LLMProviderConfig, keys: Sequence[FoundKey]) -> bool:
        """False without a key that is needed, or that may be there but cannot be used: nobody is asked without it."""
        if keys or KINDS[config.kind].is_local:
            return True
        is_locked = "vault" in self.notices and not is_loopback(config.endpoint)
        return not KINDS[config.kind].needs_key and not is_locked and not self.finder.holds_back(config.provider_id)

    def _usable(self) -> list[LLMProviderConfig]:
        usable = []
        for config in self.configs().values():
            if config.kind in providers.CLASSES:
                usable.append(config)
            else:
                self.notices[config.provider_id] = (
                    f"{config.provider_id} is left out: this version cannot talk to the kind {config.kind} yet"
                )
        return usable

    def _register(self, config: LLMProviderConfig, keys: Sequence[FoundKey]) -> None:
        provider_id = config.provider_id
        before = self._registered.get(provider_id)
        if before == (config, tuple(keys)):
            return
        self._registered[provider_id] = (config, tuple(keys))
        old = self.manager.get_provider(provider_id)
        if len(keys) > 1 and before is not None and before[0] == config and isinstance(old, KeyPool):
            old.use(in_pool(key) for key in keys)
            self.manager.cooldowns.forget(provider_id)
        else:
            self.manager.register_provider(provider_id, self._made(config, keys))

    def _made(self, config: LLMProviderConfig, keys: Sequence[FoundKey]) -> BaseLLMProvider:
        if len(keys) > 1:
            return KeyPool(config, [in_pool(key) for key in keys], self._build, cooldowns=self.manager.cooldowns)
        made = self._build(config.with_key(keys[0].key if keys else None))
        made.key_label = keys[0].called if keys else ""
        return made

    def rebuild(self) -> None:
        """Make every provider anew: what may be asked has changed, though no configuration has."""
        for provider_id, (config, keys) in self._registered.items():
            self.manager.register_provider(provider_id, self._made(config, keys))

    # Keys

    async def find_key(self, config: LLMProviderConfig) -> FoundKey:
        """Return the provider's first key and where it is; a vault that does not answer leaves a notice."""
        return next(iter(await self.finder.usable(config)), NO_KEY)

    def make_sure_of(self, provider_id: str) -> None:
        """Add a provider that is named like its kind and not there yet; raises ConfigError for another name."""
        if provider_id not in self.configs():
            if provider_id not in KINDS:
                raise _unknown(provider_id, self.configs())
            save_changes(self._file, {f"providers.{provider_id}": {"kind": provider_id}})

    @staticmethod
    def draft_with(config: LLMProviderConfig, key: str) -> ProviderDraft:
        """Return a stored provider as a draft with this key."""
        return replace(draft_of(config), key=key)

    # Providers

    async def list_providers(self) -> list[ProviderStatus]:
        """Return every provider with what a person needs to see of it, in the order in which they are asked."""
        configs = self.configs()
        return [await self._status(configs[i]) for i in self.order()]

    def order(self) -> list[str]:
        """Return the ids of all providers in the order in which they are asked."""
        return asked_in_order(self.configs(), self.manager.routing)

    def set_order(self, provider_ids: Sequence[str]) -> list[str]:
        """Ask these first, in this order, and the others after them; returns the whole order. Raises UsageError."""
        known = self.order()
        if lost := [i for i in provider_ids if i not in known]:
            raise _unknown(lost[0], self.configs())
        if len(set(provider_ids)) != len(provider_ids):
            raise UsageError("The order was not changed", "A provider stands in it twice", "Name each once")
        order = [*provider_ids, *(i for i in known if i not in provider_ids)]
        save_changes(self._file, order_changes(order))
        return order

    async def _status(self, config: LLMProviderConfig) -> ProviderStatus:
        kind = KINDS[config.kind]
        keys = await self.finder.usable(config)
        note = self.notices.get(config.provider_id, "")
        if not note and kind.needs_key and not keys:
            note = self.notices.get("vault") or missing_key(config, self._environ)
        return ProviderStatus(
            id=config.provider_id,
            kind=config.kind,
            kind_label=kind.label,
            model=str(config.model),
            endpoint=config.endpoint,
            enabled=config.enabled,
            is_local=config.is_local,
            is_default=config.provider_id == self.manager.routing.default_provider,
            needs_key=kind.needs_key,
            key_source=keys[0].source if keys else "",
            weight=config.weight,
            breaker=self.manager.breaker(config.provider_id, str(config.model)).state,
            note=note,
            options=_options(config),
            facts=next((m for m in self._models.get(config.provider_id, ()) if m.id == str(config.model)), None),
            keys=len(keys),
            keys_refused=len([key for key in keys if standing(self.manager, config, key).standing != "in use"]),
        )

    async def save(self, draft: ProviderDraft) -> None:
        """Write a provider into settings.toml and its key into the vault; raises ConfigError, SecretError.

        A new address asks for the key again: a key belongs to the host it was typed for.
        """
        config = self.config_of(draft)
        old = self.configs().get(draft.id)
        moved = old is not None and not draft.key and origin(old) != origin(config)
        if old is not None and moved and (await self.find_key(old)).source == "vault":
            raise ConfigError(
                f"The address of {draft.id} was not changed",
                "Its key was typed for another host and is not sent to a new one unasked",
                "Type the key again together with the new address",
            )
        if draft.key:
            await self.finder.store.put(draft.id, "", clean_key(draft.key), home_of_key(config))
        changes: dict[str, object] = {f"providers.{draft.id}": provider_table(config)}
        changes |= after_adding(draft.id, self.order(), self._settings().routing, first=draft.make_default)
        save_changes(self._file, changes)

    def config_of(self, draft: ProviderDraft) -> LLMProviderConfig:
        """Return the configuration a draft describes, over what is stored under its id; raises ConfigError."""
        check_name(draft.id, draft.kind)
        if draft.kind not in providers.CLASSES:
            providers.provider_class(draft.kind)
        base = self._settings().providers.get(draft.id)
        if base is None or base.kind != draft.kind:
            base = LLMProviderConfig(LLMProvider(draft.kind), provider_id=draft.id)
        config = replace(
            base,
            model=draft.model or base.model,
            api_endpoint=draft.endpoint or None,
            enabled=draft.enabled,
            weight=draft.weight,
        )
        config = with_options(config, draft.options)
        check_addresses(config)
        return config

    async def remove(self, provider_id: str) -> None:
        """Take a provider out of settings.toml, and its key out of the vault; raises ConfigError."""
        settings = self._settings()
        if provider_id not in settings.providers and provider_id in self.configs():
            raise ConfigError(
                f"{provider_id} was not removed",
                "It came with the program"
                if provider_id == LOCAL_PROVIDER_ID
                else "A variable of the environment has it",
                "Switch it off instead",
            )
        if provider_id not in settings.providers:
            raise _unknown(provider_id, settings.providers)
        changes: dict[str, object] = {f"providers.{provider_id}": None}
        routing = settings.routing
        if routing.default_provider == provider_id:
            changes["routing.default_provider"] = None
        if provider_id in routing.failover_chain:
            changes["routing.failover_chain"] = [i for i in routing.failover_chain if i != provider_id]
        save_changes(self._file, changes)
        try:
            await self.finder.store.remove(provider_id)
        except SecretError as exc:
            self.notices["vault"] = f"The key of {provider_id} may still be in the vault. {exc}"

    async def test(self, draft: ProviderDraft, *, ask: bool = True, key_label: str = "") -> ProviderVerdict:
        """Say in words whether a provider would answer like this; without ``ask`` only its models are asked for.

        ``key_label`` is what rows call the draft's key.
        """
        try:
            config = self.config_of(draft)
            found = FoundKey(clean_key(draft.key), "") if draft.key else await self._test_key(config)
        except VPAError as exc:
            return ProviderVerdict(
                draft.id, False, str(exc), 0.0, reason="settings", headline=f"{exc.what}.", advice=_rest(exc)
            )
        if found.key is None and KINDS[config.kind].needs_key and not is_loopback(config.endpoint):
            advice = "Type or paste its key, then test again."
            said = f"{draft.id} has no key."
            return ProviderVerdict(
                draft.id,
                False,
                f"{said} {advice}",
                0.0,
                error_class="auth",
                reason="no_key",
                headline=said,
                advice=advice,
            )
        label = key_label or (found.called if found.key else "")
        verdict = await check_provider(
            config.with_key(found.key), self._build, ask=ask, budget=self.manager.budget, key_label=label
        )
        if verdict.models:
            self._models[draft.id] = verdict.model_facts
        return verdict

    async def _test_key(self, config: LLMProviderConfig) -> FoundKey:
        old = self.configs().get(config.provider_id)
        if old is not None and origin(old) != origin(config):
            return NO_KEY
        return await self.find_key(config)

    async def test_all(self) -> list[ProviderVerdict]:
        """Test every enabled provider at once."""
        drafts = [draft_of(c) for c in self.configs().values() if c.enabled and c.kind in providers.CLASSES]
        return list(await asyncio.gather(*(self.test(draft) for draft in drafts)))


def with_options(config: LLMProviderConfig, options: Mapping[str, Any]) -> LLMProviderConfig:
    """Return a configuration with settings changed by their key in settings.toml; raises ConfigError."""
    plain = LLMProviderConfig(config.provider)
    values: dict[str, Any] = {}
    for key, value in options.items():
        name = PROVIDER_FIELDS.get(key, key)
        if key not in PROVIDER_RULES or key == "kind":
            raise UsageError(
                f"{key} is not a setting of a provider", f"Known: {', '.join(PROVIDER_RULES)}", "Choose one of these"
            )
        values[name] = getattr(plain, name) if value is None else value
    return replace(config, **values)


def _options(config: LLMProviderConfig) -> dict[str, Any]:
    """What stands in settings.toml for a provider beside what every status says."""
    said = ("kind", "model", "api_endpoint", "enabled", "weight")
    return {key: value for key, value in provider_table(config).items() if key not in said}


def draft_of(config: LLMProviderConfig) -> ProviderDraft:
    """Return a stored provider as a draft without its key."""
    return ProviderDraft(
        config.provider_id,
        config.kind,
        str(config.model),
        config.api_endpoint or "",
        enabled=config.enabled,
        weight=config.weight,
    )


def _rest(error: VPAError) -> str:
    return " ".join(f"{part}." for part in (error.why, error.next_step) if part)


def _unknown(provider_id: str, known: Mapping[str, LLMProviderConfig]) -> ConfigError:
    return ConfigError(
        f"There is no provider {provider_id}",
        f"Known: {', '.join(known) or 'none'}",
        "vpa-desktop providers list shows them; vpa-desktop providers add makes one",
    )
