"""Usage rows to what a chart or a table shows: cost per day, latency per provider. Pure functions over values.

Days are the person's local calendar days.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal

from vpa_desktop.evidence import NO_ANSWERS, AnswerTrend
from vpa_desktop.local_time import start_of_month, start_of_next_month
from vpa_desktop.records import UsageRow


@dataclass(frozen=True, slots=True)
class DayCost:
    """What one local day cost, in US dollars, by provider."""

    day: date
    total_usd: Decimal
    by_provider: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class ProviderFigures:
    """One provider's record. Times in milliseconds, None where nothing was measured; ``success_rate`` 0 to 1."""

    provider: str
    requests: int
    success_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    ttft_p50_ms: float | None
    cost_usd: Decimal
    unpriced: int
    breaker: str = "closed"
    estimated: int = 0
    ttft_p95_ms: float | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Savings:
    """What caches have spared: ``hits`` answers were given again or shared, ``misses`` had to be bought.

    ``saved_usd`` and ``saved_ms`` are the kept answers'; ``prompt_cache_saved_usd`` is what providers charged less
    for prompts they still knew, less what writing them there cost more: it can be below zero at first.
    """

    hits: int = 0
    misses: int = 0
    saved_usd: Decimal = Decimal()
    saved_ms: float = 0.0
    prompt_cache_saved_usd: Decimal = Decimal()

    @property
    def hit_rate(self) -> float:
        """The share of answers that were not bought, 0 before the first."""
        return self.hits / (self.hits + self.misses) if self.hits else 0.0

    @property
    def total_usd(self) -> Decimal:
        """What all caches have spared together."""
        return self.saved_usd + self.prompt_cache_saved_usd


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything the dashboard tab draws. ``estimated`` are requests whose tokens the provider did not count."""

    days: tuple[DayCost, ...]
    providers: tuple[ProviderFigures, ...]
    spent_today_usd: Decimal
    spent_month_usd: Decimal
    daily_limit_usd: Decimal | None
    monthly_limit_usd: Decimal | None
    forecast_month_usd: Decimal | None
    requests: int
    unpriced: int
    estimated: int = 0
    savings: Savings = Savings()
    answers: AnswerTrend = NO_ANSWERS


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of ``values`` (``share`` 0 to 1); None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def costs_by_day(rows: Iterable[UsageRow], *, today: date, days: int, zone: tzinfo | None) -> tuple[DayCost, ...]:
    """The last ``days`` local days up to ``today``, oldest first, with the empty ones."""
    sums: dict[date, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        if row.cost_usd is not None:
            sums[row.at.astimezone(zone).date()][row.provider] += row.cost_usd
    out = []
    for back in range(days - 1, -1, -1):
        day = today - timedelta(days=back)
        parts = tuple(sorted(sums[day].items())) if day in sums else ()
        out.append(DayCost(day, sum((amount for _, amount in parts), Decimal()), parts))
    return tuple(out)


def figures_by_provider(rows: Iterable[UsageRow]) -> tuple[ProviderFigures, ...]:
    """One record per provider, by name. Cancelled requests and answers from the cache count for no rate and no time."""
    groups: dict[str, list[UsageRow]] = defaultdict(list)
    for row in rows:
        groups[row.provider].append(row)
    return tuple(_figures(name, groups[name]) for name in sorted(groups))


def _figures(provider: str, rows: list[UsageRow]) -> ProviderFigures:
    judged = [r for r in rows if r.outcome != "cancelled" and not r.cached]
    good = [r for r in judged if r.outcome == "ok"]
    latencies = [r.latency_ms for r in good if r.latency_ms is not None]
    first_tokens = [r.ttft_ms for r in good if r.ttft_ms is not None]
    return ProviderFigures(
        provider=provider,
        requests=len(rows),
        success_rate=len(good) / len(judged) if judged else None,
        p50_ms=percentile(latencies, 0.5),
        p95_ms=percentile(latencies, 0.95),
        ttft_p50_ms=percentile(first_tokens, 0.5),
        cost_usd=sum((r.cost_usd for r in rows if r.cost_usd is not None), Decimal()),
        unpriced=sum(1 for r in good if r.cost_usd is None),
        estimated=sum(1 for r in rows if r.estimated),
        ttft_p95_ms=percentile(first_tokens, 0.95),
        tokens_per_s=percentile([pace for r in good if (pace := _tokens_per_s(r)) is not None], 0.5),
    )


def savings_of(rows: Iterable[UsageRow]) -> Savings:
    """What the rows say was spared, by our cache and by the providers' own."""
    hits = misses = 0
    saved_usd, prompts_usd, saved_ms = Decimal(), Decimal(), 0.0
    for row in rows:
        if row.cached:
            hits += 1
            saved_usd += row.saved_usd or Decimal()
            saved_ms += row.saved_ms or 0.0
        else:
            misses += row.outcome == "ok"
            prompts_usd += row.saved_usd or Decimal()
    return Savings(hits, misses, saved_usd, saved_ms, prompts_usd)


def _tokens_per_s(row: UsageRow) -> float | None:
    """How fast the text came once it had begun; None where it came in one piece or was not counted."""
    if row.ttft_ms is None or row.latency_ms is None or row.output_tokens is None or row.output_tokens < 2:
        return None
    span_ms = row.latency_ms - row.ttft_ms
    return (row.output_tokens - 1) / span_ms * 1000 if span_ms >= 1.0 else None


FORECAST_DAYS = 7
"""Over how many days the pace is taken in a month's first days, also when some are the month's before."""


def month_forecast(rows: Iterable[UsageRow], spent: Decimal, now: datetime) -> Decimal:
    """What the month will cost: what is ``spent``, and the rest of its days at the pace so far.

    In a month's first week the pace is that of the last seven days, as far back as there are rows; it is never
    reckoned from less than a day, so that one early request does not make a fortune. ``now`` has the person's zone.
    """
    begins, ends, at = start_of_month(now), start_of_next_month(now), now.astimezone(UTC)
    window = min(begins, at - timedelta(days=FORECAST_DAYS))
    before = [row for row in rows if window <= row.at < begins]
    first = min((row.at for row in before), default=begins)
    paid = spent + sum((row.cost_usd for row in before if row.cost_usd is not None), Decimal())
    day = Decimal(24 * 3600)
    gone = max(Decimal((at - first).total_seconds()), day)
    left = max(Decimal((ends - at).total_seconds()), Decimal())
    return max(spent, (spent + paid * left / gone).quantize(Decimal("0.0001")))
