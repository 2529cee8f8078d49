"""HealthBook: what each provider did lately, from own traffic. In memory; the ledger keeps the history."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Final

WINDOW: Final = 100
"""How many requests per provider are looked back on."""

FADES_IN_S: Final = 30.0
"""After this long without a sample two thirds of an old slowness are forgiven."""

ANSWER_TOKENS: Final = 200
"""The length of answer that speeds are compared for."""


@dataclass(slots=True)
class PeakAverage:
    """A moving average that follows a rise at once and a fall slowly, so that a slowdown is met at its first sign.

    The rule of Finagle's peak-sensitive average: an old value fades with time, not with the number of samples.
    """

    value: float | None = None
    at: float = 0.0

    def add(self, sample: float, now: float) -> None:
        """Take a sample in; ``now`` in monotonic seconds."""
        if self.value is None or sample > self.value:
            self.value = sample
        else:
            kept = math.exp(-(now - self.at) / FADES_IN_S)
            self.value = self.value * kept + sample * (1 - kept)
        self.at = now


@dataclass(slots=True)
class ProviderHealth:
    """The last requests of one provider; times in milliseconds."""

    outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    first_tokens_ms: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    answer_tokens: deque[int] = field(default_factory=lambda: deque(maxlen=WINDOW))
    first_token: PeakAverage = field(default_factory=PeakAverage)
    token: PeakAverage = field(default_factory=PeakAverage)
    requests: int = 0
    in_flight: int = 0
    last_error: str = ""

    def began(self) -> None:
        """A request went out."""
        self.requests += 1
        self.in_flight += 1

    def ended(self) -> None:
        """A request is over, however it ended."""
        self.in_flight -= 1

    def worked(self, now: float, latency_ms: float, ttft_ms: float | None, output_tokens: int | None) -> None:
        """A request was answered whole; ``now`` in monotonic seconds."""
        self.outcomes.append(True)
        self.latencies_ms.append(latency_ms)
        if output_tokens:
            self.answer_tokens.append(output_tokens)
        if ttft_ms is None:
            return
        self.first_tokens_ms.append(ttft_ms)
        self.first_token.add(ttft_ms, now)
        if output_tokens is not None and output_tokens > 1:
            self.token.add(max(0.0, latency_ms - ttft_ms) / (output_tokens - 1), now)

    def failed(self, reason: str) -> None:
        """A request failed for a reason that is the provider's."""
        self.outcomes.append(False)
        self.last_error = reason

    @property
    def success_rate(self) -> float | None:
        """The share of good requests, None before the first."""
        return sum(self.outcomes) / len(self.outcomes) if self.outcomes else None

    @property
    def ttft_p50_ms(self) -> float | None:
        """The median time to the first token, None before the first."""
        return median(self.first_tokens_ms) if self.first_tokens_ms else None

    @property
    def expected_ms(self) -> float | None:
        """How long an answer of usual length takes there now, None before the first."""
        if self.first_token.value is None:
            return None
        return self.first_token.value + ANSWER_TOKENS * (self.token.value or 0.0)


class HealthBook(dict[str, ProviderHealth]):
    """One record per provider id, made on first sight. ``clock`` returns monotonic seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock

    def __missing__(self, provider_id: str) -> ProviderHealth:
        record = self[provider_id] = ProviderHealth()
        return record

    def usual_answer(self, provider_id: str) -> int:
        """Return how many tokens an answer of this provider has as a rule: some think at length before they speak.

        One that has not answered yet counts as the others do.
        """
        seen = self[provider_id].answer_tokens
        if not seen:
            seen = deque(tokens for record in self.values() for tokens in record.answer_tokens)
        return int(median(seen)) if seen else ANSWER_TOKENS

    def was_slow(self, provider_id: str, waited_ms: float) -> None:
        """Its first word had not come after so long, and it was not waited for."""
        self[provider_id].first_token.add(waited_ms, self.clock())

    def resume(
        self, provider_id: str, first_token_ms: float | None, token_ms: float | None, answer_tokens: Iterable[int] = ()
    ) -> None:
        """Begin with the speed an earlier run had seen; what is measured from now on takes its place soon."""
        record, now = self[provider_id], self.clock()
        if not record.answer_tokens:
            record.answer_tokens.extend(answer_tokens)
        if first_token_ms is not None:
            record.first_token.add(first_token_ms, now)
        if token_ms is not None:
            record.token.add(token_ms, now)
