"""Whether a request suits a stop of its route, and what of it is sent there. Asks nobody and keeps no receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from vpa_desktop.catalog import ModelInfo
from vpa_desktop.errors import ProviderError, VPAError
from vpa_desktop.gateway.admission import Stop
from vpa_desktop.gateway.attempt import continuation
from vpa_desktop.gateway.fitting import fitted, is_far_below, least_tokens, unfit, window_of, without_unseen
from vpa_desktop.gateway.permission import bounded, must_be_permitted, refusal_at
from vpa_desktop.messages import LLMRequest

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager


class Objection(NamedTuple):
    """Why a stop is passed over, in the words of the receipt; ``error`` where it would be that of the whole route."""

    reason: str
    error: VPAError | None = None


def goes_as_it_is(manager: LLMProviderManager, request: LLMRequest, stop: Stop) -> bool:
    """True in the usual case: nothing to change for this stop, and so short a text that nothing has to be counted."""
    provider = stop.provider
    if request.model != stop.named_model or (request.max_tokens or provider.config.max_tokens) is not None:
        return False
    return is_far_below(request, window_of(provider, manager.model_info(provider.config, stop.model)))


class Match:
    """One request, held against each stop of its route; ``has_rules`` where it or a policy keeps it from somebody."""

    def __init__(self, manager: LLMProviderManager, request: LLMRequest, *, has_rules: bool) -> None:
        self._manager = manager
        self._request = request
        self._has_rules = has_rules
        self._too_small_tokens: int | None = None

    def info(self, stop: Stop) -> ModelInfo:
        """Return what is known of the model that is asked at a stop."""
        return self._manager.model_info(stop.provider.config, stop.model)

    def goes_as_it_is(self, stop: Stop) -> bool:
        """True where no rule and no refusal so far is against it, and it ``goes_as_it_is`` by itself."""
        if self._has_rules or self._too_small_tokens is not None:
            return False
        return goes_as_it_is(self._manager, self._request, stop)

    def forbidden(self, stop: Stop) -> Objection | None:
        """Return what a rule has against a stop, whoever made the route."""
        refusal = refusal_at(self._manager.policy, stop, self._request)
        return None if refusal is None else Objection(refusal.why, refusal)

    def rests(self, stop: Stop) -> Objection | None:
        """Return why a stop is to be left alone now, though it was not when the route was set out."""
        reason = self._manager.cooldowns.reason(stop.provider_id, stop.model)
        return Objection(reason) if reason else None

    async def objection(self, stop: Stop, later: Sequence[Stop]) -> Objection | None:
        """Return why this stop is not asked: it cannot do it, or one of the ``later`` ones can do it better."""
        if self._is_too_small(stop):
            return Objection("it is not known to take a longer prompt")
        if (unfitness := self.unfitness(stop)) is not None:
            return unfitness
        return await self._leaves_it_to_a_larger(stop, later) if later else None

    def lacks(self, stop: Stop) -> bool:
        """True where a stop cannot be asked beside another: a rule, a pause, its abilities or the length."""
        return self._too_small_tokens is not None or self.rests(stop) is not None or self.unfitness(stop) is not None

    def unfitness(self, stop: Stop) -> Objection | None:
        """Return why a stop can in no case be asked this: a rule, or its abilities."""
        if (forbidden := self.forbidden(stop)) is not None:
            return forbidden
        refusal = unfit(self._request, stop.provider, self.info(stop))
        return None if refusal is None else Objection(refusal.why, refusal)

    def was_too_long(self, error: ProviderError) -> None:
        """Take in that a model refused the prompt as too long: from now on only larger windows are asked."""
        provider = self._manager.get_provider(error.provider)
        window = 0
        if provider is not None:
            window = window_of(provider, self._manager.model_info(provider.config, error.model)) or 0
        self._too_small_tokens = max(self._too_small_tokens or 0, window)

    async def made_ready(self, stop: Stop, kept: str) -> LLMRequest:
        """Return the request as this stop gets it: the model meant for it, turns that fit, the text ``kept`` so far."""
        request, policy = self._request, self._manager.policy
        must_be_permitted(policy, stop, request)
        request = bounded(policy, request, stop)
        if request.model != stop.named_model:
            request = replace(request, model=stop.named_model)
        info = self.info(stop)
        request = without_unseen(request, stop.provider, info)
        if kept:
            request = continuation(request, kept)
        return await fitted(request, stop.provider, info)

    def _is_too_small(self, stop: Stop) -> bool:
        if self._too_small_tokens is None:
            return False
        window = window_of(stop.provider, self.info(stop))
        return window is None or window <= self._too_small_tokens

    async def _leaves_it_to_a_larger(self, stop: Stop, later: Sequence[Stop]) -> Objection | None:
        """The question alone does not fit this model, and one that it does fit comes after it."""
        needed = await least_tokens(self._request, stop.provider, self.info(stop))
        if needed is None or all((window_of(each.provider, self.info(each)) or 0) <= needed for each in later):
            return None
        return Objection(f"the question takes {needed:,} tokens, more than {stop.model} reads at once")
