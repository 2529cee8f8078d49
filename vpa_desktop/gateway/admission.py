"""Who of a route may be asked, with which model, and who may be asked now: breakers and pauses. Asks nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from vpa_desktop.gateway.verdict import LONGEST_WAIT_S
from vpa_desktop.messages import Attempt, LLMRequest
from vpa_desktop.providers.base import BaseLLMProvider

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager


class Stop:
    """A provider on a route. ``named_model`` is the request's own model where it is meant for this provider.

    ``model`` is the one that is asked there. It may be shared by requests: nothing of one is kept in it.
    """

    __slots__ = ("model", "named_model", "provider", "provider_id")

    def __init__(self, provider: BaseLLMProvider, named_model: str | None = None) -> None:
        self.provider = provider
        self.named_model = named_model
        self.provider_id = provider.provider_id
        self.model = named_model or provider.model

    def passed_over(self, reason: str) -> Attempt:
        """The line of the receipt for one that is not asked."""
        return Attempt(self.provider_id, self.model, "skipped", reason)


class Admission(NamedTuple):
    """Those that may be asked, in order, and the lines of the receipt for the others.

    ``is_forced`` where all should be left alone: the one that is back first is asked all the same.
    """

    stops: tuple[Stop, ...]
    skipped: tuple[Attempt, ...]
    is_forced: bool = False


def stops_for(
    manager: LLMProviderManager,
    request: LLMRequest,
    named: str | None = None,
    route: Sequence[BaseLLMProvider] | None = None,
    model_for: str | None = None,
) -> tuple[Stop, ...]:
    """Return the stops of a request; ``route`` None is the one that the provider the person ``named`` gives.

    ``model_for`` is the provider that the request's model is meant for; every other answers with its own.
    """
    stops = manager.stops(request, named) if route is None else tuple(map(Stop, route))
    if request.model is None:
        return stops
    owner = model_for or manager.model_owner(named, [stop.provider for stop in stops])
    return tuple(Stop(stop.provider, request.model if stop.provider_id == owner else None) for stop in stops)


def admit(manager: LLMProviderManager, route: Sequence[Stop]) -> Admission:
    """Sort out those that are left alone for now; the route has at least one."""
    if not manager.cooldowns.pauses and manager.standings.are_well(route):
        return Admission(tuple(route), (), len(route) == 1)
    waits = [_wait(manager, stop) for stop in route]
    open_ones = [stop for stop, (seconds, _) in zip(route, waits, strict=True) if not seconds]
    is_forced = not open_ones
    if is_forced:
        soonest = min(range(len(route)), key=lambda position: waits[position][0])
        open_ones = [route[soonest]]
    skipped = tuple(
        stop.passed_over(reason) for stop, (_, reason) in zip(route, waits, strict=True) if stop not in open_ones
    )
    return Admission(tuple(open_ones), skipped, is_forced or len(route) == 1)


async def may_be_asked_again(manager: LLMProviderManager, stop: Stop, pause_s: float) -> bool:
    """Wait before a stop is asked again, longer where others were told so meanwhile; False where that is too long."""
    await asyncio.sleep(pause_s)
    left_s = manager.cooldowns.asked_to_wait_s(stop.provider_id, stop.model)
    if left_s > LONGEST_WAIT_S:
        return False
    await asyncio.sleep(left_s)
    return True


def _wait(manager: LLMProviderManager, stop: Stop) -> tuple[float, str]:
    """How long a provider is still left alone (0: not at all), and why."""
    breaker = manager.breaker(stop.provider_id, stop.model)
    closed_s = breaker.opens_in_s if breaker.state == "open" else 0.0
    paused_s = manager.cooldowns.left_s(stop.provider_id, stop.model)
    if paused_s >= closed_s:
        return paused_s, manager.cooldowns.reason(stop.provider_id, stop.model)
    return closed_s, f"left alone for {closed_s:.0f} s after failures"
