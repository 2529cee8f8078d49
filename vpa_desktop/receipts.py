"""The route receipt in words, the same in the window and on the command line. Pure functions; no Qt, no printing."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from vpa_desktop.evidence import EXTRACT_MODEL
from vpa_desktop.messages import Attempt

OUTCOMES: Final = {
    "ok": "Answered",
    "failed": "Failed",
    "interrupted": "Broke off",
    "skipped": "Left out",
    "cancelled": "Stopped",
    "cached": "Not asked again",
}
"""What is said of each outcome of an attempt."""


def model_words(model: str) -> str:
    """Return a model's name as it is shown; what stands in its place where no model wrote the answer is said."""
    return "sentences from your documents" if model == EXTRACT_MODEL else model


def outcome(attempt: Attempt) -> str:
    """Return how an attempt ended and when, as in ``Failed after 310 ms``."""
    word = OUTCOMES.get(attempt.outcome, attempt.outcome)
    return (
        f"{word} after {duration(attempt.ms)}" if attempt.ms and attempt.outcome not in ("skipped", "cached") else word
    )


def figures(attempt: Attempt) -> str:
    """Return an attempt's time to first token and its price; empty where it was never made."""
    if attempt.outcome in ("skipped", "cached"):
        return ""
    first = f"first token after {duration(attempt.ttft_ms)}" if attempt.ttft_ms is not None else ""
    is_told = attempt.cost_usd or attempt.outcome == "ok" or first
    cost = price(attempt.cost_usd) if is_told else "nothing to pay" if attempt.cost_usd == 0 else ""
    return "  ·  ".join(part for part in (first, cost) if part)


def comparison(provider: str, cost_usd: Decimal | None, first_choice: str, first_usd: Decimal | None) -> str:
    """Return who answered for how much, and what the first choice would have cost; empty where it answered itself."""
    if not first_choice or first_choice == provider:
        return ""
    paid = ", at a price that is not known" if cost_usd is None else f" {for_price(cost_usd)}"
    if first_usd is None:
        return f"Answered by {provider}{paid}; what {first_choice}, your first choice, would have cost is not known."
    would = "have cost nothing" if first_usd == 0 else f"have cost {price(first_usd)}"
    return f"Answered by {provider}{paid}; {first_choice}, your first choice, would {would}."


def for_price(cost_usd: Decimal) -> str:
    """Return a price as it stands after "answered"."""
    return "for free" if cost_usd == 0 else f"for {price(cost_usd)}"


def price(cost_usd: Decimal | None) -> str:
    """Return a price in words: ``$0.0031``, free, or price unknown."""
    if cost_usd is None:
        return "price unknown"
    if cost_usd == 0:
        return "free"
    if cost_usd < Decimal("0.0001"):
        return "under $0.0001"
    return f"${cost_usd:.4f}" if cost_usd < 1 else f"${cost_usd:.2f}"


def duration(ms: float) -> str:
    """Return milliseconds as ``320 ms``, ``2.4 s`` or ``3 min 5 s``."""
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1_000:.1f} s"
    return f"{ms // 60_000:.0f} min {ms % 60_000 / 1_000:.0f} s"
