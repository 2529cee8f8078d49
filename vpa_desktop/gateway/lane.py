"""One request at one stop of a route: wait for a place, set money aside, ask, count, book. Chooses nobody.

What its end means for the route is ``failover``'s; it is told through ``ended`` before the last event is read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from vpa_desktop import prices
from vpa_desktop.catalog import ModelInfo
from vpa_desktop.errors import BudgetExceeded, PolicyRefused, ProviderError, StorageError, VPAError
from vpa_desktop.gateway.admission import Stop
from vpa_desktop.gateway.attempt import SILENT_ABOUT_HEALTH, AttemptRun
from vpa_desktop.gateway.breaker import CircuitBreaker
from vpa_desktop.gateway.budget import Reservation, to_its_end
from vpa_desktop.gateway.reserving import set_aside
from vpa_desktop.gateway.verdict import gave_up
from vpa_desktop.messages import (
    Attempt,
    AttemptOutcome,
    LLMRequest,
    ReasoningDelta,
    RouteStarted,
    StreamDone,
    TextDelta,
)
from vpa_desktop.records import UsageRow

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager

PATIENCE_S: Final = 5.0
"""How long a chat stands in line where somebody else could answer; nobody else: until there is a place."""

SLOWER: Final = "another provider's first word came sooner"

LaneEvent = RouteStarted | TextDelta | ReasoningDelta


class Lane:
    """One try. ``events`` once; then ``receipt`` is there, and ``error`` says why it is not answered.

    ``force`` is for the only one that can be asked. ``anew`` asks for the whole answer, not for its rest.
    """

    def __init__(
        self,
        manager: LLMProviderManager,
        stop: Stop,
        request: LLMRequest,
        info: ModelInfo,
        ended: Callable[[Lane], None],
        *,
        force: bool = False,
        is_last: bool = True,
        anew: bool = False,
    ) -> None:
        self.stop = stop
        self.run = AttemptRun(stop.provider, request, force=force)
        self.anew = anew
        self.error: VPAError | None = None
        self.receipt: Attempt | None = None
        self.cost: Decimal | None = None
        self.was_sent = False
        self.was_turned_away = False
        self.notes: tuple[str, ...] = ()
        self.booking: asyncio.Future[tuple[str, ...]] | None = None
        self._manager = manager
        self._info = info
        self._ended = ended
        self._force = force
        self._breaker: CircuitBreaker | None = None
        self._probe: float | None = None
        self._patience_s = None if is_last or request.priority == "background" else PATIENCE_S

    @property
    def is_answered(self) -> bool:
        """True where the whole answer came and is booked."""
        return self.was_sent and self.receipt is not None and self.receipt.outcome == "ok"

    @property
    def was_heard(self) -> bool:
        """True where a first word came."""
        return self.run.ttft_ms is not None

    async def events(self) -> AsyncGenerator[LaneEvent, None]:
        """Yield what comes; ends where it was answered, failed or not asked at all. Its failure is no exception."""
        request = self.run.request
        line = self._manager.line(self.stop.provider)
        if not line.enter_now(request.priority) and not await self._place(request):
            self._pass_over("it is busy, and there was no place in time")
            return
        outcome: AttemptOutcome = "cancelled"
        reservation: Reservation | None = None
        try:
            reservation = await self._reserve()
            if reservation is None:
                return
            yield RouteStarted(self.stop.provider_id, self.run.model)
            async with aclosing(self.run.provider.stream(self.run.request)) as events:
                guard = self._manager.pace_guard(self.stop.provider)
                async for event in events:
                    if isinstance(event, StreamDone):
                        self.run.done = event
                        continue
                    self.run.take(event)
                    if self._probe is not None and self._breaker is not None:
                        self._probe = self._breaker.speaks(self._probe)
                    if guard is not None:
                        guard.take(len(event.text), time.perf_counter())
                    yield event
            if self.run.done is None or self.run.done.finish_reason == "error":
                raise gave_up(self.run)
            outcome = "ok"
        except (ProviderError, PolicyRefused) as exc:
            self.error = exc
            outcome = "interrupted" if self.run.text else "failed"
        finally:
            try:
                if reservation is not None:
                    await self._settle(outcome, reservation)
            finally:
                error = self.error if isinstance(self.error, ProviderError) else None
                line.leave(request.priority, error.error_class if error else None, answered=outcome == "ok")
        self._conclude(outcome)

    async def _place(self, request: LLMRequest) -> bool:
        flow = request.conversation_id or request.user_id
        return await self._manager.line(self.stop.provider).enter(request.priority, flow, self._patience_s)

    async def _reserve(self) -> Reservation | None:
        """Set money aside and pass the breaker; None, and the reason, where it may not be asked."""
        manager, stop = self._manager, self.stop
        try:
            reservation, request = await set_aside(manager.budget, stop.provider, self.run.request, self._info)
        except BudgetExceeded as exc:
            self.error = exc
            self._pass_over(exc.what)
            return None
        self.run.request = request
        breaker = manager.breaker(stop.provider_id, stop.model)
        other_probe = breaker.probe
        if not breaker.acquire(force=self._force):
            await manager.budget.release(reservation)
            self.was_turned_away = True
            self._pass_over("another request is already trying it after failures")
            return None
        self._breaker, self._probe = breaker, breaker.probe if breaker.probe != other_probe else None
        manager.health.started(stop.provider_id)
        return reservation

    async def _settle(self, outcome: AttemptOutcome, reservation: Reservation) -> None:
        """Whatever happened, and whoever leaves meanwhile: it is told and booked, and what was set aside goes back."""
        self._tell(outcome)
        booked = self._booked(outcome, reservation)
        # A price that has to be looked up is waited for, and a caller that is cancelled then still owes the answer.
        await (booked if prices.is_at_hand(self.stop.provider.config) else to_its_end(booked))

    async def _booked(self, outcome: AttemptOutcome, reservation: Reservation) -> None:
        """Book it; one that failed and cost nothing beside the next one's attempt: nobody waits for the disk."""
        row, self.cost = await self.run.row(outcome, self.error if isinstance(self.error, ProviderError) else None)
        self.was_sent = True
        if outcome == "failed" and not self.cost and not reservation.id:
            self.booking = asyncio.ensure_future(self._book(reservation, row))
        else:
            self.notes = await self._book(reservation, row)

    async def _book(self, reservation: Reservation, row: UsageRow) -> tuple[str, ...]:
        """Book an attempt; return what the answer is to say about it.

        A disk that refuses is a warning: what was answered, and paid for, is not lost by it.
        """
        try:
            return await self._manager.budget.settle(reservation, row)
        except StorageError as exc:
            return (f"What this answer cost could not be booked. {exc}",)

    def _tell(self, outcome: AttemptOutcome) -> None:
        """Tell breaker, pauses and health how it went; first of all, since nothing is waited for here."""
        manager, stop, run, breaker, error = self._manager, self.stop, self.run, self._breaker, self.error
        assert breaker is not None
        manager.health.ended(stop.provider_id)
        if outcome == "ok":
            breaker.success()
            manager.cooldowns.worked(stop.provider_id, stop.model)
            manager.health.worked(stop.provider_id, run.ms, run.ttft_ms, run.usage().output_tokens)
        elif not isinstance(error, ProviderError):  # stopped by the reader, or by a rule
            self._give_back_probe(breaker)
        elif manager.cooldowns.note(stop.provider_id, stop.model, error):
            self._give_back_probe(breaker)
            manager.health.failed(stop.provider_id, error.what)
        elif error.error_class not in SILENT_ABOUT_HEALTH:
            breaker.failure(error.what)
            manager.health.failed(stop.provider_id, error.what)
        else:
            self._give_back_probe(breaker)

    def _give_back_probe(self, breaker: CircuitBreaker) -> None:
        """Let another be the probe where this one was it: one that went out before frees nobody else's place."""
        if self._probe is not None and self._probe == breaker.probe:
            breaker.release()

    def _conclude(self, outcome: AttemptOutcome) -> None:
        """Tell the route that it is over."""
        self.receipt = self.run.receipt(outcome, str(self.error or ""))
        self._ended(self)

    def was_slower(self) -> None:
        """It was cut off because another one spoke first: that is on the receipt, and in what is expected of it."""
        self._manager.health.was_slow(self.stop.provider_id, self.run.ms)
        self.receipt = self.run.receipt("cancelled", SLOWER)
        self._ended(self)

    def _pass_over(self, reason: str) -> None:
        self.receipt = self.run.receipt("skipped", reason)
        self._ended(self)
