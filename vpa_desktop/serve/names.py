"""What a client may write as ``model``: the route, a provider, a provider's model. Asks no provider."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import RequestRejected
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import LOCAL_USER

AUTO: Final = "auto"
"""The route of the settings, whoever answers."""

SHOWN: Final = 8
KnownModels = Callable[[str], Awaitable[Sequence[ModelInfo]]]
MayAsk = Callable[[LLMProviderConfig, str, str], bool]
"""Whether a user may ask a provider with a model."""


def everybody_may(config: LLMProviderConfig, model: str, user: str) -> bool:
    """Whether a user may ask a provider with a model, where no rule says otherwise."""
    return True


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked first, and with which model; None leaves it to the route and the settings."""

    provider: str | None = None
    model: str | None = None


class ModelNames:
    """The names of one program's providers. ``known`` says which models a provider is known to have.

    ``may_ask`` keeps names out of a user's list; that nobody is asked against a rule is the gateway's to see to.
    """

    def __init__(
        self,
        manager: LLMProviderManager,
        known: KnownModels,
        default_model: Callable[[], str],
        *,
        may_ask: MayAsk = everybody_may,
    ) -> None:
        self._may_ask = may_ask
        self._manager = manager
        self._known = known
        self._default_model = default_model
        self._since = int(time.time())

    async def find(self, name: str, user: str = LOCAL_USER) -> Choice:
        """Return whom a name means; raises RequestRejected (model_not_found) where it means nobody."""
        if name in ("", AUTO):
            return Choice(None, self._default_model() or None)
        ready = self._ready()
        if name in ready:
            return Choice(name)
        provider, slash, model = name.partition("/")
        if slash and model and provider in ready:
            return Choice(provider, model)
        found = [i for i in ready if (p := self._manager.get_provider(i)) is not None and p.model == name]
        for provider in ready:
            if provider not in found and any(info.id == name for info in await self._known(provider)):
                found.append(provider)
        if not found:
            raise await self._unknown(name, user)
        # Where nobody may be asked the first is named, so that the gateway says by which rule.
        return Choice(next((i for i in found if self._is_open(Choice(i, name), user)), found[0]), name)

    def _is_open(self, choice: Choice, user: str) -> bool:
        own = self._manager.get_provider(choice.provider) if choice.provider else None
        return own is None or self._may_ask(own.config, choice.model or own.model, user)

    async def every(self, user: str = LOCAL_USER) -> list[dict[str, Any]]:
        """Return all names as OpenAI lists models."""
        return [
            self._entry(AUTO, "vpa-desktop"),
            *[self._entry(name, owner) for name, owner in await self._names(user)],
        ]

    async def entry(self, name: str, user: str = LOCAL_USER) -> dict[str, Any]:
        """Return one name of the list; raises RequestRejected where it means nobody."""
        choice = await self.find(name, user)
        if not self._is_open(choice, user):
            raise await self._unknown(name, user)
        return self._entry(name, choice.provider or "vpa-desktop")

    def _ready(self) -> list[str]:
        """The providers that can be asked, in the order of the route's chain."""
        manager = self._manager
        enabled = [i for i in manager.provider_ids if (p := manager.get_provider(i)) is not None and p.config.enabled]
        chain = [i for i in manager.routing.failover_chain if i in enabled]
        return [*chain, *(i for i in enabled if i not in chain)]

    async def _names(self, user: str) -> list[tuple[str, str]]:
        found = []
        for provider in self._ready():
            own = self._manager.get_provider(provider)
            if own is None:
                continue
            models = [info.id for info in await self._known(provider) if info.chat is not False]
            if own.model not in models:
                models.insert(0, own.model)
            allowed = [model for model in models if self._may_ask(own.config, model, user)]
            found += [(f"{provider}/{model}" if model else provider, provider) for model in allowed]
        return found

    def _entry(self, name: str, owner: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": owner}

    async def _unknown(self, name: str, user: str) -> RequestRejected:
        names = [AUTO, *(known for known, _ in await self._names(user))]
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
