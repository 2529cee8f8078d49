"""What the router has learned of each provider and model, as facts to keep over a restart. Reads and writes nothing.

Kept are the breaker, a wait the provider asked for, which of several keys rest, and how fast it is; not a refused key
that is the only one, which may be another one by then, and nothing of a provider whose address has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from vpa_desktop.gateway.keypool import KeyPool
from vpa_desktop.providers.base import BaseLLMProvider

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager

Place = tuple[str, str]
"""A provider's id and a model's name."""

STALE: Final = timedelta(hours=6)
"""Speeds and breakers older than this say nothing about now."""

LENGTHS_KEPT: Final = 20


def facts_of(manager: LLMProviderManager, now: datetime) -> dict[Place, dict[str, Any]]:
    """Return what is worth keeping; ``now`` is the time of day with its zone."""
    found: dict[Place, dict[str, Any]] = {}
    for provider_id, model in manager.standings.places:
        provider = manager.get_provider(provider_id)
        if provider is None:
            continue
        found[provider_id, model] = {
            "endpoint": provider.config.endpoint,
            **_breaker(manager, provider_id, model, now),
            **_pause(manager, provider_id, model, now),
            **({"keys": provider.to_keep(model, now)} if isinstance(provider, KeyPool) else {}),
            **_speed(manager, provider_id),
            "kept_at": now.isoformat(),
        }
    return found


def resume(manager: LLMProviderManager, facts: Mapping[Place, Mapping[str, Any]], now: datetime) -> None:
    """Take up where the last run ended, for the providers that are registered and still the same."""
    for (provider_id, model), each in facts.items():
        provider = manager.get_provider(provider_id)
        if provider is None or not _is_the_same(provider, each, now):
            continue
        if (until := _time(each.get("open_until"))) is not None:
            since = _time(each.get("down_since")) or now
            manager.standings.resume(
                provider_id,
                model,
                opens_in_s=max(0.0, (until - now).total_seconds()),
                down_for_s=max(0.0, (now - since).total_seconds()),
            )
        elif isinstance(failures := each.get("failures"), int):
            manager.breaker(provider_id, model).resume_failures(failures)
        if (until := _time(each.get("paused_until"))) is not None and until > now:
            manager.cooldowns.resume(provider_id, model, (until - now).total_seconds())
        lengths = [n for n in each.get("answer_tokens") or () if isinstance(n, int)]
        if isinstance(provider, KeyPool) and provider.resume(model, each.get("keys"), now):
            manager.breaker(provider_id, model)  # one of the places: what is held against its keys is kept again
        manager.health.resume(provider_id, each.get("first_token_ms"), each.get("token_ms"), lengths)


def _breaker(manager: LLMProviderManager, provider_id: str, model: str, now: datetime) -> dict[str, Any]:
    breaker = manager.breaker(provider_id, model)
    if breaker.state == "closed":  # a command asks once and ends: its failures count on in the next one
        return {"failures": breaker.failures_in_a_row} if breaker.failures_in_a_row else {}
    return {
        "open_until": (now + timedelta(seconds=breaker.opens_in_s)).isoformat(),
        "down_since": (now - timedelta(seconds=breaker.down_for_s)).isoformat(),
    }


def _pause(manager: LLMProviderManager, provider_id: str, model: str, now: datetime) -> dict[str, Any]:
    left_s = manager.cooldowns.asked_to_wait_s(provider_id, model)
    return {"paused_until": (now + timedelta(seconds=left_s)).isoformat()} if left_s else {}


def _speed(manager: LLMProviderManager, provider_id: str) -> dict[str, Any]:
    health = manager.health[provider_id]
    lengths = list(health.answer_tokens)[-LENGTHS_KEPT:]
    return {"first_token_ms": health.first_token.value, "token_ms": health.token.value, "answer_tokens": lengths}


def _is_the_same(provider: BaseLLMProvider, facts: Mapping[str, Any], now: datetime) -> bool:
    kept_at = _time(facts.get("kept_at"))
    is_fresh = kept_at is not None and abs(now - kept_at) < STALE
    return is_fresh and facts.get("endpoint") == provider.config.endpoint


def _time(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
