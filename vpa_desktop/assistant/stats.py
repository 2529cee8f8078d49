"""Figures over the ledger: what the dashboard, ``costs`` and ``stats`` show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from vpa_desktop.analytics import Dashboard, Savings, costs_by_day, figures_by_provider, month_forecast, savings_of
from vpa_desktop.assistant.answer_figures import trend_of
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.local_time import start_of_day, start_of_month
from vpa_desktop.storage.conversations import ConversationStore

DAYS_SHOWN = 30


async def build_dashboard(
    manager: LLMProviderManager, conversations: ConversationStore, now: Callable[[], datetime]
) -> Dashboard:
    """Return everything the dashboard draws, over the last thirty days.

    Where the clock was set back, today is the latest day that was reached: the one whose limit counts.
    """
    state = await manager.budget.state()
    at = max(now(), state.at, key=datetime.timestamp)
    since = min(start_of_day(at - timedelta(days=DAYS_SHOWN)), start_of_month(at))
    rows = await manager.ledger.rows(since)
    figures = []
    for record in figures_by_provider(rows):
        provider = manager.get_provider(record.provider)
        breaker = manager.breaker(record.provider, provider.model).state if provider else "closed"
        figures.append(replace(record, breaker=breaker))
    return Dashboard(
        days=costs_by_day(rows, today=at.date(), days=DAYS_SHOWN, zone=at.tzinfo),
        providers=tuple(figures),
        spent_today_usd=state.spent_today_usd,
        spent_month_usd=state.spent_month_usd,
        daily_limit_usd=state.daily_limit_usd,
        monthly_limit_usd=state.monthly_limit_usd,
        forecast_month_usd=month_forecast(rows, state.spent_month_usd, at),
        requests=len(rows),
        unpriced=sum(f.unpriced for f in figures),
        estimated=sum(f.estimated for f in figures),
        savings=savings_of(rows),
        answers=trend_of(await conversations.judged_answers(since), today=at.date(), days=DAYS_SHOWN),
    )


def caching_stats(savings: Savings, entries: int) -> dict[str, Any]:
    """Return the figures of ``stats``' group caching; ``entries`` are the answers that may be given again."""
    return {
        "cache_hit_rate": savings.hit_rate,
        "hits": savings.hits,
        "misses": savings.misses,
        "entries": entries,
        "saved_usd": savings.saved_usd,
        "saved_ms": savings.saved_ms,
        "prompt_cache_saved_usd": savings.prompt_cache_saved_usd,
    }
