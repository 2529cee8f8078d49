"""One attempt at one provider: what came, how long it took, what it cost, and what its failure means for the route."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from vpa_desktop import prices
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ErrorClass, ProviderError
from vpa_desktop.messages import (
    Attempt,
    AttemptOutcome,
    LLMRequest,
    LLMResponse,
    Message,
    ReasoningDelta,
    StreamDone,
    TextDelta,
    Usage,
)
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.records import UsageRow
from vpa_desktop.tokens import estimate_prompt_tokens, estimate_tokens

CALLERS_FAULT: Final[frozenset[ErrorClass]] = frozenset({"invalid_request", "content_filter", "context_length"})
"""Failures that another provider would repeat, or that must not be routed around: they stop the route.

Of invalid_request only what is proved to be the caller's: ``verdict.stops_the_route``.
"""

SILENT_ABOUT_HEALTH: Final[frozenset[ErrorClass]] = CALLERS_FAULT | {"not_found"}
"""Failures that say nothing about whether the provider works: they never open a breaker."""

UNFINISHED: Final = ("pause", "continue")
"""Reasons to stop in good order that are not an answer's end."""

CONTINUE: Final = (
    "Your last answer was cut off. Go on exactly where it stopped, without repeating anything and without a preface."
)


class AttemptRun:
    """Collects one attempt as it goes. Times in milliseconds since it started; ``took_ms`` is there at its end.

    ``model`` is the one that answers, as far as known; ``counted`` is the usage of a whole answer.
    """

    ttft_ms: float | None = None
    done: StreamDone | None = None
    took_ms: float = 0.0
    cost_usd: Decimal | None = None
    counted: Usage | None = None

    def __init__(self, provider: BaseLLMProvider, request: LLMRequest, *, force: bool = False) -> None:
        self.provider = provider.for_attempt(force=force)
        self.request = request
        self.model = request.model or provider.model
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.started = time.perf_counter()

    @property
    def passed_over(self) -> tuple[Attempt, ...]:
        """The keys that were refused before the one that was taken, as lines of the route receipt."""
        if not (gone := self.provider.passed_over):
            return ()
        return tuple(Attempt(self.provider.provider_id, self.model, "skipped", each.reason, each.ms) for each in gone)

    @property
    def ms(self) -> float:
        """How long it has taken so far."""
        return (time.perf_counter() - self.started) * 1000

    def take(self, event: TextDelta | ReasoningDelta, now: float) -> None:
        """Note a piece of the answer that came ``now`` (``time.perf_counter``)."""
        if self.ttft_ms is None:
            self.ttft_ms = (now - self.started) * 1000
        (self.text if isinstance(event, TextDelta) else self.reasoning).append(event.text)

    def finish(self, done: StreamDone) -> None:
        """Note that the answer is whole."""
        self.done = done
        if done.model:
            self.model = done.model
        counted = done.usage
        if counted is not None and counted.input_tokens and counted.output_tokens:
            self.counted = counted

    def end(self) -> None:
        """It is over: from now on its time, and the usage of a whole answer, stand still."""
        self.took_ms = (time.perf_counter() - self.started) * 1000
        if self.done is not None and self.counted is None:
            self.counted = self.usage()

    def receipt(self, outcome: AttemptOutcome, reason: str = "") -> Attempt:
        """The attempt as a line of the route receipt."""
        ttft_ms = None if self.ttft_ms is None else round(self.ttft_ms, 1)
        ms = round(self.took_ms or self.ms, 1)
        return Attempt(self.provider.provider_id, self.model, outcome, reason, ms, ttft_ms, self.cost_usd)

    def usage(self, counted: Usage | None = None, *, is_whole: bool = True) -> Usage:
        """What was counted; what the provider did not say is estimated from the text.

        A 0 is not said either: neither a question nor a text has no tokens, a server that sends it does not count.
        Of an answer that broke off (``is_whole`` False) a count may stand for its beginning only (Anthropic's first
        event says one token): the estimate counts where it is more.
        """
        if self.counted is not None and counted is None:
            return self.counted
        counted = counted or (self.done and self.done.usage) or Usage()
        tokens_in, tokens_out = counted.input_tokens, counted.output_tokens
        if not tokens_in:
            tokens_in = estimate_prompt_tokens(self.request.messages, self.model).tokens
        if not tokens_out or not is_whole:
            tokens_out = max(tokens_out or 0, self._estimated_out())
        if (tokens_in, tokens_out) == (counted.input_tokens, counted.output_tokens):
            return counted
        return replace(counted, input_tokens=tokens_in, output_tokens=tokens_out, estimated=True)

    def _estimated_out(self) -> int:
        """The tokens of the text so far; never more than were asked for, so that an estimate passes no limit."""
        tokens = estimate_tokens("".join(self.text) + "".join(self.reasoning)).tokens
        return tokens if self.request.max_tokens is None else min(tokens, self.request.max_tokens)

    def billed(self, outcome: AttemptOutcome, error: ProviderError | None = None) -> Usage | None:
        """What is owed for; None where nothing is.

        A refusal before any text costs nothing, unless the provider counted something; a stop costs the question.
        """
        if outcome == "ok":
            return self.counted or self.usage()
        counted = (error.usage if error else None) or (self.done.usage if self.done else None)
        if outcome != "cancelled" and not (self.text or self.reasoning) and not _is_something(counted):
            return None
        return self.usage(counted if error else None, is_whole=self.done is not None)

    def row(
        self, outcome: AttemptOutcome, usage: Usage | None, cost: Decimal | None, error: ProviderError | None = None
    ) -> UsageRow:
        """The attempt as booked: ``usage`` is what was ``billed``, and ``cost`` what that costs."""
        usage, self.cost_usd = usage or Usage(), cost
        provider, request, model = self.provider, self.request, self.model
        return UsageRow(  # so many fields by name would be gathered in a dictionary first, for every request
            datetime.now(UTC),
            provider.provider_id,
            model,
            outcome,
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_input_tokens,
            cost,
            self.ttft_ms,
            self.took_ms,
            error.error_class if error else "",
            request.conversation_id,
            request.metadata.get("message_id"),
            usage.estimated,
            user_id=request.user_id,
            key_label=provider.key_label,
            cache_write_tokens=usage.cache_write_tokens,
            saved_usd=prices.prompt_cache_saving_usd(provider.config, model, usage, cost),
        )

    def response(
        self, attempts: tuple[Attempt, ...], cost: Decimal | None, before: str, warnings: tuple[str, ...] = ()
    ) -> LLMResponse:
        """The whole answer; ``before`` is what earlier providers had given of it."""
        done = self.done
        return LLMResponse(
            content=before + "".join(self.text),
            provider=self.provider.provider_id,
            model=self.model,
            finish_reason=done.finish_reason if done else None,
            usage=self.counted or self.usage(),
            reasoning="".join(self.reasoning) if self.reasoning else "",
            tool_calls=done.tool_calls if done else (),
            cost_usd=cost,
            ttft_ms=self.ttft_ms,
            latency_ms=self.took_ms,
            attempts=attempts,
            request_id=done.request_id if done else None,
            carry=done.carry if done and not before else None,
            warnings=(self._unfinished(), *warnings) if done and done.finish_reason in UNFINISHED else warnings,
        )

    def _unfinished(self) -> str:
        """The sentence for a provider that stopped in good order before the answer's end."""
        return f"The answer may not be whole. {self.provider.provider_id} stopped before its end. Ask it to go on."


def _is_something(counted: Usage | None) -> bool:
    return counted is not None and bool(counted.input_tokens or counted.output_tokens)


async def cost_usd(config: LLMProviderConfig, model: str, usage: Usage) -> Decimal | None:
    """Return what was used costs; the catalogue of prices is read off the loop, once in a process."""
    if prices.is_at_hand(config):  # a thread would cost more than the price
        return prices.cost_usd(config, model, usage)
    return await asyncio.to_thread(prices.cost_usd, config, model, usage)


def continuation(request: LLMRequest, partial: str) -> LLMRequest:
    """The request that goes on with an answer that broke off after ``partial``."""
    return replace(request, messages=(*request.messages, Message("assistant", partial), Message("user", CONTINUE)))
