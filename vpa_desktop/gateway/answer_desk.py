"""AnswerDesk: the door to answers that need not be bought: kept ones, and those that somebody else is getting now.

Everybody who answers a person asks here (a turn of a conversation, the local endpoint) and not the manager, which
always buys. Exact only: an answer is given again where everything that could have changed it is the same.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from vpa_desktop.config import CacheSettings
from vpa_desktop.errors import StorageError
from vpa_desktop.gateway.admission import Stop, admit
from vpa_desktop.gateway.answer_cache import AnswerCache
from vpa_desktop.gateway.answer_key import AnswerKeys
from vpa_desktop.gateway.failover import ReadyAnswer
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.gateway.permission import identified, must_lead_somewhere, refusal_at
from vpa_desktop.gateway.single_flight import Flights
from vpa_desktop.messages import (
    Attempt,
    Citation,
    GatewayEvent,
    LLMRequest,
    LLMResponse,
    Message,
    ReasoningDelta,
    RouteDone,
    RouteStarted,
    Seam,
    TextDelta,
)
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.records import UsageRow
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.kept_answers import KeptAnswer, KeptAnswerStore


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with its route, and what the key of its answer is made of."""

    request: LLMRequest
    stops: tuple[Stop, ...]
    ready: Mapping[str, ReadyAnswer]
    owner: str
    keyed: tuple[Message, ...]
    passages: Sequence[Citation]

    @property
    def route(self) -> list[BaseLLMProvider]:
        """The providers in order."""
        return [stop.provider for stop in self.stops]


class AnswerDesk:
    """Gives kept answers, joins those who ask the same at once, and buys the rest from the manager."""

    def __init__(self, manager: LLMProviderManager, cache: AnswerCache) -> None:
        self.manager = manager
        self.cache = cache
        self._keys = AnswerKeys()
        self._flights: Flights[GatewayEvent] = Flights(lambda event: isinstance(event, RouteDone))

    @classmethod
    def over(cls, db: Database, manager: LLMProviderManager, settings: Callable[[], CacheSettings]) -> AnswerDesk:
        """Make a desk whose answers are kept in this database, where it can be written."""
        store = None if db.read_only else KeptAnswerStore(db)
        return cls(manager, AnswerCache(settings, store=store))

    async def stream(
        self,
        request: LLMRequest,
        *,
        provider: str | None = None,
        route: Sequence[BaseLLMProvider] | None = None,
        ready_answers: Mapping[str, ReadyAnswer] | None = None,
        model_for: str | None = None,
        fresh: bool = False,
        keep: bool = True,
        keyed: tuple[Message, ...] | None = None,
        passages: Sequence[Citation] = (),
    ) -> AsyncGenerator[GatewayEvent, None]:
        """Yield the answer's events, as ``LLMProviderManager.stream`` does; of one that was not bought it is said.

        ``fresh`` buys a new answer and keeps it in the place of the old. ``keep`` False reads nothing and leaves
        nothing: for what is temporary, and for prompts in which secrets were masked (the same mask may hide two).
        ``keyed`` are the messages that count where those sent hold something new each time. ``passages`` are those
        in the prompt: the answer is forgotten with their documents. Raises VPAError.
        """
        manager = self.manager
        request = identified(manager.policy, request)
        if route is None:
            await manager.learn_prices(request)
            route = manager.route(request, provider)
        owner = model_for or manager.model_owner(provider, route)
        await must_lead_somewhere(manager, route, request, owner)
        stops = tuple(Stop(p, request.model if p.provider_id == owner else None) for p in route)
        asked = _Asked(request, stops, ready_answers or {}, owner, keyed or request.messages, passages)
        first = admit(manager, stops).stops[0] if stops and keep and self.cache.is_enabled else None
        if first is None or first.provider_id in asked.ready or refusal_at(manager.policy, first, request):
            events = self._ask(asked)
        elif fresh:
            events = self._flights.join(object(), lambda: self._buy(asked))[0].read()
        else:
            events = self._given(asked, self._key(asked, first))
        async with aclosing(events) as given:
            async for event in given:
                yield event

    async def aclose(self) -> None:
        """Finish what is being kept."""
        await self._flights.aclose()

    async def _given(self, asked: _Asked, key: bytes) -> AsyncGenerator[GatewayEvent, None]:
        """A kept answer, or one that is on its way, or a new one."""
        began = time.perf_counter()
        kept = await self.cache.get(key) or self.cache.at_hand(key)  # it may have come while the disk was read
        if kept is not None:
            async for event in self._again(asked, kept.response, "Given again from the cache", began):
                yield event
            await self.cache.used(key, kept)
            return
        request = asked.request  # a chat does not stand in the background's line
        who_else = (key, *(s.provider_id for s in asked.stops), asked.owner, request.over_limit, request.priority)
        flight, is_first = self._flights.join(who_else, lambda: self._buy(asked))
        async with aclosing(flight.read()) as events:
            async for event in events:
                if isinstance(event, RouteDone) and not is_first:
                    async for own in self._again(asked, event.response, "Shared with another request", began, ()):
                        yield own
                    return
                yield event

    async def _buy(self, asked: _Asked) -> AsyncGenerator[GatewayEvent, None]:
        """A new answer, kept where it is fit for it."""
        has_seam, model = False, ""
        kept: tuple[bytes, KeptAnswer] | None = None
        async with aclosing(self._ask(asked)) as events:
            async for event in events:
                has_seam = has_seam or isinstance(event, Seam)
                if isinstance(event, RouteStarted):
                    model = event.model
                elif isinstance(event, RouteDone) and not has_seam:
                    kept = self._kept(asked, event.response, model)
                yield event
        if kept is not None:
            await self.cache.put(*kept)

    def _ask(self, asked: _Asked) -> AsyncGenerator[GatewayEvent, None]:
        return self.manager.stream(
            asked.request, route=asked.route, ready_answers=asked.ready, model_for=asked.owner or None
        )

    def _kept(self, asked: _Asked, response: LLMResponse, model: str) -> tuple[bytes, KeptAnswer] | None:
        """Keep a whole answer under the provider and model that were asked for it, whoever was asked before."""
        is_whole = response.finish_reason == "stop" and response.content and not response.tool_calls
        if not is_whole or response.provider in asked.ready:
            return None
        stop = next((stop for stop in asked.stops if stop.provider_id == response.provider), None)
        if stop is None:
            return None
        key = self._key(asked, stop if stop.model == model else Stop(stop.provider, model))
        return key, self.cache.keep_at_hand(key, response, asked.request.conversation_id, asked.passages)

    def _key(self, asked: _Asked, stop: Stop) -> bytes:
        return self._keys.key(asked.request, stop.provider.config, stop.model, asked.keyed)

    async def _again(
        self,
        asked: _Asked,
        bought: LLMResponse,
        how: str,
        began: float,
        events: Sequence[GatewayEvent] | None = None,
    ) -> AsyncGenerator[GatewayEvent, None]:
        """An answer that was paid for before: its events, booked with what it spares."""
        for event in _events(bought) if events is None else events:
            yield event
        took_ms = (time.perf_counter() - began) * 1000
        saved_ms = max(0.0, bought.latency_ms - took_ms)
        row = UsageRow(
            at=datetime.now(UTC),
            provider=bought.provider,
            model=bought.model,
            outcome="ok",
            cost_usd=Decimal(),
            latency_ms=took_ms,
            conversation_id=asked.request.conversation_id,
            message_id=asked.request.metadata.get("message_id"),
            cached=True,
            user_id=asked.request.user_id,
            saved_usd=bought.cost_usd,
            saved_ms=saved_ms,
        )
        warnings = bought.warnings
        try:
            await self.manager.ledger.record(row)
        except StorageError as exc:
            warnings = (*warnings, f"What this answer saved could not be booked. {exc}")
        reason = f"{how}, {_saving(bought.cost_usd, saved_ms)}"
        yield RouteDone(
            replace(
                bought,
                cached=True,
                cost_usd=Decimal(),
                ttft_ms=took_ms if events is None else bought.ttft_ms,
                latency_ms=took_ms,
                attempts=(Attempt(bought.provider, bought.model, "cached", reason, round(took_ms, 1)),),
                first_choice="",
                first_choice_usd=None,
                saved_usd=bought.cost_usd,
                saved_ms=saved_ms,
                warnings=warnings,
                carry=None,
            )
        )


def _events(kept: LLMResponse) -> list[GatewayEvent]:
    reasoning = [ReasoningDelta(kept.reasoning)] if kept.reasoning else []
    return [RouteStarted(kept.provider, kept.model, cached=True), *reasoning, TextDelta(kept.content)]


def _saving(saved_usd: Decimal | None, saved_ms: float) -> str:
    money = f"${saved_usd:.4f} and " if saved_usd else ""
    return f"saved {money}{saved_ms / 1000:.1f} s"
