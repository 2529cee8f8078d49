"""What a client may write as ``model``: the route, a provider, a provider's model. Asks no provider."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vpa_desktop.catalog import ModelInfo
from vpa_desktop.errors import RequestRejected
from vpa_desktop.gateway.manager import LLMProviderManager

AUTO: Final = "auto"
"""The route of the settings, whoever answers."""

SHOWN: Final = 8
KnownModels = Callable[[str], Awaitable[Sequence[ModelInfo]]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked first, and with which model; None leaves it to the route and the settings."""

    provider: str | None = None
    model: str | None = None


class ModelNames:
    """The names of one program's providers. ``known`` says which models a provider is known to have."""

    def __init__(self, manager: LLMProviderManager, known: KnownModels, default_model: Callable[[], str]) -> None:
        self._manager = manager
        self._known = known
        self._default_model = default_model
        self._since = int(time.time())

    async def find(self, name: str) -> Choice:
        """Return whom a name means; raises RequestRejected (model_not_found) where it means nobody."""
        if name in ("", AUTO):
            return Choice(None, self._default_model() or None)
        ready = self._ready()
        if name in ready:
            return Choice(name)
        provider, slash, model = name.partition("/")
        if slash and model and provider in ready:
            return Choice(provider, model)
        for provider in ready:
            if (registered := self._manager.get_provider(provider)) is not None and registered.model == name:
                return Choice(provider, name)
        for provider in ready:
            if any(info.id == name for info in await self._known(provider)):
                return Choice(provider, name)
        raise await self._unknown(name)

    async def every(self) -> list[dict[str, Any]]:
        """Return all names as OpenAI lists models."""
        return [self._entry(AUTO, "vpa-desktop"), *[self._entry(name, owner) for name, owner in await self._names()]]

    async def entry(self, name: str) -> dict[str, Any]:
        """Return one name of the list; raises RequestRejected where it means nobody."""
        choice = await self.find(name)
        return self._entry(name, choice.provider or "vpa-desktop")

    def _ready(self) -> list[str]:
        """The providers that can be asked, in the order of the route's chain."""
        manager = self._manager
        enabled = [i for i in manager.provider_ids if (p := manager.get_provider(i)) is not None and p.config.enabled]
        chain = [i for i in manager.routing.failover_chain if i in enabled]
        return [*chain, *(i for i in enabled if i not in chain)]

    async def _names(self) -> list[tuple[str, str]]:
        found = []
        for provider in self._ready():
            own = self._manager.get_provider(provider)
            models = [info.id for info in await self._known(provider) if info.chat is not False]
            if own is not None and own.model and own.model not in models:
                models.insert(0, own.model)
            found += [(f"{provider}/{model}", provider) for model in models] or [(provider, provider)]
        return found

    def _entry(self, name: str, owner: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": owner}

    async def _unknown(self, name: str) -> RequestRejected:
        names = [AUTO, *(known for known, _ in await self._names())]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return RequestRejected(
            f"There is no model “{name[:200]}” here",
            f"There is {', '.join(names[:SHOWN])}{more}",
            "GET /v1/models lists them all",
            error_class="not_found",
            status=404,
            code="model_not_found",
            param="model",
        )
