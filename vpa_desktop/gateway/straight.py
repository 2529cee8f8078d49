"""The straight way, which nearly every request takes: its first provider is asked at once, and answers.

What cannot be seen at a glance to go well (a rule, a pause, an open breaker, a long text, a hedge) is ``failover``'s
from the start; what fails here goes on there, as its first attempt. Chooses nobody.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from vpa_desktop.gateway.admission import Stop, stops_for
from vpa_desktop.gateway.failover import Failover, whole_answer
from vpa_desktop.gateway.lane import Lane
from vpa_desktop.gateway.match import goes_as_it_is
from vpa_desktop.messages import GatewayEvent, LLMRequest, LLMResponse, RouteDone, RouteStarted
from vpa_desktop.providers.base import BaseLLMProvider

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager


async def answer(manager: LLMProviderManager, request: LLMRequest, named: str | None) -> LLMResponse:
    """Return the whole answer, where no policy has a say; raises VPAError where nobody could give it."""
    stops, lane = _set_out(manager, request, named)
    if lane is not None:
        async with lane as stream:
            if stream is not None:
                async for event in stream:
                    lane.take(event)
        if lane.is_answered:
            return _response(manager, lane)
    return await whole_answer(Failover(manager, request, {}, named, stops=stops, begun=lane).run())


async def events(
    manager: LLMProviderManager,
    request: LLMRequest,
    named: str | None,
    route: Sequence[BaseLLMProvider] | None,
    model_for: str | None,
) -> AsyncGenerator[GatewayEvent, None]:
    """Yield the same as it comes; the last event is RouteDone."""
    stops, lane = _set_out(manager, request, named, route, model_for)
    if lane is not None:
        async with lane as stream:
            if stream is not None:
                yield RouteStarted(lane.stop.provider_id, lane.run.model)
                async for event in stream:
                    if lane.take(event):
                        yield event
        if lane.is_answered:
            yield RouteDone(_response(manager, lane))
            return
    walk = Failover(manager, request, {}, named, route, model_for, stops=stops, begun=lane)
    async with aclosing(walk.run()) as steps:
        async for step in steps:
            yield step


def _set_out(
    manager: LLMProviderManager,
    request: LLMRequest,
    named: str | None,
    route: Sequence[BaseLLMProvider] | None = None,
    model_for: str | None = None,
) -> tuple[tuple[Stop, ...], Lane | None]:
    """The stops, as far as they are known, and the first try; None where it takes more than a glance to allow it."""
    routing = manager.routing
    if request.local_only or routing.hedge_first_token or routing.strategy == "cheapest":
        return (), None
    is_plain = route is None and request.model is None
    stops = manager.stops(request, named) if is_plain else stops_for(manager, request, named, route, model_for)
    if not stops or manager.cooldowns.pauses or not manager.standings.are_well(stops):
        return stops, None
    first, is_only = stops[0], len(stops) == 1
    if not goes_as_it_is(manager, request, first):
        return stops, None
    return stops, Lane(manager, first, request, force=is_only, is_last=is_only)


def _response(manager: LLMProviderManager, lane: Lane) -> LLMResponse:
    """The answer of a try that was the first, and the last."""
    assert lane.receipt is not None
    request, provider_id = lane.run.request, lane.stop.provider_id
    if request.conversation_id:
        manager.answered(request.conversation_id, provider_id)
    attempts = (*lane.run.passed_over, lane.receipt) if lane.run.provider.passed_over else (lane.receipt,)
    return lane.run.response(attempts, lane.cost, "", lane.notes)
