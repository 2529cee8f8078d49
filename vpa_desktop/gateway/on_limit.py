"""Who is asked in the place of a provider whose answer could pass a limit: the cheapest that fits, or a local one.

Only those who could have been asked anyway: the rest of the route, and the local ones that rules allow this request.
What was made ready for the route (secrets masked, say) meets nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from vpa_desktop.catalog import is_demonstration
from vpa_desktop.gateway.admission import Stop
from vpa_desktop.messages import LOCAL_USER, Attempt, LLMRequest
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.security.policy import stays_local

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager


@dataclass(frozen=True, slots=True)
class Instead:
    """Who is asked instead, in order; the receipt's lines for those who are not; and half a sentence about it."""

    stops: tuple[Stop, ...]
    passed_over: tuple[Attempt, ...] = ()
    note: str = ""


async def after_limit(
    manager: LLMProviderManager, request: LLMRequest, route: Sequence[Stop], refused: Stop, rest: Sequence[Stop]
) -> Instead:
    """Return who goes on after ``refused``; each of them is checked against the limit again when it is asked."""
    on_limit = manager.budget.settings.on_limit
    if on_limit == "block":
        return Instead(tuple(rest))
    here = _local(manager, request, {stop.provider_id for stop in route})
    if on_limit == "local":
        local = [stop for stop in rest if stays_local(stop.provider.config, stop.model)]
        left_out = [stop for stop in rest if stop not in local]
        why = "only models on this computer are asked after the limit"
        note = "a model on this computer was asked instead"
        return Instead((*local, *here), tuple(stop.passed_over(why) for stop in left_out), note)
    own = [Stop(refused.provider)] if refused.named_model not in (None, refused.provider.model) else []
    every = [*rest, *own, *here]
    await manager.prices.learn([(stop.provider.config, stop.model) for stop in every])
    every.sort(key=lambda stop: _price(manager, stop))
    return Instead(tuple(every), (), "the cheapest that fits was asked instead")


def may_answer(
    manager: LLMProviderManager, route: Sequence[BaseLLMProvider], user_id: str = LOCAL_USER
) -> list[BaseLLMProvider]:
    """Return a route's providers, and the local ones that a limit may send this user's request to in their place."""
    if manager.budget.settings.on_limit == "block" or not manager.budget.limits(user_id):
        return list(route)
    every = [p for i in manager.provider_ids if (p := manager.get_provider(i)) is not None]
    return [*route, *(p for p in every if p.is_local and p not in route)]


def _local(manager: LLMProviderManager, request: LLMRequest, known: set[str]) -> list[Stop]:
    found = manager.route(replace(request, local_only=True, model=None))
    others = [p for p in found if p.provider_id not in known and stays_local(p.config, p.model)]
    return [Stop(provider) for provider in others]


def _price(manager: LLMProviderManager, stop: Stop) -> tuple[bool, bool, Decimal]:
    """What the cheapest is found by; the demonstration model last: it costs nothing, and is worth little more."""
    price = manager.prices.price_usd(stop.provider.config, stop.model)
    return is_demonstration(stop.provider.config), price is None, price or Decimal()
