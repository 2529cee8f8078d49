"""The failover loop: one request, one provider after another, until one has answered whole.

Before the first token a change of provider is silent to the reader and written on the receipt. After it the
text is kept, the seam is marked, and the next provider goes on; or the stream stops, as the person chose.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from vpa_desktop.errors import BadReply, BudgetExceeded, PolicyRefused, ProviderError, StreamInterrupted, VPAError
from vpa_desktop.gateway.admission import Admission, Stop, admit, may_be_asked_again, stops_for
from vpa_desktop.gateway.comparison import compared
from vpa_desktop.gateway.hedge import late_after_s, race
from vpa_desktop.gateway.lane import SLOWER, Lane, LaneEvent
from vpa_desktop.gateway.match import Match, Objection
from vpa_desktop.gateway.on_limit import after_limit
from vpa_desktop.gateway.permission import left_out, none_permitted
from vpa_desktop.gateway.verdict import may_retry, nobody_answered, nobody_to_ask, pause_s, stops_the_route
from vpa_desktop.messages import (
    Attempt,
    GatewayEvent,
    LLMRequest,
    LLMResponse,
    RouteDone,
    RouteStarted,
    Seam,
    TextDelta,
    Usage,
)
from vpa_desktop.prices import is_free
from vpa_desktop.providers.base import BaseLLMProvider

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager


@dataclass(frozen=True, slots=True)
class ReadyAnswer:
    """A text that is given in the place of asking a provider (an extract of documents, say)."""

    model: str
    text: str


class _Tries:
    """How often one stop was tried, and how often at most; ``is_anew`` once it was asked for the whole answer."""

    __slots__ = ("force", "is_anew", "is_last", "made", "stop")

    def __init__(self, stop: Stop, *, force: bool, is_last: bool, made: int = 0) -> None:
        self.stop = stop
        self.force = force
        self.is_last = is_last
        self.made = made
        self.is_anew = False

    @property
    def most(self) -> int:
        return 1 + (self.stop.provider.config.max_retries if self.is_last else 0)


class Failover:
    """The walk of one request along its route. ``run`` once.

    ``named``, ``route`` and ``model_for`` are those of ``stops_for``; ``stops`` is what it gave where that is known.
    ``begun`` is the first stop's first try, already over: the walk goes on behind it.
    """

    _kept = ""
    _error: VPAError | None = None
    _broke_at = ""
    _broke_because: VPAError | None = None
    _winner: Lane | None = None
    _failed: tuple[VPAError, ...] = ()
    _refused: tuple[VPAError, ...] = ()
    _turned_away: tuple[Stop, ...] = ()
    _bookings: tuple[asyncio.Future[tuple[str, ...]], ...] = ()
    _costs: tuple[Decimal | None, ...] = ()
    _notes: tuple[str, ...] = ()

    def __init__(
        self,
        manager: LLMProviderManager,
        request: LLMRequest,
        ready_answers: Mapping[str, ReadyAnswer],
        named: str | None = None,
        route: Sequence[BaseLLMProvider] | None = None,
        model_for: str | None = None,
        *,
        stops: tuple[Stop, ...] = (),
        begun: Lane | None = None,
    ) -> None:
        self._manager = manager
        self._request = request
        self._ready = ready_answers
        self._named = named
        self._given_route = route
        self._model_for = model_for
        self._route = stops
        self._begun = begun
        self._has_rules = has_rules = request.local_only or bool(manager.policy.policies)
        self._match = Match(manager, request, has_rules=has_rules)
        self._attempts: list[Attempt] = []

    async def run(self) -> AsyncGenerator[GatewayEvent, None]:
        """Yield the route's events; raises VPAError when no provider could answer. At its end all is booked."""
        try:
            if self._manager.routing.strategy == "cheapest" and self._given_route is None:
                await self._manager.learn_prices(self._request)
            admission = self._set_out()
            self._attempts += admission.skipped
            stops, force = list(admission.stops), admission.is_forced
            while stops:
                stop = stops.pop(0)
                if self._has_rules and self._is_passed_over(stop, self._match.forbidden(stop)):
                    continue
                if self._ready and (ready := self._ready.get(stop.provider_id)) is not None:
                    async for given in self._give(stop.provider, ready):
                        yield given
                    return
                tries = _Tries(stop, force=force, is_last=not stops, made=0 if self._begun is None else 1)
                self._begun = None
                while (lane := await self._next_lane(tries)) is not None:
                    if stops and self._may_hedge(force=force):
                        async with aclosing(self._hedged(lane, stops)) as events:
                            async for heard in events:
                                yield heard
                        lane = self._winner or lane
                    else:
                        is_seam_due = bool(self._kept)
                        async with lane as stream:
                            if stream is not None:
                                yield RouteStarted(stop.provider_id, lane.run.model)
                                async for event in stream:
                                    if not lane.take(event):
                                        continue
                                    if is_seam_due:
                                        is_seam_due = False  # only now: one that fails at once leaves the text as it is
                                        self._kept = "" if lane.anew else self._kept
                                        yield self._seam(stop.provider, restarts=lane.anew)
                                    yield event
                    if lane.is_answered:
                        if self._bookings:
                            await self._booked()
                        yield await self._done(
                            lane.run.response(tuple(self._attempts), self._total(), self._kept, self._notes)
                        )
                        return
                if isinstance(self._error, BudgetExceeded):
                    stops, force = await self._after_limit(self._error, stop, stops), False
                if not stops and not force and not self._failed and self._turned_away:
                    # Nobody was asked: better beside a probe than not at all.
                    stops, force = [self._turned_away[0]], True
            raise self._interrupted() if self._kept else nobody_answered(self._attempts, self._failed, self._refused)
        except PolicyRefused as exc:
            if self._manager.on_refusal is not None:
                await self._manager.on_refusal(exc, self._request)
            raise
        finally:
            if self._bookings:
                await self._booked()

    def _set_out(self) -> Admission:
        """Find the stops of the route, and who of them may be asked now; raises VPAError where there is none."""
        manager, request = self._manager, self._request
        if not self._route:
            self._route = stops_for(manager, request, self._named, self._given_route, self._model_for)
        if not self._route:
            raise none_permitted(manager, request) or nobody_to_ask(local_only=request.local_only)
        if self._has_rules:
            self._attempts += left_out(manager, self._route, request)
        if self._begun is None:
            return self._admitted()
        self._ended(self._begun)  # all could be asked when it was
        return Admission(self._route, (), len(self._route) == 1)

    def _admitted(self) -> Admission:
        """Who may be asked now; where they all lack what the request needs, the least bad of those that have it."""
        admission, unfit = admit(self._manager, self._route), self._match.unfitness
        if not admission.skipped or not all(map(unfit, admission.stops)) or all(map(unfit, self._route)):
            return admission
        return admit(self._manager, [stop for stop in self._route if not self._is_passed_over(stop, unfit(stop))])

    async def _done(self, response: LLMResponse) -> RouteDone:
        """The last event; where another than the first choice answered it says what that one would have cost."""
        if self._request.conversation_id:
            self._manager.answered(self._request.conversation_id, response.provider)
        done, first = RouteDone(response), self._route[0]
        if response.provider == first.provider_id:
            return done
        return await compared(done, first.provider, first.model)

    async def _booked(self) -> None:
        """Wait for what is booked beside; what cannot be is said on the answer."""
        while self._bookings:
            booking, *rest = self._bookings
            self._bookings = tuple(rest)
            self._notes += await booking

    async def _next_lane(self, tries: _Tries) -> Lane | None:
        """Return the next try at one stop, None where no more makes sense; raises where nobody else must be asked."""
        stop = tries.stop
        if not tries.made:
            tries.made = 1
            if not tries.force and self._is_passed_over(stop, self._match.rests(stop)):
                self._turned_away += (stop,)
                return None
            if not self._kept and self._match.goes_as_it_is(stop):
                return self._lane_with(self._request, tries)
            later = self._route[self._route.index(stop) + 1 :] if stop in self._route else []
            if self._is_passed_over(stop, await self._match.objection(stop, later)):
                return None
            return await self._lane(tries)
        is_over = tries.made >= tries.most or not may_retry(self._error) or bool(self._kept)
        if tries.is_anew or is_over:
            if not tries.is_anew and self._refused_to_continue():
                tries.is_anew = True
                return await self._lane(tries)
            self._stop_if_final()
            return None
        if not await may_be_asked_again(self._manager, stop, pause_s(self._error, tries.made)):
            self._stop_if_final()
            return None
        tries.made += 1
        return await self._lane(tries)

    async def _give(self, provider: BaseLLMProvider, ready: ReadyAnswer) -> AsyncGenerator[GatewayEvent, None]:
        """Answer with a text that is already there."""
        if self._kept:
            yield self._seam(provider)
        yield RouteStarted(provider.provider_id, ready.model)
        yield TextDelta(ready.text)
        self._attempts.append(Attempt(provider.provider_id, ready.model, "ok"))
        self._costs += (Decimal() if is_free(provider.config) else None,)
        await self._booked()
        yield await self._done(
            LLMResponse(
                content=self._kept + ready.text,
                provider=provider.provider_id,
                model=ready.model,
                finish_reason="stop",
                usage=Usage(),
                cost_usd=self._total(),
                ttft_ms=0.0,
                attempts=tuple(self._attempts),
                warnings=self._notes,
            )
        )

    async def _lane(self, tries: _Tries) -> Lane:
        """One try with the request made ready for this stop."""
        self._error = None
        return self._lane_with(await self._match.made_ready(tries.stop, "" if tries.is_anew else self._kept), tries)

    def _lane_with(self, request: LLMRequest, tries: _Tries) -> Lane:
        """One try with this request; its own failure is left in ``_error``, None where it was not made."""
        self._error = None
        stop, force, is_last = tries.stop, tries.force, tries.is_last
        return Lane(self._manager, stop, request, self._ended, force=force, is_last=is_last, anew=tries.is_anew)

    def _may_hedge(self, *, force: bool) -> bool:
        return self._manager.routing.hedge_first_token and not force and not self._kept

    async def _hedged(self, lane: Lane, stops: list[Stop]) -> AsyncGenerator[LaneEvent, None]:
        """One try's events, or those of the next stop's, asked beside it where its first word is late."""
        manager = self._manager
        manager.hedges.earn(manager.routing.hedge_share)
        asked = [lane]

        async def second() -> Lane | None:
            usable = [s for s in stops if s.provider_id not in self._ready and not self._match.lacks(s)]
            if not usable or not manager.hedges.spend():
                return None
            stops.remove(usable[0])
            asked.append(await self._lane(_Tries(usable[0], force=False, is_last=False)))
            return asked[-1]

        yield RouteStarted(lane.stop.provider_id, lane.run.model)
        self._winner = winner = lane
        late_s = late_after_s(manager.health[lane.stop.provider_id])
        async with aclosing(race(lane, second, late_s)) as events:
            async for winner, event in events:
                if not isinstance(event, RouteStarted) or winner is not lane:
                    yield event
        if winner.was_heard:
            self._unmix(winner)
            if winner.error is not None:  # the other was only cut off: it may go on with what broke
                stops[:0] = [each.stop for each in asked if each is not winner and each.error is None]
        self._winner = winner

    def _unmix(self, winner: Lane) -> None:
        """Of two that spoke in the same moment one was read: the other is no answer, nor the beginning of one."""
        others = [each for each in self._attempts if each is not winner.receipt]
        late = [each._replace(outcome="cancelled", reason=SLOWER) if each.outcome == "ok" else each for each in others]
        self._attempts = [*late, winner.receipt] if winner.receipt is not None else late
        self._error, self._kept = winner.error, "".join(winner.run.text) if winner.error else ""
        if self._kept:
            self._broke_at, self._broke_because = winner.stop.provider_id, winner.error

    def _ended(self, lane: Lane) -> None:
        """Take in how one try ended."""
        assert lane.receipt is not None
        lines = [*lane.run.passed_over, lane.receipt]
        if self._attempts and self._attempts[-1].outcome == "ok":  # cut off beside the one that answered
            self._attempts[-1:-1] = lines
        else:
            self._attempts += lines
        if lane.was_sent:
            self._costs += (lane.cost,)
            if lane.notes:
                self._notes += tuple(note for note in lane.notes if note not in self._notes)
            if lane.booking is not None:
                self._bookings += (lane.booking,)
        if lane.was_turned_away:
            self._turned_away += (lane.stop,)
        if lane.error is None:
            return
        self._error = lane.error
        if not lane.was_sent:
            self._refused += (lane.error,)
            return
        self._failed += (lane.error,)
        if lane.run.text:
            self._kept += "".join(lane.run.text)
            self._broke_at, self._broke_because = lane.stop.provider_id, lane.error

    def _total(self) -> Decimal | None:
        """What all attempts cost together; unknown as soon as one of them is."""
        if None in self._costs:
            return None
        return sum((cost for cost in self._costs if cost is not None), Decimal())

    async def _after_limit(self, error: BudgetExceeded, refused: Stop, rest: list[Stop]) -> list[Stop]:
        """Who is asked in the place of one that could pass a limit; the answer and its receipt say so."""
        instead = await after_limit(self._manager, self._request, self._route, refused, rest)
        self._attempts += instead.passed_over
        if instead.note:
            self._notes += (f"{error.what}: {instead.note}",)
        self._error = None
        self._route += tuple(stop for stop in instead.stops if stop not in self._route)  # so that each comes up once
        return list(instead.stops)

    def _is_passed_over(self, stop: Stop, objection: Objection | None) -> bool:
        """Put an objection on the receipt; False where there is none."""
        if objection is None:
            return False
        self._attempts.append(stop.passed_over(objection.reason))
        if objection.error is not None:
            self._refused += (objection.error,)
        return True

    def _seam(self, provider: BaseLLMProvider, *, restarts: bool = False) -> Seam:
        return Seam(self._broke_at, provider.provider_id, str(self._broke_because or ""), restarts)

    def _refused_to_continue(self) -> bool:
        """True where the last attempt failed because a broken answer was not taken as part of the conversation."""
        error = self._error
        return bool(self._kept) and isinstance(error, ProviderError) and error.error_class == "invalid_request"

    def _stop_if_final(self) -> None:
        """Raise where the next provider must not be asked: the caller's own mistake, or the person's choice."""
        error = self._error
        if isinstance(error, ProviderError) and stops_the_route(error) and not self._refused_to_continue():
            if error.error_class != "context_length":
                raise error
            self._match.was_too_long(error)
        if isinstance(error, BudgetExceeded) and self._manager.budget.settings.on_limit == "block":
            raise error
        if self._kept and not self._manager.routing.continue_after_break:
            raise self._interrupted()

    def _interrupted(self) -> StreamInterrupted:
        error = self._broke_because
        return StreamInterrupted(
            "The answer broke off before its end",
            str(error) if error else "",
            "The text so far is kept. Ask for the rest, or regenerate",
            provider=self._broke_at,
            partial=self._kept,
            midstream=True,
        )


async def whole_answer(events: AsyncGenerator[GatewayEvent, None]) -> LLMResponse:
    """Read a route to its end, where it closes itself: whatever ends it sooner comes out of it."""
    answer: LLMResponse | None = None
    async for event in events:
        if isinstance(event, RouteDone):
            answer = event.response
    if answer is None:
        raise BadReply("The route ended without an answer")
    return answer
