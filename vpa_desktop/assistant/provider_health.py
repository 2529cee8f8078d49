"""How each provider does: what was booked of it lately, and how it stands now. Figures only; it asks nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from vpa_desktop.analytics import ProviderFigures, figures_by_provider
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.records import BreakerEvent, BreakerFacts, ProviderHealthFigures, UsageRow
from vpa_desktop.storage.health import HealthStore
from vpa_desktop.storage.rows import utc_now

LOOKED_BACK: Final = timedelta(days=7)
LATENCIES: Final = 60
EVENTS: Final = 10

ERROR_WORDS: Final = {
    "auth": "The key was refused",
    "permission": "The key is not allowed to do this",
    "not_found": "The model or the address was not found",
    "invalid_request": "The request was refused",
    "context_length": "The prompt was too long",
    "content_filter": "The content filter refused",
    "rate_limit": "It took no more requests",
    "quota": "There was no credit left",
    "overloaded": "It was overloaded",
    "server": "It had a fault of its own",
    "timeout": "It did not answer in time",
    "truncated": "The answer broke off",
    "malformed": "The answer could not be read",
    "network": "It could not be reached",
}
"""What is said of a failure of which only the kind was booked."""


NOTHING: Final = ProviderFigures("", 0, None, None, None, None, Decimal(), 0)


class HealthDesk:
    """The health of the providers of one system."""

    def __init__(
        self, manager: LLMProviderManager, store: HealthStore, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._manager = manager
        self._store = store
        self._now = now

    async def figures(self) -> tuple[ProviderHealthFigures, ...]:
        """Return every provider in use, and those that were used in the last seven days, in the order of the chain."""
        since = self._now() - LOOKED_BACK
        rows: dict[str, list[UsageRow]] = defaultdict(list)
        for row in await self._manager.ledger.rows(since):
            rows[row.provider].append(row)
        events: dict[str, list[BreakerEvent]] = defaultdict(list)
        stored = await self._store.events(since)
        for event in (*reversed(self._manager.standings.news), *stored):  # the newest are not stored yet
            events[event.provider].append(event)
        known = self._manager.provider_ids
        gone = sorted(i for i in rows if i not in known)
        return tuple(self._of(i, rows[i], events[i]) for i in (*known, *gone))

    def _of(self, provider_id: str, rows: list[UsageRow], events: Sequence[BreakerEvent]) -> ProviderHealthFigures:
        booked = next(iter(figures_by_provider(rows)), NOTHING)
        is_registered = self._manager.get_provider(provider_id) is not None
        good = [r.latency_ms for r in rows if r.outcome == "ok" and not r.cached and r.latency_ms is not None]
        return ProviderHealthFigures(
            provider=provider_id,
            requests=booked.requests,
            success_rate=booked.success_rate,
            p50_ms=booked.p50_ms,
            p95_ms=booked.p95_ms,
            ttft_p50_ms=booked.ttft_p50_ms,
            ttft_p95_ms=booked.ttft_p95_ms,
            tokens_per_s=booked.tokens_per_s,
            in_flight=self._manager.health[provider_id].in_flight if is_registered else 0,
            breakers=self._breakers(provider_id, rows),
            last_error=self._last_error(provider_id, rows),
            events=tuple(events[:EVENTS]),
            latencies_ms=tuple(good[-LATENCIES:]),
            is_registered=is_registered,
        )

    def _breakers(self, provider_id: str, rows: list[UsageRow]) -> tuple[BreakerFacts, ...]:
        """The breakers of its own model and of every other that was asked lately."""
        provider = self._manager.get_provider(provider_id)
        if provider is None:
            return ()
        found = []
        for model in dict.fromkeys((provider.model, *(row.model for row in rows))):
            breaker = self._manager.breaker(provider_id, model)
            paused_s = self._manager.cooldowns.left_s(provider_id, model)
            reason = self._manager.cooldowns.reason(provider_id, model)
            found.append(BreakerFacts(model, breaker.state, max(breaker.opens_in_s, paused_s), reason))
        return tuple(found)

    def _last_error(self, provider_id: str, rows: list[UsageRow]) -> str:
        if self._manager.get_provider(provider_id) is not None and (
            said := self._manager.health[provider_id].last_error
        ):
            return said
        failed = [row for row in rows if row.error_class]
        return ERROR_WORDS.get(failed[-1].error_class, failed[-1].error_class) if failed else ""
