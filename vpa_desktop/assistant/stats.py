"""Figures over the ledger: what the dashboard, ``costs`` and ``stats`` show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from vpa_desktop.analytics import Dashboard, costs_by_day, figures_by_provider, month_forecast
from vpa_desktop.gateway.manager import LLMProviderManager

DAYS_SHOWN = 30


async def build_dashboard(manager: LLMProviderManager, now: Callable[[], datetime]) -> Dashboard:
    """Return everything the dashboard draws, over the last thirty days."""
    at = now()
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    since = min(midnight - timedelta(days=DAYS_SHOWN), midnight.replace(day=1))
    rows = await manager.ledger.rows(since)
    state = await manager.budget.state()
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
        forecast_month_usd=month_forecast(state.spent_month_usd, at),
        requests=len(rows),
        unpriced=sum(f.unpriced for f in figures),
        estimated=sum(f.estimated for f in figures),
    )
