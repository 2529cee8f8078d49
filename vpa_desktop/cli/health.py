"""How the health of providers is printed: in ``providers health`` and, as fields, in ``stats``. It computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vpa_desktop.cli.output import Output
from vpa_desktop.records import BreakerFacts, ProviderHealthFigures

Booked = Mapping[str, Mapping[str, Any]]
"""What ``get_system_stats`` says of each provider since the first request."""

RECENT = (
    "ttft_p95_ms",
    "tokens_per_s",
    "in_flight",
    "last_error",
    "breakers",
    "events",
    "latencies_ms",
)


def with_health(figures: Sequence[ProviderHealthFigures], booked: Booked) -> dict[str, dict[str, Any]]:
    """Return what was booked of each provider with how it stands now and did in the last seven days."""
    now = {f.provider: {name: getattr(f, name) for name in RECENT} for f in figures}
    nothing: dict[str, Any] = dict.fromkeys(RECENT)
    return {name: {**row, **now.get(name, nothing)} for name, row in booked.items()}


def print_health(figures: Sequence[ProviderHealthFigures], booked: Booked, out: Output) -> None:
    """Print a table of the last seven days, what is wrong now, and the last changes of breakers."""
    head = ("provider", "requests", "good", "p50 ms", "p95 ms", "first token ms", "tokens/s", "in flight", "breaker")
    out.table(head, [_row(each) for each in figures])
    for each in figures:
        for breaker in each.breakers:
            if told := _told(breaker):
                out.line(f"{each.provider}, {breaker.model}: {told}")
        if each.last_error:
            out.line(f"{each.provider}, last error: {each.last_error.rstrip('.')}.")
    events = sorted((event for each in figures for event in each.events), key=lambda e: e.at, reverse=True)
    if events:
        out.line("\nBreakers, latest first:")
        out.table(
            ("at", "provider", "model", "state", "why"),
            [(e.at, e.provider, e.model, e.state, e.reason) for e in events[:10]],
        )
    out.document({"providers": {f.provider: _document(f, booked.get(f.provider, {})) for f in figures}})


def _row(figures: ProviderHealthFigures) -> tuple[object, ...]:
    good = None if figures.success_rate is None else f"{figures.success_rate:.1%}"
    times = (figures.p50_ms, figures.p95_ms, figures.ttft_p50_ms, figures.tokens_per_s)
    return figures.provider, figures.requests, good, *times, figures.in_flight, worst_state(figures)


def worst_state(figures: ProviderHealthFigures) -> str:
    """Return the state to show for a provider with several models: open before half-open before closed."""
    states = {breaker.state for breaker in figures.breakers}
    return next((state for state in ("open", "half_open", "closed") if state in states), "-")


def _told(breaker: BreakerFacts) -> str:
    if breaker.reason:
        return breaker.reason
    if breaker.state == "open":
        return f"left alone after failures; tried again in {breaker.reopens_in_s:.0f} s"
    return "being tried again after failures" if breaker.state == "half_open" else ""


def _document(figures: ProviderHealthFigures, booked: Mapping[str, Any]) -> dict[str, Any]:
    """One provider, under the names of ``stats``."""
    return {
        "requests": figures.requests,
        "success_rate": figures.success_rate,
        "p50_ms": figures.p50_ms,
        "p95_ms": figures.p95_ms,
        "ttft_p50_ms": figures.ttft_p50_ms,
        "cost_usd": booked.get("cost_usd", 0),
        "breaker": worst_state(figures),
        **{name: getattr(figures, name) for name in RECENT},
    }
