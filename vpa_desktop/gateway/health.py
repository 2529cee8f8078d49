"""HealthBook: what each provider did lately, from own traffic. In memory; the ledger keeps the history."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

WINDOW: Final = 100
"""How many requests per provider are looked back on."""


@dataclass(slots=True)
class ProviderHealth:
    """The last requests of one provider; times in milliseconds."""

    outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    first_tokens_ms: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    requests: int = 0
    in_flight: int = 0
    last_error: str = ""

    @property
    def success_rate(self) -> float | None:
        """The share of good requests, None before the first."""
        return sum(self.outcomes) / len(self.outcomes) if self.outcomes else None

    @property
    def ttft_p50_ms(self) -> float | None:
        """The median time to the first token, None before the first."""
        return median(self.first_tokens_ms) if self.first_tokens_ms else None


class HealthBook:
    """One record per provider id, made on first sight."""

    def __init__(self) -> None:
        self._records: dict[str, ProviderHealth] = {}

    def __getitem__(self, provider_id: str) -> ProviderHealth:
        record = self._records.get(provider_id)
        if record is None:
            record = self._records[provider_id] = ProviderHealth()
        return record

    def started(self, provider_id: str) -> None:
        """A request went out."""
        record = self[provider_id]
        record.requests += 1
        record.in_flight += 1

    def ended(self, provider_id: str) -> None:
        """A request is over, however it ended."""
        self[provider_id].in_flight -= 1

    def worked(self, provider_id: str, latency_ms: float, ttft_ms: float | None) -> None:
        """A request was answered whole."""
        record = self[provider_id]
        record.outcomes.append(True)
        record.latencies_ms.append(latency_ms)
        if ttft_ms is not None:
            record.first_tokens_ms.append(ttft_ms)

    def failed(self, provider_id: str, reason: str) -> None:
        """A request failed for a reason that is the provider's."""
        record = self[provider_id]
        record.outcomes.append(False)
        record.last_error = reason
