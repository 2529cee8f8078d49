"""The order in which providers are asked: one list to a person, two settings in the file.

``routing.failover_chain`` is the list and ``routing.default_provider`` its first, so that older files and the
environment's VPA_DEFAULT_LLM_PROVIDER keep their meaning. Who is asked at a moment is the gateway's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import LOCAL_PROVIDER_ID, RoutingSettings


def asked_in_order(configs: Mapping[str, LLMProviderConfig], routing: RoutingSettings) -> list[str]:
    """Return every id: the default first, then the chain, then the others, the local model that came along last."""
    chain = [i for i in routing.failover_chain if i in configs]
    rest = sorted((i for i in configs if i not in chain), key=lambda i: i == LOCAL_PROVIDER_ID)
    order = [*chain, *rest]
    first = _first(configs, routing.default_provider)
    return sorted(order, key=lambda i: i != first) if first else order


def _first(configs: Mapping[str, LLMProviderConfig], wanted: str) -> str:
    """The default provider's id; a kind's name means the first of that kind."""
    if wanted in configs:
        return wanted
    return next((i for i, config in configs.items() if wanted and config.kind == wanted), "")


def order_changes(order: Sequence[str]) -> dict[str, Any]:
    """Return the settings that hold an order."""
    return {"routing.failover_chain": list(order), "routing.default_provider": order[0]}


def after_adding(provider_id: str, order: Sequence[str], routing: RoutingSettings, *, first: bool) -> dict[str, Any]:
    """Return the settings that give a provider its place: first where asked for, else before the local model.

    Where the person has put nothing in order yet, nothing but the first place is written down.
    """
    if provider_id in order and not first:
        return {}
    others = [i for i in order if i != provider_id]
    if first:
        return (
            order_changes([provider_id, *others])
            if routing.failover_chain
            else {"routing.default_provider": provider_id}
        )
    if not routing.failover_chain:
        return {}
    at = len(others) - 1 if others[-1:] == [LOCAL_PROVIDER_ID] else len(others)
    return {"routing.failover_chain": [*others[:at], provider_id, *others[at:]]}
