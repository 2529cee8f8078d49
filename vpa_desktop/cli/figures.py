"""``costs`` and ``stats``: figures from the usage rows."""

from __future__ import annotations

import argparse
from collections import defaultdict
from decimal import Decimal
from typing import Any

from vpa_desktop.analytics import Savings, savings_of
from vpa_desktop.assistant.stats import DAYS_SHOWN
from vpa_desktop.cli.health import with_health
from vpa_desktop.cli.output import Output
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.gateway.limits import dollars
from vpa_desktop.records import UsageRow


async def costs(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print what was spent, the limits, the forecast, and rows by provider, model, key or day."""
    async with opened(paths, out) as system:
        dashboard = await system.dashboard()
        rows = await system.manager.ledger.rows()
        limits = system.manager.budget.limits()
    grouped = _grouped(rows, options.by)
    limit = dashboard.daily_limit_usd
    out.line(f"Today ${dashboard.spent_today_usd:.4f}" + (f" of {dollars(limit)}" if limit is not None else ""))
    limit = dashboard.monthly_limit_usd
    out.line(f"This month ${dashboard.spent_month_usd:.4f}" + (f" of {dollars(limit)}" if limit is not None else ""))
    if dashboard.forecast_month_usd is not None:
        out.line(f"Forecast for this month ${dashboard.forecast_month_usd:.4f}")
    savings = savings_of(rows)
    out.line(_saved(savings))
    head = (
        options.by,
        "requests",
        "cost_usd",
        "input_tokens",
        "output_tokens",
        "price unknown",
        "estimated",
        "saved_usd",
    )
    out.table(head, [tuple(row.values()) for row in grouped])
    out.document(
        {
            "daily_cost": dashboard.spent_today_usd,
            "monthly_cost": dashboard.spent_month_usd,
            "daily_limit": dashboard.daily_limit_usd,
            "monthly_limit": dashboard.monthly_limit_usd,
            "limits": [{"period": x.period, "usd": x.usd, "user": x.user_id, "whose": x.whose} for x in limits],
            "forecast_month": dashboard.forecast_month_usd,
            "saved_usd": savings.saved_usd,
            "prompt_cache_saved_usd": savings.prompt_cache_saved_usd,
            "rows": grouped,
        }
    )
    return 0


def _saved(savings: Savings) -> str:
    answers = f"{savings.hits} of {savings.hits + savings.misses} answers came from the cache"
    ours = f"${savings.saved_usd:.4f} and {savings.saved_ms / 1000:.1f} s saved"
    return f"{answers}: {ours}; ${savings.prompt_cache_saved_usd:.4f} saved by providers' own caches"


def _grouped(rows: list[UsageRow], by: str) -> list[dict[str, Any]]:
    groups: dict[str, list[UsageRow]] = defaultdict(list)
    for row in rows:
        groups[_name(row, by)].append(row)
    return [
        {
            by: name,
            "requests": len(group),
            "cost_usd": sum((r.cost_usd for r in group if r.cost_usd is not None), Decimal()),
            "input_tokens": sum(r.input_tokens or 0 for r in group),
            "output_tokens": sum(r.output_tokens or 0 for r in group),
            "price_unknown": sum(1 for r in group if r.cost_usd is None),
            "estimated": sum(1 for r in group if r.estimated),
            "saved_usd": sum((r.saved_usd for r in group if r.saved_usd is not None), Decimal()),
        }
        for name, group in sorted(groups.items())
    ]


def _name(row: UsageRow, by: str) -> str:
    if by == "model":
        return row.model
    if by == "day":
        return row.at.astimezone().date().isoformat()
    if by == "key" and row.key_label:  # two providers may call their keys the same
        return f"{row.provider}:{row.key_label}"
    return row.provider


def _answers(quality: dict[str, Any]) -> str:
    said = f"{quality['answers']} answers with documents, {quality['not_in_documents']} not in them"
    names = {"groundedness": "grounded", "citation_coverage": "cited", "retrieval_confidence": "passages fit"}
    shares = [f"{word} {quality[key]:.0%}" for key, word in names.items() if quality[key] is not None]
    judged = f"{quality['feedback_good']} said to be right, {quality['feedback_bad']} wrong"
    return "; ".join([said, *shares, judged])


_QUALITY_HEAD = ("day", "answers", "not in documents", "grounded", "cited", "passages fit", "right", "wrong")


def _quality_row(day: dict[str, Any]) -> tuple[Any, ...]:
    """One day of the answers from documents; a dash where nothing could be judged."""
    shares = (day["groundedness"], day["citation_coverage"], day["retrieval_confidence"])
    said = ("-" if share is None else f"{share:.0%}" for share in shares)
    judged = (day["feedback_good"], day["feedback_bad"])
    return (day["day"], day["answers"], day["not_in_documents"], *said, *judged)


async def stats(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print requests, times and success per provider."""
    async with opened(paths, out) as system:
        await system.keys_ready()
        found = await system.integration.get_system_stats()
        rows = await system.manager.ledger.rows()
        found["providers"] = with_health(await system.health.figures(), found["providers"])
    performance = found["performance"]
    out.line(f"{performance['total_requests']} requests, {performance['avg_response_time']:.2f} s on average")
    out.line(f"{_saved(savings_of(rows))}; {found['caching']['entries']} are kept")
    out.line(_answers(found["quality"]))
    out.table(_QUALITY_HEAD, [_quality_row(day) for day in found["quality"]["days"][-DAYS_SHOWN:]])
    head = ("provider", "requests", "success", "p50 ms", "p95 ms", "first token ms", "tokens/s", "cost usd", "breaker")
    out.table(
        head,
        [
            (
                name,
                p["requests"],
                p["success_rate"],
                p["p50_ms"],
                p["p95_ms"],
                p["ttft_p50_ms"],
                p["tokens_per_s"],
                p["cost_usd"],
                p["breaker"],
            )
            for name, p in found["providers"].items()
        ],
    )
    out.document(found)
    return 0
