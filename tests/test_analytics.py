"""Figures from usage rows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vpa_desktop.analytics import figures_by_provider, percentile
from vpa_desktop.records import UsageRow


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(1, 0.5, 1), (2, 0.5, 1), (3, 0.5, 2), (4, 0.5, 2), (6, 0.5, 3), (20, 0.95, 19), (100, 0.95, 95), (3, 1.0, 3)],
)
def test_a_percentile_is_the_nearest_rank(count: int, share: float, expected: int) -> None:
    assert percentile(list(range(1, count + 1)), share) == expected


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) is None


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
