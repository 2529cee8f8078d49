"""The strategies as a person meets them: shares that come out, the fast one found, a slow one left."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import pytest

from tests.fakes import FakeClock
from vpa_desktop.gateway.health import HealthBook
from vpa_desktop.gateway.routing import Candidate, order


def firsts(strategy: str, *candidates: Candidate, times: int = 4_000, sticky: str = "") -> Counter[str]:
    draw = random.Random(7)
    return Counter(
        order(strategy, candidates, sticky=sticky, draw=draw)[0].provider_id  # type: ignore[arg-type]
        for _ in range(times)
    )


def test_weights_are_the_shares_that_come_out() -> None:
    found = firsts("weighted", Candidate("a", weight=0.6), Candidate("b", weight=0.3), Candidate("c", weight=0.1))
    assert [round(found[name] / 4_000, 1) for name in "abc"] == [0.6, 0.3, 0.1]


def test_weight_zero_is_only_a_fallback() -> None:
    found = order("weighted", [Candidate("spare", weight=0), Candidate("a"), Candidate("b")], draw=random.Random(1))
    assert found[-1].provider_id == "spare"


def test_a_conversation_stays_where_it_was_answered() -> None:
    assert firsts("weighted", Candidate("a", weight=9), Candidate("b"), sticky="b", times=50) == {"b": 50}


def test_the_fastest_gets_most_and_the_slowest_nothing() -> None:
    found = firsts(
        "fastest", *(Candidate(name, expected_ms=ms) for name, ms in zip("abc", (100, 200, 900), strict=True))
    )
    assert found["a"] > found["b"] > 0
    assert found["c"] == 0


def test_a_queue_makes_a_fast_one_slow() -> None:
    busy = Candidate("a", expected_ms=100, in_flight=9)
    assert order("fastest", [busy, Candidate("b", expected_ms=300)])[0].provider_id == "b"


def test_one_never_tried_counts_as_the_median() -> None:
    pool = [Candidate("slow", expected_ms=900), Candidate("new"), Candidate("fast", expected_ms=100)]
    ranked = order("fastest", pool, draw=random.Random(3))
    names = [c.provider_id for c in ranked if c.provider_id != ranked[0].provider_id]
    assert firsts("fastest", *pool)["slow"] == 0
    assert firsts("fastest", *pool)["new"] > 0
    assert names == [n for n in ("fast", "new", "slow") if n != ranked[0].provider_id]


def test_the_cheapest_first_and_unknown_prices_last() -> None:
    pool = [Candidate("unknown"), Candidate("dear", price_usd=Decimal(9)), Candidate("cheap", price_usd=Decimal(1))]
    assert [c.provider_id for c in order("cheapest", pool)] == ["cheap", "dear", "unknown"]


def test_a_slowdown_counts_at_once_and_is_forgiven_with_time() -> None:
    clock = FakeClock()
    book = HealthBook(clock=clock)
    for _ in range(20):
        book["a"].worked(book.clock(), 300, 100, 201)
    assert book["a"].expected_ms == pytest.approx(300)
    book["a"].worked(book.clock(), 5_100, 5_000, 201)
    slow = book["a"].expected_ms
    assert slow is not None
    assert slow > 5_000
    book["a"].worked(book.clock(), 300, 100, 201)
    assert book["a"].expected_ms == pytest.approx(slow)
    clock.advance(120)
    book["a"].worked(book.clock(), 300, 100, 201)
    faded = book["a"].expected_ms
    assert faded is not None
    assert faded < 500
