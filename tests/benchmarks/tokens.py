"""What counting tokens costs: the fast estimate against the tokenizer, its loading, its memory, and odd texts.

Run: python -m tests.benchmarks.tokens
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import psutil

from vpa_desktop.tokens import TokenCount, count_tokens, estimate_tokens

PROSE = "The penalty is 0.5 % of the order value for each started week, capped at 5 %. " * 60


def main() -> None:
    """Prints the figures."""
    before = psutil.Process().memory_info().rss
    first_ms = timed(counted)
    grown = (psutil.Process().memory_info().rss - before) / 1e6
    print(f"tokenizer, first use: {first_ms:.0f} ms, {grown:.0f} MB")
    for name, count in (("estimate", estimated), ("tokenizer", counted)):
        ms = statistics.median(timed(count) for _ in range(20))
        print(f"{name}: {ms:.3f} ms for {len(PROSE):,} characters, {count().tokens:,} tokens")
    for text in ("a", " ", "\n", "word "):
        print(f"a million of {text!r}: {timed(partial(count_tokens, text * 1_000_000, 'gpt-4o')):.0f} ms")


def estimated() -> TokenCount:
    """The fast way."""
    return estimate_tokens(PROSE)


def counted() -> TokenCount:
    """The exact way."""
    return count_tokens(PROSE, "gpt-4o")


def timed(work: Callable[[], object]) -> float:
    """How long it takes, in milliseconds."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
