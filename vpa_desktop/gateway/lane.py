"""One request at one stop of a route: wait for a place, set money aside, ask, count, book. Chooses nobody.

What its end means for the route is ``failover``'s; ``ended`` tells it there before the last event is read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Final, TypeGuard

from vpa_desktop import prices
from vpa_desktop.errors import BudgetExceeded, PolicyRefused, ProviderError, StorageError, VPAError
from vpa_desktop.gateway.admission import Stop
from vpa_desktop.gateway.attempt import SILENT_ABOUT_HEALTH, AttemptRun, cost_usd
from vpa_desktop.gateway.breaker import CircuitBreaker
from vpa_desktop.gateway.budget import NOTHING, Reservation, to_its_end
from vpa_desktop.gateway.pace import PaceGuard
from vpa_desktop.gateway.reserving import is_due, set_aside
from vpa_desktop.gateway.verdict import gave_up, in_receipt
from vpa_desktop.messages import (
    Attempt,
    AttemptOutcome,
    LLMRequest,
    ReasoningDelta,
    RouteStarted,
    StreamDone,
    StreamEvent,
    TextDelta,
    Usage,
)
from vpa_desktop.records import UsageRow

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager

PATIENCE_S: Final = 5.0
"""How long a chat stands in line where somebody else could answer; nobody else: until there is a place."""

SLOWER: Final = "another provider's first word came sooner"

LaneEvent = RouteStarted | TextDelta | ReasoningDelta


class Lane:
    """One try: ``async with`` it gives the provider's stream, each event of which goes through ``take``.

    It gives None where the provider may not be asked. At its end ``receipt`` is there, and ``error`` says why it is not
    answered: a failure of the provider's is no exception. ``events`` does all that as one stream.
    ``force`` is for the only one that can be asked. ``anew`` asks for the whole answer, not for its rest.
    """

    error: VPAError | None = None
    receipt: Attempt | None = None
    cost: Decimal | None = None
    was_sent = False
    was_turned_away = False
    notes: tuple[str, ...] = ()
    booking: asyncio.Future[tuple[str, ...]] | None = None
    _breaker: CircuitBreaker | None = None
    _guard: PaceGuard | None = None
    _probe: float | None = None
    _reservation: Reservation | None = None
    _stream: AsyncGenerator[StreamEvent, None] | None = None

    def __init__(
        self,
        manager: LLMProviderManager,
        stop: Stop,
        request: LLMRequest,
        ended: Callable[[Lane], None] | None = None,
        *,
        force: bool = False,
        is_last: bool = True,
        anew: bool = False,
    ) -> None:
        self.stop = stop
        self.run = AttemptRun(stop.provider, request, force=force)
        self.anew = anew
        self._manager = manager
        self._line = manager.standings.line(stop.provider)
        self._watches_pace = manager.routing.slow_stream_s > 0 and not stop.provider.is_local
        self._health = manager.health[stop.provider_id]
        self._ended = ended
        self._force = force
        self._is_last = is_last

    @property
    def is_answered(self) -> bool:
        """True where the whole answer came and is booked."""
        return self.was_sent and self.receipt is not None and self.receipt.outcome == "ok"

    @property
    def was_heard(self) -> bool:
        """True where a first word came."""
        return self.run.ttft_ms is not None

    async def __aenter__(self) -> AsyncGenerator[StreamEvent, None] | None:
        """Take a place and set money aside; return the provider's stream, None where it is not asked."""
        request = self.run.request
        if not self._line.enter_now(request.priority) and not await self._stood_in_line(request):
            return None
        try:
            is_limited = is_due(self._manager.budget, self.stop.provider, request)
            self._reservation = await self._set_aside() if is_limited else NOTHING
            if self._reservation is not None and not self._passes():
                await self._turn_away()
        finally:
            if self._reservation is None:
                self._line.leave(request.priority)
        if self._reservation is not None:
            self._health.began()
            self._stream = self.run.provider.stream(self.run.request)
        return self._stream

    def take(self, event: StreamEvent) -> TypeGuard[TextDelta | ReasoningDelta]:
        """Note an event; True for one that is the reader's. Raises ProviderTimeout where the answer only drips."""
        if isinstance(event, StreamDone):
            self.run.finish(event)
            return False
        run, now = self.run, time.perf_counter()
        is_first = run.ttft_ms is None
        run.take(event, now)
        if self._probe is not None and self._breaker is not None:
            self._probe = self._breaker.speaks(self._probe)
        if self._watches_pace and not is_first:
            self._watch_pace(len(event.text), now)
        return True

    async def __aexit__(
        self, _: type[BaseException] | None, exc: BaseException | None, __: TracebackType | None
    ) -> bool:
        """Close the stream, book what came and tell how it ended; a failure of the provider's is kept in ``error``."""
        if self._reservation is None or self._stream is None:
            return False
        outcome = self._outcome(exc)
        try:
            if exc is not None:  # else it has been read to its end
                await self._stream.aclose()
        finally:
            try:
                await self._settled(outcome, self._reservation)
            finally:
                error = self.error
                error_class = error.error_class if isinstance(error, ProviderError) else None
                self._line.leave(self.run.request.priority, error_class, answered=outcome == "ok")
        if outcome == "cancelled":
            return False
        self.receipt = self.run.receipt(outcome, "" if error is None else in_receipt(error))
        if self._ended is not None:
            self._ended(self)
        return True

    async def events(self) -> AsyncGenerator[LaneEvent, None]:
        """Yield what comes; ends where it was answered, failed or not asked at all."""
        async with self as stream:
            if stream is None:
                return
            yield RouteStarted(self.stop.provider_id, self.run.model)
            async for event in stream:
                if self.take(event):
                    yield event

    def _watch_pace(self, characters: int, now: float) -> None:
        """Let the guard note a piece; its time began with the first one."""
        run, guard = self.run, self._guard
        if guard is None:
            first_at = run.started + (run.ttft_ms or 0.0) / 1000
            guard = self._guard = PaceGuard(run.provider, self._manager.routing.slow_stream_s, since=first_at)
        guard.take(characters, now)

    def _outcome(self, exc: BaseException | None) -> AttemptOutcome:
        """How it ended, by what ended it: the provider's own failure, somebody who left, or the end of the stream."""
        if isinstance(exc, ProviderError | PolicyRefused):
            self.error = exc
        elif exc is not None:
            return "cancelled"
        elif (done := self.run.done) is not None and done.finish_reason != "error":
            return "ok"
        else:
            self.error = gave_up(self.run)
        return "interrupted" if self.run.text else "failed"

    async def _stood_in_line(self, request: LLMRequest) -> bool:
        """True with a place; False, and the reason, where none came in time, or where it asked for patience since."""
        flow = request.conversation_id or request.user_id
        patience_s = None if self._is_last or request.priority == "background" else PATIENCE_S
        if not await self._line.enter(request.priority, flow, patience_s):
            self._pass_over("it is busy, and there was no place in time")
            return False
        rests = self._manager.cooldowns.reason(self.stop.provider_id, self.stop.model)
        if not rests or self._force:
            return True
        self._line.leave(request.priority)
        self.was_turned_away = True
        self._pass_over(rests)
        return False

    async def _set_aside(self) -> Reservation | None:
        """Set money aside; None, and the reason, where a limit could be passed."""
        manager, provider, request = self._manager, self.stop.provider, self.run.request
        info = manager.model_info(provider.config, self.stop.model)
        try:
            reservation, self.run.request = await set_aside(manager.budget, provider, request, info)
        except BudgetExceeded as exc:
            self.error = exc
            self._pass_over(exc.what)
            return None
        return reservation

    async def _turn_away(self) -> None:
        """Give back what was set aside for one that the breaker keeps from going out."""
        held, self._reservation = self._reservation, None
        if held is not None:
            await self._manager.budget.release(held)
        self.was_turned_away = True
        self._pass_over("another request is already trying it after failures")

    def _passes(self) -> bool:
        """True where the breaker lets it go out: closed, or as its probe, or beside one."""
        self._breaker = breaker = self._manager.standings.breaker(self.stop.provider_id, self.stop.model)
        if breaker.is_closed:
            return True
        other_probe = breaker.probe
        if not breaker.acquire(force=self._force):
            return False
        self._probe = breaker.probe if breaker.probe != other_probe else None
        return True

    async def _settled(self, outcome: AttemptOutcome, reservation: Reservation) -> None:
        """Tell how it went, and book it: whatever happened, and whoever leaves meanwhile."""
        run, error = self.run, self.error if isinstance(self.error, ProviderError) else None
        run.end()
        self._tell(outcome)
        usage = run.billed(outcome, error)
        config = run.provider.config
        if usage is not None and not prices.is_at_hand(config):
            # It is waited for, and a caller that is cancelled meanwhile still owes the answer.
            await to_its_end(self._priced_and_booked(outcome, reservation, usage, error))
            return
        self.cost = cost = Decimal() if usage is None else prices.cost_usd(config, run.model, usage)
        row = run.row(outcome, usage, cost, error)
        self.was_sent = True
        if outcome == "failed" and not cost and not reservation.id:  # nobody waits for the disk
            self.booking = asyncio.ensure_future(self._booked(reservation, row))
        else:
            self.notes = await self._booked(reservation, row)

    async def _priced_and_booked(
        self, outcome: AttemptOutcome, reservation: Reservation, usage: Usage, error: ProviderError | None
    ) -> None:
        self.cost = await cost_usd(self.run.provider.config, self.run.model, usage)
        self.was_sent = True
        self.notes = await self._booked(reservation, self.run.row(outcome, usage, self.cost, error))

    async def _booked(self, reservation: Reservation, row: UsageRow) -> tuple[str, ...]:
        """Book an attempt; return what the answer is to say about it.

        A disk that refuses is a warning: what was answered, and paid for, is not lost by it.
        """
        try:
            return await self._manager.budget.settle(reservation, row)
        except StorageError as exc:
            return (f"What this answer cost could not be booked. {exc}",)

    def _tell(self, outcome: AttemptOutcome) -> None:
        """Tell breaker, pauses and health how it went; first of all, since nothing is waited for here."""
        manager, stop, breaker, error = self._manager, self.stop, self._breaker, self.error
        assert breaker is not None
        self._health.ended()
        if outcome == "ok":
            run = self.run
            breaker.success()
            if manager.cooldowns.pauses:
                manager.cooldowns.worked(stop.provider_id, stop.model)
            tokens = run.counted.output_tokens if run.counted is not None else None
            self._health.worked(manager.health.clock(), run.took_ms, run.ttft_ms, tokens)
        elif not isinstance(error, ProviderError):  # stopped by the reader, or by a rule
            self._give_back_probe(breaker)
        elif manager.cooldowns.note(stop.provider_id, stop.model, error):
            self._give_back_probe(breaker)
            self._health.failed(error.what)
        elif error.error_class not in SILENT_ABOUT_HEALTH:
            breaker.failure(error.what)
            self._health.failed(error.what)
        else:
            self._give_back_probe(breaker)

    def _give_back_probe(self, breaker: CircuitBreaker) -> None:
        """Let another be the probe where this one was it: one that went out before frees nobody else's place."""
        if self._probe is not None and self._probe == breaker.probe:
            breaker.release()

    def was_slower(self) -> None:
        """It was cut off because another one spoke first: that is on the receipt, and in what is expected of it."""
        self._manager.health.was_slow(self.stop.provider_id, self.run.ms)
        self._end(self.run.receipt("cancelled", SLOWER))

    def _pass_over(self, reason: str) -> None:
        self._end(self.run.receipt("skipped", reason))

    def _end(self, receipt: Attempt) -> None:
        self.receipt = receipt
        if self._ended is not None:
            self._ended(self)
