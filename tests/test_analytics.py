"""Figures from usage rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from vpa_desktop.analytics import figures_by_provider, month_forecast, percentile
from vpa_desktop.records import UsageRow


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(1, 0.5, 1), (2, 0.5, 1), (3, 0.5, 2), (4, 0.5, 2), (6, 0.5, 3), (20, 0.95, 19), (100, 0.95, 95), (3, 1.0, 3)],
)
def test_a_percentile_is_the_nearest_rank(count: int, share: float, expected: int) -> None:
    assert percentile(list(range(1, count + 1)), share) == expected


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) is None


BERLIN = ZoneInfo("Europe/Berlin")


def cost(at: datetime, usd: str) -> UsageRow:
    return UsageRow(at.astimezone(UTC), "p", "m", "ok", cost_usd=Decimal(usd))


def test_a_months_first_hour_is_no_fortune() -> None:
    now = datetime(2026, 11, 1, 1, tzinfo=BERLIN)
    rows = [cost(now, "1")]
    assert month_forecast(rows, Decimal(1), now) == Decimal("30.9583")  # a day's pace, over the 29 days and 23 hours


def test_a_months_first_days_go_by_the_week_before_too() -> None:
    now = datetime(2026, 11, 2, 0, tzinfo=BERLIN)
    rows = [cost(now - timedelta(days=n, hours=12), "2") for n in range(7)]
    assert month_forecast(rows, Decimal(2), now).quantize(Decimal(1)) == Decimal(64)  # 2 + 29 days at 14 over 6.5 days
    assert month_forecast([], Decimal(0), now) == 0


def test_later_only_the_month_itself_counts() -> None:
    now = datetime(2026, 11, 16, 0, tzinfo=BERLIN)
    rows = [cost(datetime(2026, 10, 30, 12, tzinfo=BERLIN), "500"), cost(now - timedelta(days=2), "15")]
    assert month_forecast(rows, Decimal(15), now) == Decimal(30)


def test_a_forecast_ends_with_what_is_spent_and_knows_daylight_saving() -> None:
    last = datetime(2026, 10, 31, 23, 59, 59, tzinfo=BERLIN)
    assert month_forecast([], Decimal(31), last).quantize(Decimal("0.01")) == Decimal(31)
    assert month_forecast([], Decimal("0.00012"), last) == Decimal("0.00012")  # never less, however it is rounded
    middle = datetime(2026, 10, 16, 12, tzinfo=BERLIN)  # half of its 745 hours is half an hour later
    assert month_forecast([], Decimal(10), middle) > Decimal(20)


def row(provider: str, outcome: str = "ok", **facts: object) -> UsageRow:
    return UsageRow(datetime(2026, 11, 22, tzinfo=UTC), provider, "m", outcome, **facts)  # type: ignore[arg-type]


def test_pace_and_first_token_come_from_whole_answers_that_streamed() -> None:
    streamed = [row("a", ttft_ms=100.0 * n, latency_ms=100.0 * n + 1_000, output_tokens=10 * n + 1) for n in (1, 2, 3)]
    others = [
        row("a", "failed", ttft_ms=9.0, latency_ms=10.0, output_tokens=500),
        row("a", ttft_ms=50.0, latency_ms=50.0, output_tokens=500),  # in one piece: it has no pace
        row("a", cached=True, ttft_ms=0.0, latency_ms=0.0, output_tokens=500),
    ]
    (figures,) = figures_by_provider([*streamed, *others])
    assert figures.tokens_per_s == pytest.approx(20.0)
    assert (figures.ttft_p50_ms, figures.ttft_p95_ms) == (100.0, 300.0)
    assert figures.success_rate == pytest.approx(4 / 5)


def test_nothing_has_no_pace() -> None:
    (figures,) = figures_by_provider([row("a", "failed", latency_ms=3.0)])
    assert (figures.tokens_per_s, figures.ttft_p95_ms) == (None, None)
