"""Where the gateway asks the policy: for a route, before each provider on it, and for the length of an answer.

What is forbidden stands in ``security.policy``; this file only brings its values together. Where there is no policy
each function is one look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vpa_desktop.errors import PolicyRefused
from vpa_desktop.gateway.admission import Stop
from vpa_desktop.gateway.limits import Limit
from vpa_desktop.messages import Attempt, LLMRequest
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.security.policy import PolicyBook, leaves_the_machine, stays_local

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager


def identified(book: PolicyBook, request: LLMRequest) -> LLMRequest:
    """Return the request under the user whose rules count for it, whatever it says."""
    user_id = book.user_of(request.user_id)
    return request if user_id == request.user_id else replace(request, user_id=user_id)


def permitted(
    manager: LLMProviderManager, pool: Sequence[BaseLLMProvider], request: LLMRequest, named: str | None
) -> list[BaseLLMProvider]:
    """Return the providers of a route that may be asked, in their order.

    What the person named, a provider or a model, is never replaced by another: where it is forbidden it stands alone
    on the route, and is refused there with the reason.
    """
    book, user_id = manager.policy, manager.policy.user_of(request.user_id)
    allowed = [p for p in pool if book.refusal(p.config, None, user_id) is None]
    if named is not None and all(p.provider_id != named for p in allowed):
        return [p for p in pool if p.provider_id == named]
    owner = manager.model_owner(named, allowed)
    found = []
    for provider in allowed:
        stop = Stop(provider, request.model if provider.provider_id == owner else None)
        if book.refusal(provider.config, stop.model, user_id) is None:
            found.append(provider)
        elif stop.named_model or provider.provider_id == named:
            return [provider]
    return found


def refusal_at(book: PolicyBook, stop: Stop, request: LLMRequest) -> PolicyRefused | None:
    """Say why this provider must not be asked for this request with this model; None where it may."""
    config = stop.provider.config
    if request.local_only and not (stop.provider.is_local and stays_local(config, stop.model)):
        return leaves_the_machine(stop.provider_id)
    return book.refusal(config, stop.model, book.user_of(request.user_id)) if book else None


def leads_away(route: Sequence[BaseLLMProvider], request: LLMRequest, owner: str) -> bool:
    """True where a request may leave this machine on this route: secrets in it are masked then."""
    named = [(p.config, (request.model if p.provider_id == owner else None) or p.model) for p in route]
    return not all(stays_local(config, model) for config, model in named)


def must_be_permitted(book: PolicyBook, stop: Stop, request: LLMRequest) -> None:
    """Raise PolicyRefused where a provider is about to be asked that must not be: the last look before sending."""
    if (book or request.local_only) and (refusal := refusal_at(book, stop, request)) is not None:
        raise refusal


def left_out(manager: LLMProviderManager, route: Sequence[Stop], request: LLMRequest) -> list[Attempt]:
    """Return the lines of the receipt for the providers that a policy has kept off this route."""
    return [stop.passed_over(refusal.why) for stop, refusal in _kept_off(manager, route, request)]


def none_permitted(manager: LLMProviderManager, request: LLMRequest) -> PolicyRefused | None:
    """The error for a route that is empty because a policy allows nobody on it; None where that is not why."""
    kept_off = _kept_off(manager, (), request)
    if not kept_off:
        return None
    first = kept_off[0][1]
    reasons = dict.fromkeys(f"{stop.provider_id}: {refusal.why}" for stop, refusal in kept_off)
    why = first.why if len(kept_off) == 1 else "; ".join(reasons)
    return PolicyRefused("The question was not sent", why, first.next_step, rule=first.rule)


async def must_lead_somewhere(
    manager: LLMProviderManager, route: Sequence[BaseLLMProvider], asked: LLMRequest, owner: str
) -> None:
    """Raise PolicyRefused where nobody on a route may be asked: an answer that is kept is not given then either."""
    if not manager.policy:
        return
    user_id = manager.policy.user_of(asked.user_id)
    refusals = [
        manager.policy.refusal(p.config, (asked.model if p.provider_id == owner else None) or p.model, user_id)
        for p in route
    ]
    if refusals and not all(refusals):
        return
    refusal = refusals[0] if refusals else none_permitted(manager, asked)
    if refusal is None:
        return
    if manager.on_refusal is not None:
        await manager.on_refusal(refusal, identified(manager.policy, asked))
    raise refusal


def policy_limits(book: PolicyBook, user_id: str) -> tuple[Limit, ...]:
    """Return what a policy lets this user spend, beside the person's own limits."""
    found = []
    for rule in book.limits_for(book.user_of(user_id)):
        if rule.daily_usd is not None:
            found.append(Limit("daily", rule.daily_usd, rule.user_id, rule.name, rule.allows_unknown_prices))
        if rule.monthly_usd is not None:
            found.append(Limit("monthly", rule.monthly_usd, rule.user_id, rule.name, rule.allows_unknown_prices))
    return tuple(found)


def default_refused(manager: LLMProviderManager, user_id: str) -> PolicyRefused | None:
    """Say why the default provider is not the one that is asked first; None where no policy is why."""
    provider = manager.get_provider(manager.routing.default_provider) if manager.policy else None
    if provider is None:
        return None
    return manager.policy.refusal(provider.config, provider.model, manager.policy.user_of(user_id))


def _kept_off(
    manager: LLMProviderManager, route: Sequence[Stop], request: LLMRequest
) -> list[tuple[Stop, PolicyRefused]]:
    book = manager.policy
    if not book or not (manager.routing.fallback_enabled or not route):
        return []
    user_id, on_route = book.user_of(request.user_id), {stop.provider_id for stop in route}
    found = []
    for provider_id in manager.provider_ids:
        provider = manager.get_provider(provider_id)
        if provider is None or provider_id in on_route or not provider.config.enabled:
            continue
        if request.local_only and not provider.is_local:
            continue
        refusal = book.refusal(provider.config, provider.model, user_id)
        if refusal is not None:
            found.append((Stop(provider), refusal))
    return found


def bounded(book: PolicyBook, request: LLMRequest, stop: Stop) -> LLMRequest:
    """Return the request with no longer an answer than its user may have."""
    most = book.max_tokens(request.user_id) if book else None
    if most is None:
        return request
    asked = request.max_tokens or stop.provider.config.max_tokens
    return request if asked is not None and asked <= most else replace(request, max_tokens=most)
