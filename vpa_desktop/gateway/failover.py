"""The failover loop: one request, one provider after another, until one has answered whole.

Before the first token a change of provider is silent to the reader and written on the receipt. After it the
text is kept, the seam is marked, and the next provider goes on; or the stream stops, as the person chose.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from vpa_desktop.errors import (
    AllProvidersFailed,
    BudgetExceeded,
    ContentBlocked,
    PolicyRefused,
    ProviderError,
    StorageError,
    StreamInterrupted,
    VPAError,
)
from vpa_desktop.gateway.attempt import (
    CALLERS_FAULT,
    SILENT_ABOUT_HEALTH,
    AttemptRun,
    continuation,
    fit_to_window,
    worst_case_usd,
)
from vpa_desktop.gateway.breaker import CircuitBreaker
from vpa_desktop.gateway.budget import Reservation
from vpa_desktop.messages import (
    Attempt,
    GatewayEvent,
    LLMRequest,
    LLMResponse,
    RouteDone,
    RouteStarted,
    Seam,
    StreamDone,
    TextDelta,
    Usage,
)
from vpa_desktop.prices import is_free
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.records import UsageRow

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager

LONGEST_WAIT_S: Final = 30.0
"""A provider that asks for more patience than this is not waited for."""


@dataclass(frozen=True, slots=True)
class ReadyAnswer:
    """A text that is given in the place of asking a provider (an extract of documents, say)."""

    model: str
    text: str


class Failover:
    """The walk of one request along its route. ``run`` once."""

    def __init__(
        self,
        manager: LLMProviderManager,
        route: Sequence[BaseLLMProvider],
        request: LLMRequest,
        ready_answers: Mapping[str, ReadyAnswer],
    ) -> None:
        self._manager = manager
        self._route = list(route)
        self._request = request
        self._ready = ready_answers
        self._attempts: list[Attempt] = []
        self._kept = ""
        self._last_error: VPAError | None = None
        self._broke_at = ""
        self._costs: list[Decimal | None] = []

    async def run(self) -> AsyncGenerator[GatewayEvent, None]:
        """Yield the route's events; raises VPAError when no provider could answer."""
        if not self._route:
            raise self._nobody()
        pending = self._admitted()
        for position, provider in enumerate(pending):
            last = position == len(pending) - 1
            if (ready := self._ready.get(provider.provider_id)) is not None:
                async for event in self._give(provider, ready):
                    yield event
                return
            for retry in range(1 + (provider.config.max_retries if last else 0)):
                if retry:
                    await asyncio.sleep(_pause_s(self._last_error, retry))
                async with aclosing(self._try(provider, first=position == 0)) as events:
                    async for event in events:
                        yield event
                        if isinstance(event, RouteDone):
                            return
                if not _may_retry(self._last_error) or self._kept:
                    break
            self._stop_if_final()
        raise self._failure()

    def _admitted(self) -> list[BaseLLMProvider]:
        """The route without the providers whose breaker is open; when all are, the one that opens first is tried."""
        admitted: list[tuple[BaseLLMProvider, CircuitBreaker]] = []
        refused: list[tuple[BaseLLMProvider, CircuitBreaker]] = []
        for provider in self._route:
            breaker = self._manager.breaker(provider.provider_id, provider.model)
            (refused if breaker.state == "open" else admitted).append((provider, breaker))
        if not admitted and refused:
            admitted = [min(refused, key=lambda pair: pair[1].opens_in_s)]
            refused.remove(admitted[0])
        for provider, breaker in refused:
            reason = f"left alone for {breaker.opens_in_s:.0f} s after failures"
            self._attempts.append(Attempt(provider.provider_id, provider.model, "skipped", reason))
        return [provider for provider, _ in admitted]

    async def _give(self, provider: BaseLLMProvider, ready: ReadyAnswer) -> AsyncGenerator[GatewayEvent, None]:
        """Answer with a text that is already there."""
        if self._kept:
            yield Seam(self._broke_at, provider.provider_id, str(self._last_error or ""))
        yield RouteStarted(provider.provider_id, ready.model)
        yield TextDelta(ready.text)
        self._attempts.append(Attempt(provider.provider_id, ready.model, "ok"))
        yield RouteDone(
            LLMResponse(
                content=self._kept + ready.text,
                provider=provider.provider_id,
                model=ready.model,
                finish_reason="stop",
                usage=Usage(),
                cost_usd=None if not is_free(provider.config) else Decimal(),
                ttft_ms=0.0,
                attempts=tuple(self._attempts),
            )
        )

    async def _try(self, provider: BaseLLMProvider, *, first: bool) -> AsyncGenerator[GatewayEvent, None]:
        """One attempt; its failure is left in ``_last_error``."""
        manager = self._manager
        request = self._prepared(provider, first)
        breaker = manager.breaker(provider.provider_id, provider.model)
        run = AttemptRun(provider, request)
        try:
            needed = Decimal() if is_free(provider.config) else None
            if needed is None and manager.budget.is_limited:  # nothing is set aside where there is no limit
                needed = await asyncio.to_thread(worst_case_usd, provider, request)
            reservation = await manager.budget.reserve(needed)
        except BudgetExceeded as exc:
            self._note(run.receipt("skipped", exc.what), exc)
            return
        if not breaker.acquire() and len(self._route) > 1:
            manager.budget.release(reservation)
            self._note(run.receipt("skipped", "another request is already trying it after failures"), None)
            return
        outcome, error = "cancelled", None
        manager.health.started(provider.provider_id)
        try:
            if self._kept:
                yield Seam(self._broke_at, provider.provider_id, str(self._last_error or ""))
            yield RouteStarted(provider.provider_id, run.model)
            async with aclosing(provider.stream(request)) as events:
                async for event in events:
                    if isinstance(event, StreamDone):
                        run.done = event
                        continue
                    run.take(event)
                    yield event
            if run.done is None or run.done.finish_reason == "error":
                raise _gave_up(run)
            outcome = "ok"
        except (ProviderError, PolicyRefused) as exc:
            error = exc
            outcome = "interrupted" if run.text else "failed"
        finally:
            manager.health.ended(provider.provider_id)
            provider_error = error if isinstance(error, ProviderError) else None
            row, cost = await run.row(outcome, provider_error)
            self._costs.append(cost)
            unbooked = await self._book(reservation, row)
            if outcome == "cancelled":
                breaker.release()
        if error is not None:
            self._failed(run, outcome, error)
            return
        breaker.success()
        manager.health.worked(provider.provider_id, run.ms, run.ttft_ms)
        self._attempts.append(run.receipt("ok"))
        yield RouteDone(replace(run.response(tuple(self._attempts), self._total(), self._kept), warnings=unbooked))

    def _total(self) -> Decimal | None:
        """What all attempts cost together; unknown as soon as one of them is."""
        known = [cost for cost in self._costs if cost is not None]
        return sum(known, Decimal()) if len(known) == len(self._costs) else None

    async def _book(self, reservation: Reservation, row: UsageRow) -> tuple[str, ...]:
        """Book an attempt; a disk that refuses is a warning: what was answered, and paid for, is not lost by it."""
        try:
            await self._manager.budget.settle(reservation, row)
        except StorageError as exc:
            return (f"What this answer cost could not be booked. {exc}",)
        return ()

    def _prepared(self, provider: BaseLLMProvider, first: bool) -> LLMRequest:
        """The request as this provider gets it: its own model after the first, turns that fit, the text so far."""
        request = self._request if first else replace(self._request, model=None)
        if self._kept:
            request = continuation(request, self._kept)
        answer_tokens = request.max_tokens or provider.config.max_tokens or 1_024
        return replace(request, messages=fit_to_window(request.messages, provider.context_tokens, answer_tokens))

    def _failed(self, run: AttemptRun, outcome: str, error: VPAError) -> None:
        provider_id = run.provider.provider_id
        breaker = self._manager.breaker(provider_id, run.provider.model)
        if isinstance(error, ProviderError) and error.error_class not in SILENT_ABOUT_HEALTH:
            breaker.failure()
            self._manager.health.failed(provider_id, error.what)
        else:
            breaker.release()
        self._note(run.receipt("interrupted" if outcome == "interrupted" else "failed", str(error)), error)
        if run.text:
            self._kept += "".join(run.text)
            self._broke_at = provider_id

    def _note(self, attempt: Attempt, error: VPAError | None) -> None:
        self._attempts.append(attempt)
        self._last_error = error or self._last_error

    def _stop_if_final(self) -> None:
        """Raise where the next provider must not be asked: the caller's own mistake, or the person's choice."""
        error = self._last_error
        if isinstance(error, ProviderError) and error.error_class in CALLERS_FAULT:
            raise error
        if isinstance(error, BudgetExceeded) and self._manager.budget.settings.on_limit == "block":
            raise error
        if self._kept and not self._manager.routing.continue_after_break:
            raise self._interrupted()

    def _failure(self) -> VPAError:
        error = self._last_error
        if self._kept:
            return self._interrupted()
        real = [a for a in self._attempts if a.outcome != "skipped"]
        if error is not None and len(real) <= 1:
            return error
        tried = "; ".join(f"{a.provider}: {a.reason.rstrip('.')}" for a in self._attempts)
        return AllProvidersFailed(
            "No provider could answer",
            f"Tried in order: {tried}",
            "Test your providers in Settings, Providers, or with: vpa-desktop providers test",
            attempts=self._attempts,
        )

    def _interrupted(self) -> StreamInterrupted:
        error = self._last_error
        return StreamInterrupted(
            "The answer broke off before its end",
            str(error) if error else "",
            "The text so far is kept. Ask for the rest, or regenerate",
            provider=self._broke_at,
            partial=self._kept,
            midstream=True,
        )

    def _nobody(self) -> VPAError:
        if self._request.local_only:
            return PolicyRefused(
                "The question was not sent",
                "It may only be answered on this machine and no local model is set up",
                "Install the local model (vpa-desktop doctor says how) or lift the restriction",
                rule="local_only",
            )
        return AllProvidersFailed(
            "There is no provider to ask",
            "None is set up and the local model is not there",
            "Add one in Settings, Providers, or with: vpa-desktop providers add",
        )


def _gave_up(run: AttemptRun) -> StreamInterrupted:
    """The provider ended the stream in good order but said that it had not finished (out of capacity, say)."""
    return StreamInterrupted(
        f"{run.provider.provider_id} gave up on the answer",
        "It ended the stream without finishing",
        "Ask again, or choose another provider",
        provider=run.provider.provider_id,
        model=run.model,
        midstream=True,
        usage=run.done.usage if run.done else None,
    )


def _may_retry(error: VPAError | None) -> bool:
    if not isinstance(error, ProviderError) or not error.retryable or isinstance(error, ContentBlocked):
        return False
    return error.retry_after_s is None or error.retry_after_s <= LONGEST_WAIT_S


def _pause_s(error: VPAError | None, retry: int) -> float:
    """As long as the provider asked for, else half a second doubling up to 8 s, less up to a quarter of jitter."""
    if isinstance(error, ProviderError) and error.retry_after_s is not None:
        return error.retry_after_s
    return float(min(8.0, 0.5 * 2 ** (retry - 1)) * (1 - 0.25 * random.random()))
