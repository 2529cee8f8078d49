"""How each provider stands: a breaker for each of its models, the places in its line, and what changed. Asks nobody."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol

from vpa_desktop.config import RoutingSettings
from vpa_desktop.gateway.breaker import CircuitBreaker
from vpa_desktop.gateway.concurrency import Line
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.records import BreakerEvent

Place = tuple[str, str]
"""A provider's id and a model's name."""

EVENTS_KEPT: Final = 500
PLACES_KEPT: Final = 1_000
"""A client of the local endpoint may name any model there: past so many, those that are well are forgotten."""


class Asked(Protocol):
    """A provider and the model it is asked with."""

    provider_id: str
    model: str


class Standings:
    """One record per provider and model, made on first sight. ``clock`` returns monotonic seconds."""

    def __init__(self, routing: Callable[[], RoutingSettings], *, clock: Callable[[], float]) -> None:
        self._routing = routing
        self._clock = clock
        self._breakers: dict[Place, CircuitBreaker] = {}
        self._lines: dict[str, Line] = {}
        self._events: deque[BreakerEvent] = deque(maxlen=EVENTS_KEPT)
        self._may_be_open = False

    def breaker(self, provider_id: str, model: str) -> CircuitBreaker:
        """Return the breaker of one provider and model."""
        place = (provider_id, model)
        breaker = self._breakers.get(place)
        if breaker is None:
            if len(self._breakers) >= PLACES_KEPT:
                self._breakers = self.open_breakers() if len(self.open_breakers()) < PLACES_KEPT else {}
            settings = self._routing().circuit_breaker
            breaker = self._breakers[place] = CircuitBreaker(
                settings.failure_threshold,
                settings.recovery_timeout_s,
                clock=self._clock,
                changed=partial(self._changed, place),
            )
        return breaker

    def are_well(self, stops: Iterable[Asked]) -> bool:
        """True where no breaker keeps requests from any of these; at once while none has opened."""
        if not self._may_be_open:
            return True
        held = {place for place, breaker in self._breakers.items() if not breaker.is_closed}
        self._may_be_open = bool(held)
        return not any((stop.provider_id, stop.model) in held for stop in stops)

    def resume(self, provider_id: str, model: str, *, opens_in_s: float, down_for_s: float) -> None:
        """Leave one alone as it was left when the program ended."""
        self.breaker(provider_id, model).resume(opens_in_s=opens_in_s, down_for_s=down_for_s)
        self._may_be_open = True

    def line(self, provider: BaseLLMProvider) -> Line:
        """Return the places at one provider."""
        line = self._lines.get(provider.provider_id)
        if line is None:
            line = self._lines[provider.provider_id] = Line(provider.config.max_concurrency, clock=self._clock)
        return line

    @property
    def places(self) -> tuple[Place, ...]:
        """Every provider and model that was asked, or may not be asked now."""
        return tuple(self._breakers)

    def open_breakers(self) -> dict[Place, CircuitBreaker]:
        """Return the breakers of those that are left alone, by provider and model."""
        return {place: breaker for place, breaker in self._breakers.items() if breaker.state != "closed"}

    @property
    def news(self) -> tuple[BreakerEvent, ...]:
        """The changes of breakers since ``take_events``, oldest first."""
        return tuple(self._events)

    def take_events(self) -> list[BreakerEvent]:
        """Return the changes of breakers since the last call, oldest first."""
        taken = list(self._events)
        self._events.clear()
        return taken

    def replaced(self, provider: BaseLLMProvider) -> None:
        """Another provider stands under this id now: what its models did is void."""
        if (line := self._lines.get(provider.provider_id)) is not None:
            line.set_ceiling(provider.config.max_concurrency)
        for place in [place for place in self._breakers if place[0] == provider.provider_id]:
            del self._breakers[place]

    def adopt(self) -> None:
        """Take over changed settings; what is open stays open."""
        settings = self._routing().circuit_breaker
        for breaker in self._breakers.values():
            breaker.failure_threshold = settings.failure_threshold
            breaker.recovery_timeout_s = settings.recovery_timeout_s

    def begin_anew(self) -> None:
        """Forget every breaker: they are made another way from now on."""
        self._breakers.clear()

    def _changed(self, place: Place, state: str, reason: str) -> None:
        self._may_be_open = True
        self._events.append(BreakerEvent(datetime.now(UTC), *place, state, reason))
