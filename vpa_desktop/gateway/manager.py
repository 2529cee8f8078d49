"""LLMProviderManager: the registry of providers, and the one door through which every answer comes.

Choosing is ``routing``, surviving is ``failover``; this file holds what both need and the source document's API.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo, is_demonstration
from vpa_desktop.config import LOCAL_PROVIDER_ID, BudgetSettings, RoutingSettings, Strategy
from vpa_desktop.errors import ConfigError, PolicyRefused, VPAError
from vpa_desktop.gateway import straight
from vpa_desktop.gateway.admission import Stop
from vpa_desktop.gateway.breaker import CircuitBreaker
from vpa_desktop.gateway.budget import Budget, Ledger, MemoryLedger
from vpa_desktop.gateway.concurrency import Line
from vpa_desktop.gateway.cooldown import Cooldowns
from vpa_desktop.gateway.failover import Failover, ReadyAnswer, whole_answer
from vpa_desktop.gateway.health import HealthBook
from vpa_desktop.gateway.hedge import HedgeBudget
from vpa_desktop.gateway.limits import usable_amount
from vpa_desktop.gateway.permission import identified, permitted, policy_limits
from vpa_desktop.gateway.plain_answer import plain_answer
from vpa_desktop.gateway.pricelist import PriceList
from vpa_desktop.gateway.routing import Candidate, order
from vpa_desktop.gateway.standings import Standings
from vpa_desktop.gateway.sticky import LastAnswers
from vpa_desktop.messages import (
    EnhancedLLMRequest,
    EnhancedLLMResponse,
    GatewayEvent,
    LLMRequest,
    LLMResponse,
)
from vpa_desktop.model_facts import facts_for
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.security.policy import PolicyBook
from vpa_desktop.tokens import estimate_prompt_tokens

STEADY: Final[tuple[Strategy, ...]] = ("failover", "fixed")
"""Strategies whose order lies in the settings alone: it is worked out once, and not for each request."""


class LLMProviderManager:
    """Chooses a provider for each request and survives its failures.

    Providers can be registered, replaced and removed at any time; answers under way keep the one they have.
    """

    def __init__(
        self,
        routing: RoutingSettings | None = None,
        budget: BudgetSettings | None = None,
        *,
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: random.Random | None = None,
    ) -> None:
        self.routing = routing or RoutingSettings()
        self.ledger: Ledger = ledger or MemoryLedger()
        self.budget = Budget(budget or BudgetSettings(), self.ledger)
        self.health = HealthBook(clock=clock)
        self.model_info: Callable[[LLMProviderConfig, str], ModelInfo] = facts_for
        self.standings = Standings(lambda: self.routing, clock=clock)
        self.cooldowns = Cooldowns(clock=clock)
        self.policy = PolicyBook()
        self.budget.more_limits = lambda user_id: policy_limits(self.policy, user_id) if self.policy.policies else ()
        self.on_refusal: Callable[[PolicyRefused, LLMRequest], Awaitable[None]] | None = None
        self._prices = PriceList()
        self._clock = clock
        self._draw = draw or random.Random()
        self._providers: dict[str, BaseLLMProvider] = {}
        self._weights: dict[str, float] = {}
        self._chained: tuple[tuple[str, ...], list[BaseLLMProvider]] | None = None
        self._steady: tuple[RoutingSettings, tuple[Stop, ...]] | None = None
        self.hedges = HedgeBudget()
        self._last_answers = LastAnswers(clock)
        self._retired: list[BaseLLMProvider] = []
        self.closes_with: Callable[[], Awaitable[None]] | None = None

    # The registry

    def register_provider(self, provider_id: str, provider: BaseLLMProvider) -> None:
        """Add a provider under this id, or put it in the place of the one that has it."""
        if provider.provider_id != provider_id:
            provider.config = replace(provider.config, provider_id=provider_id)
        if (old := self._providers.get(provider_id)) is not None and old is not provider:
            self._retired.append(old)
            old.retire()
        self._providers[provider_id] = provider
        self.cooldowns.forget(provider_id)
        self.cooldowns.forget_keys(provider_id)
        self.standings.replaced(provider)
        self._chained = self._steady = None

    def remove_provider(self, provider_id: str) -> None:
        """Take a provider out of every route; nothing happens where there is none of that id."""
        if (provider := self._providers.pop(provider_id, None)) is not None:
            self._retired.append(provider)
            provider.retire()
            self._chained = self._steady = None

    def arrange(self, provider_ids: Sequence[str]) -> None:
        """Put providers in this order, where the chain does not say otherwise; others stay behind them."""
        ordered = {i: self._providers[i] for i in provider_ids if i in self._providers}
        self._providers = {**ordered, **{i: p for i, p in self._providers.items() if i not in ordered}}
        self._chained = self._steady = None

    def get_provider(self, provider_id: str) -> BaseLLMProvider | None:
        """Return the provider with this id, None where there is none."""
        return self._providers.get(provider_id)

    def is_registered(self, wanted: str) -> bool:
        """True where a provider has this id or is of this kind."""
        return wanted in self._providers or any(p.config.kind == wanted for p in self._providers.values())

    @property
    def provider_ids(self) -> tuple[str, ...]:
        """The ids in the order of registration."""
        return tuple(self._providers)

    async def connect_all_providers(self) -> dict[str, bool]:
        """Check every enabled provider at once; True where it answered."""
        ids = [i for i, p in self._providers.items() if p.config.enabled]
        results = await asyncio.gather(*(self._connects(self._providers[i]) for i in ids))
        return dict(zip(ids, results, strict=True))

    async def _connects(self, provider: BaseLLMProvider) -> bool:
        try:
            await provider.connect()
        except VPAError as exc:
            self.health[provider.provider_id].last_error = str(exc)
            return False
        return True

    # How providers are chosen

    def set_default_provider(self, provider_id: str) -> None:
        """Ask this provider first; raises ConfigError where there is none of that id."""
        self._must_exist([provider_id])
        self.routing = replace(self.routing, default_provider=provider_id)

    def set_failover_chain(self, provider_ids: Sequence[str]) -> None:
        """Try providers in this order; ids that are not registered yet are passed over until they are."""
        self.routing = replace(self.routing, failover_chain=tuple(provider_ids))

    @property
    def load_balancing_enabled(self) -> bool:
        """True where requests are spread by weight; setting it chooses the weighted or the failover strategy."""
        return self.routing.strategy == "weighted"

    @load_balancing_enabled.setter
    def load_balancing_enabled(self, enabled: bool) -> None:
        self.routing = replace(self.routing, strategy="weighted" if enabled else "failover")

    def set_provider_weights(self, weights: Mapping[str, float]) -> None:
        """Set the shares of load balancing; they need not add up to 1. Raises ConfigError for a negative one."""
        if bad := [i for i, weight in weights.items() if weight < 0]:
            raise ConfigError(f"The weight of {bad[0]} is negative", "A weight is 0 or more", "Change it")
        self._weights.update(weights)

    def enable_circuit_breaker(self, failure_threshold: int = 5, recovery_timeout: float = 300) -> None:
        """Leave a provider alone after this many failures in a row, for at most ``recovery_timeout`` seconds."""
        breaker = replace(
            self.routing.circuit_breaker,
            failure_threshold=failure_threshold,
            recovery_timeout_s=float(recovery_timeout),
        )
        self.routing = replace(self.routing, circuit_breaker=breaker)
        self.standings.begin_anew()

    @property
    def enable_cost_tracking(self) -> bool:
        """True where costs are kept; where a limit is set they are kept in any case, or it could not hold."""
        return self.budget.settings.cost_tracking

    @enable_cost_tracking.setter
    def enable_cost_tracking(self, enabled: bool) -> None:
        self.budget.settings = replace(self.budget.settings, cost_tracking=enabled)

    def set_cost_limit(
        self, daily_limit: float | Decimal | None = None, monthly_limit: float | Decimal | None = None
    ) -> None:
        """Set the limits in US dollars; None is no limit. Raises ConfigError for what is no amount."""
        self.budget.set_limits(usable_amount(daily_limit), usable_amount(monthly_limit))

    def breaker(self, provider_id: str, model: str) -> CircuitBreaker:
        """Return the breaker of one provider and model."""
        return self.standings.breaker(provider_id, model)

    def line(self, provider: BaseLLMProvider) -> Line:
        """Return the places at one provider."""
        return self.standings.line(provider)

    # Answers

    def route(self, request: LLMRequest, provider_id: str | None = None) -> list[BaseLLMProvider]:
        """Return the providers that would be tried for this request, in order.

        A provider the person named comes first; without failover it is the only one.
        """
        return [stop.provider for stop in self.stops(request, provider_id)]

    def stops(self, request: LLMRequest, provider_id: str | None = None) -> tuple[Stop, ...]:
        """Return the route of a request that names no model."""
        routing, steady = self.routing, self._steady
        if provider_id is not None or request.local_only or self.policy.policies:
            return tuple(map(Stop, self._planned(request, provider_id)))
        if steady is not None and steady[0] is routing:
            return steady[1]
        stops = tuple(map(Stop, self._planned(request, None)))
        if routing.strategy in STEADY:
            self._steady = (routing, stops)
        return stops

    def _planned(self, request: LLMRequest, provider_id: str | None) -> list[BaseLLMProvider]:
        wanted = provider_id or self._default_id()
        if provider_id is not None:
            self._must_exist([provider_id])
        pool = [p for p in self._chain() if p.config.enabled or p.provider_id == provider_id]
        if request.local_only or (provider_id is not None and self._providers[provider_id].is_local):
            pool = [p for p in pool if p.is_local]  # whoever names a local one does not mean to send anything out
        if self.policy:
            pool = permitted(self, pool, request, provider_id)
        if len(pool) < 2:
            return pool
        strategy = self.routing.strategy if provider_id is None else "failover"
        found = order(
            strategy,
            self._candidates(strategy, pool, request, provider_id),
            preferred=wanted,
            sticky=self._last_answers.within(self.routing.sticky_minutes, request.conversation_id),
            draw=self._draw,
        )
        by_id = {p.provider_id: p for p in pool}
        ordered = [by_id[c.provider_id] for c in found]
        return ordered if self.routing.fallback_enabled else ordered[:1]

    def model_owner(self, provider_id: str | None, route: Sequence[BaseLLMProvider]) -> str:
        """Return whom a request's model is meant for: the provider that was named, else the default one.

        Where there is no default it is the first of the chain on this route, whoever is drawn to be asked first.
        """
        if owner := provider_id or self._default_id():
            return owner
        on_route = {p.provider_id for p in route}
        return next((p.provider_id for p in self._chain() if p.provider_id in on_route), "")

    def _chain(self) -> list[BaseLLMProvider]:
        """Every provider once: the chain's order, then the others, the local demonstration model last."""
        wanted = self.routing.failover_chain
        if self._chained is None or self._chained[0] is not wanted:
            chain = [i for i in wanted if i in self._providers]
            rest = sorted((i for i in self._providers if i not in chain), key=lambda i: i == LOCAL_PROVIDER_ID)
            self._chained = (wanted, [self._providers[i] for i in (*chain, *rest)])
        return self._chained[1]

    def _default_id(self) -> str:
        wanted = self.routing.default_provider
        if not wanted:
            return ""
        if wanted in self._providers:
            return wanted
        kinds = [i for i, p in self._providers.items() if p.config.kind == wanted]
        return kinds[0] if kinds else ""

    async def learn_prices(self, request: LLMRequest) -> None:
        """Look up what ``route`` compares where the cheapest is asked first: once, before it, off the event loop."""
        if self.routing.strategy == "cheapest":
            every = [p for p in self._chain() if p.config.enabled]
            owner = self.model_owner(None, every)
            await self._prices.learn([(p.config, self.model_at(p, request, owner)) for p in every])

    @property
    def prices(self) -> PriceList:
        """What providers charge, to compare by."""
        return self._prices

    @staticmethod
    def model_at(provider: BaseLLMProvider, request: LLMRequest, owner: str) -> str:
        """Return the model that a provider is asked with: the request's own where it is meant for this provider."""
        return (request.model if provider.provider_id == owner else None) or provider.model

    def _candidates(
        self, strategy: Strategy, pool: Sequence[BaseLLMProvider], request: LLMRequest, named: str | None
    ) -> list[Candidate]:
        """What a strategy compares, and no more of it: it is put together for every request."""
        if strategy in ("failover", "fixed"):
            return [Candidate(p.provider_id) for p in pool]
        owner = self.model_owner(named, pool)
        tokens_in = estimate_prompt_tokens(request.messages).tokens if strategy == "cheapest" else 0
        return [self._candidate(p, self.model_at(p, request, owner), tokens_in) for p in pool]

    def _candidate(self, provider: BaseLLMProvider, model: str, tokens_in: int) -> Candidate:
        health = self.health[provider.provider_id]
        lengths = (tokens_in, self.health.usual_answer(provider.provider_id))
        return Candidate(
            provider.provider_id,
            provider.is_local,
            self._weights.get(provider.provider_id, provider.config.weight),
            health.expected_ms,
            health.in_flight,
            self._prices.price_usd(provider.config, model, lengths) if tokens_in else None,
            is_stopgap=is_demonstration(provider.config) and not self._was_chosen(provider.provider_id),
        )

    def _was_chosen(self, provider_id: str) -> bool:
        """True where the person has named a provider as the default or in the chain."""
        return provider_id in (*self.routing.failover_chain, self._default_id())

    def stream(
        self,
        request: LLMRequest,
        *,
        provider: str | None = None,
        route: Sequence[BaseLLMProvider] | None = None,
        ready_answers: Mapping[str, ReadyAnswer] | None = None,
        model_for: str | None = None,
    ) -> AsyncGenerator[GatewayEvent, None]:
        """Yield the answer as it comes, from whichever provider gives it; the last event is RouteDone.

        ``request.model`` counts for ``model_for`` (None: ``model_owner``); every other answers with its own model.
        ``route`` is one that ``route`` gave: what was made ready for it (secrets masked, say) must not meet another.
        ``ready_answers`` are used in the place of asking that provider. Raises VPAError.
        """
        if self.policy.policies:
            request = identified(self.policy, request)
        elif not ready_answers:
            return straight.events(self, request, provider, route, model_for)
        return Failover(self, request, ready_answers or {}, provider, route, model_for).run()

    def answered(self, conversation_id: str, provider_id: str) -> None:
        """Take note of who answered: a conversation stays there for a while, where the strategy is one of those."""
        self._last_answers.note(conversation_id, provider_id)

    async def generate(self, request: LLMRequest, *, provider: str | None = None) -> LLMResponse:
        """Return the whole answer; raises what ``stream`` raises."""
        if self.policy.policies:
            return await whole_answer(self.stream(request, provider=provider))
        return await straight.answer(self, request, provider)

    async def generate_enhanced_response(self, request: EnhancedLLMRequest) -> EnhancedLLMResponse:
        """Answer one question without documents and without storing it; a warning says so where they were asked for."""
        return await plain_answer(self, request)

    # Figures

    async def get_cost_statistics(self) -> dict[str, Any]:
        """Return what today and this month cost, and the limits; US dollars."""
        state = await self.budget.state()
        return {
            "daily_cost": state.spent_today_usd,
            "monthly_cost": state.spent_month_usd,
            "daily_limit": state.daily_limit_usd,
            "monthly_limit": state.monthly_limit_usd,
        }

    async def get_provider_stats(self) -> dict[str, dict[str, Any]]:
        """Return each provider's record since the start: requests, success rate, times, breaker."""
        from vpa_desktop.analytics import percentile

        found = {}
        for provider_id, provider in self._providers.items():
            health = self.health[provider_id]
            latencies = list(health.latencies_ms)
            found[provider_id] = {
                "requests": health.requests,
                "success_rate": health.success_rate,
                "p50_ms": percentile(latencies, 0.5),
                "p95_ms": percentile(latencies, 0.95),
                "ttft_p50_ms": health.ttft_p50_ms,
                "breaker": self.breaker(provider_id, provider.model).state,
                "last_error": health.last_error,
            }
        return found

    async def aclose(self) -> None:
        """Close every provider, also those replaced or removed before, and what they shared."""
        every = [*self._providers.values(), *self._retired]
        self._providers.clear()
        self._chained = self._steady = None
        self._retired.clear()
        await asyncio.gather(*(provider.aclose() for provider in every))
        if self.closes_with is not None:
            await self.closes_with()

    def _must_exist(self, provider_ids: Sequence[str]) -> None:
        for provider_id in provider_ids:
            if provider_id not in self._providers:
                known = ", ".join(self._providers) or "none"
                raise ConfigError(
                    f"There is no provider {provider_id}",
                    f"Known and with a key where one is needed: {known}",
                    "Add it in Settings, Providers, or with: vpa-desktop providers add",
                )
