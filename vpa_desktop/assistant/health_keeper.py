"""Keeps what the router has learned over restarts, and looks after providers that are left alone.

A look costs nothing (a list of models): a provider that is down is not tried with a person's question before it
answers to one. Chooses nobody: that is the gateway's.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from vpa_desktop.errors import ProviderError, ProviderUnavailable, StorageError, VPAError
from vpa_desktop.gateway.breaker import CircuitBreaker
from vpa_desktop.gateway.budget import local_now
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.gateway.memory import facts_of, resume
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.storage.health import HealthStore

log = logging.getLogger(__name__)

LOOKS_EVERY_S: Final = 1.0
LOOK_WITHIN_S: Final = 5.0
KEEPS_EVERY_S: Final = 60.0


class HealthKeeper:
    """Beside one manager and one database. ``aclose`` keeps what is known last."""

    def __init__(self, manager: LLMProviderManager, store: HealthStore | None) -> None:
        self._manager = manager
        self._store = store
        self._kept: object = None
        self._is_loaded = False

    async def load(self) -> None:
        """Take up what the last run knew, once; nothing where it cannot be read."""
        if self._store is None or self._is_loaded:
            return
        self._is_loaded = True
        try:
            resume(self._manager, await self._store.load_facts(), local_now())
        except StorageError as exc:
            log.warning("What was known of the providers' health could not be read: %s", exc)

    async def run(self) -> None:
        """Look and keep until cancelled."""
        loop = asyncio.get_running_loop()
        kept_at = loop.time()
        while True:
            await asyncio.sleep(LOOKS_EVERY_S)
            await self.look()
            if loop.time() - kept_at >= KEEPS_EVERY_S or self._manager.standings.news:
                kept_at = loop.time()
                await self.keep()

    async def look(self) -> None:
        """Look at each provider whose wait is about over, all at once."""
        waiting = self._manager.standings.open_breakers().items()
        soon = [(place[0], breaker) for place, breaker in waiting if 0 < breaker.opens_in_s <= LOOKS_EVERY_S]
        due = [(provider, breaker) for i, breaker in soon if (provider := self._manager.get_provider(i)) is not None]
        await asyncio.gather(*(self._look_at(provider, breaker) for provider, breaker in due))

    async def _look_at(self, provider: BaseLLMProvider, breaker: CircuitBreaker) -> None:
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                await provider.connect()
        except TimeoutError:
            breaker.found_down("it does not answer")
        except ProviderUnavailable as exc:
            breaker.found_down(exc.what)
        except ProviderError as exc:
            log.debug("A look at %s says nothing: %s", provider.provider_id, exc.what)  # it has no list of models, say
        except VPAError as exc:
            log.debug("%s cannot be looked at: %s", provider.provider_id, exc.what)
        else:
            breaker.found_well()

    async def keep(self) -> None:
        """Store what is known now, where it is news; a disk that refuses is no reason to stop anything."""
        if self._store is None:
            return
        now = local_now()
        events = self._manager.standings.take_events()
        facts = facts_of(self._manager, now)
        news = {place: {k: v for k, v in each.items() if k != "kept_at"} for place, each in facts.items()}
        try:
            await self._store.add_event(*events)
            if facts and news != self._kept:
                await self._store.save_facts(facts, now)
                self._kept = news
        except StorageError as exc:
            log.warning("The providers' health could not be kept: %s", exc)

    async def aclose(self) -> None:
        """Keep what is known last."""
        await self.keep()
