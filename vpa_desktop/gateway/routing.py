"""Strategies as pure functions: candidates in, the same candidates in the order to try them out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from vpa_desktop.config import Strategy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider that could answer. Unknown time or price is None; ``weight`` 0 is only ever a fallback.

    A ``is_stopgap`` one answers badly and is asked where nobody else can: it would be the cheapest each time.
    """

    provider_id: str
    is_local: bool = False
    weight: float = 1.0
    expected_ms: float | None = None
    in_flight: int = 0
    price_usd: Decimal | None = None
    is_stopgap: bool = False


def order(
    strategy: Strategy,
    candidates: Sequence[Candidate],
    *,
    preferred: str = "",
    sticky: str = "",
    draw: random.Random | None = None,
) -> list[Candidate]:
    """Return the candidates in the order to try them.

    ``candidates`` come in the failover chain's order. ``preferred`` (the person's choice or the default) stands
    first where the strategy is fixed or failover; ``sticky`` (who answered this conversation last) where it is
    weighted or fastest.
    """
    pool = [each for each in candidates if not each.is_stopgap]
    stopgaps = [each for each in candidates if each.is_stopgap]
    if strategy == "weighted":
        return _front(_by_weight(pool, draw or random.Random()), sticky) + stopgaps
    if strategy == "fastest":
        return _front(_by_speed(pool, draw or random.Random()), sticky) + stopgaps
    if strategy == "cheapest":
        return sorted(pool, key=_price_key) + stopgaps
    pool = list(candidates)  # in the chain's order, where somebody has put each
    ordered = _front(pool, preferred)
    return ordered[:1] if strategy == "fixed" else ordered


def _front(pool: list[Candidate], provider_id: str) -> list[Candidate]:
    return sorted(pool, key=lambda candidate: candidate.provider_id != provider_id) if provider_id else pool


def _by_weight(pool: list[Candidate], draw: random.Random) -> list[Candidate]:
    """A weighted shuffle (Efraimidis and Spirakis 2006: the key u^(1/w)); weight 0 comes last, in order."""
    keyed = [(draw.random() ** (1 / c.weight) if c.weight > 0 else -1.0, c) for c in pool]
    return [candidate for _, candidate in sorted(keyed, key=lambda pair: -pair[0])]


def _by_speed(pool: list[Candidate], draw: random.Random) -> list[Candidate]:
    """The better of two drawn at random first, the others by speed: the time an answer takes, times the queue there.

    The power of two choices (Mitzenmacher 1996): the best one alone would be flooded by everybody at once. One that
    was never tried counts as the median of the others.
    """
    known = [c.expected_ms for c in pool if c.expected_ms is not None]
    middle = median(known) if known else 0.0
    ranked = sorted(pool, key=lambda c: (c.expected_ms if c.expected_ms is not None else middle) * (1 + c.in_flight))
    if len(ranked) < 3:
        return ranked
    first = ranked[min(draw.sample(range(len(ranked)), 2))]
    return [first, *(c for c in ranked if c is not first)]


def _price_key(candidate: Candidate) -> tuple[bool, Decimal]:
    return candidate.price_usd is None, candidate.price_usd or Decimal()
