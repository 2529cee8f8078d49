"""Figures from usage rows."""

from __future__ import annotations

import pytest

from vpa_desktop.analytics import percentile


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(1, 0.5, 1), (2, 0.5, 1), (3, 0.5, 2), (4, 0.5, 2), (6, 0.5, 3), (20, 0.95, 19), (100, 0.95, 95), (3, 1.0, 3)],
)
def test_a_percentile_is_the_nearest_rank(count: int, share: float, expected: int) -> None:
    assert percentile(list(range(1, count + 1)), share) == expected


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) is None
