"""The fire drill: a chain like the person's, one provider of which fails on purpose, and what the gateway does.

Real provider classes ask servers on loopback through a real manager of the drill's own: no key, nothing spent, and the
person's own breakers, figures and limits never hear of it. What happened is told by ``drill_telling``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from vpa_desktop.assistant.drill_server import SENTENCE, StandIn
from vpa_desktop.assistant.drill_telling import Telling
from vpa_desktop.catalog import KINDS, LLMProvider, LLMProviderConfig
from vpa_desktop.config import BudgetSettings, RoutingSettings
from vpa_desktop.drills import DrillEvent, DrillFault
from vpa_desktop.errors import AllProvidersFailed, ProviderError, UsageError, VPAError
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import Attempt, LLMRequest, LLMResponse, Message, RouteDone, RouteStarted, StreamEvent
from vpa_desktop.providers import provider_class
from vpa_desktop.providers.base import BaseLLMProvider

if TYPE_CHECKING:
    from vpa_desktop.providers._http import HttpSession

QUESTION: Final = LLMRequest((Message("user", "This is a fire drill. Answer with one sentence."),))
FIRST_TOKEN_S: Final = 1.0
"""How long a stand-in may be silent: the person's own limit would make a drill of minutes."""

NO_KEY: Final = "stand-in-without-a-key"
REQUESTS: Final = 6
MOST_REQUESTS: Final = 12
HOSTED: Final = frozenset(
    {
        LLMProvider.OPENAI,
        LLMProvider.AZURE_OPENAI,
        LLMProvider.ANTHROPIC,
        LLMProvider.GOOGLE,
        LLMProvider.OLLAMA,
        LLMProvider.OPENAI_COMPATIBLE,
    }
)
"""Kinds that are reached over HTTP and so can be drilled with their own class; the others get a stand-in for theirs."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Whom a drill asks, in order. ``added`` are ids the person does not have, ``unready`` those without a key."""

    configs: tuple[LLMProviderConfig, ...]
    added: tuple[str, ...] = ()
    unready: tuple[str, ...] = ()

    @classmethod
    def of(cls, configs: Sequence[LLMProviderConfig], unready: Sequence[str] = ()) -> Chain:
        """The person's providers in the order they are asked, and stand-ins where there are fewer than two."""
        found = [config for config in configs if config.enabled]
        names = [name for name in ("stand_in", "stand_in_2") if name not in {c.provider_id for c in found}]
        added = names[: max(0, 2 - len(found))]
        extra = [LLMProviderConfig(LLMProvider.OPENAI_COMPATIBLE, "stand-in", provider_id=name) for name in added]
        return cls((*found, *extra), tuple(added), tuple(c.provider_id for c in found if c.provider_id in unready))

    def first_asked(self, provider_id: str) -> LLMProviderConfig:
        """The one that is to fail: the first without a name; raises UsageError for one that is not in the chain."""
        if not provider_id:
            return self.configs[0]
        for config in self.configs:
            if config.provider_id == provider_id:
                return config
        known = ", ".join(config.provider_id for config in self.configs)
        raise UsageError(
            f"There is no provider {provider_id} in the chain", f"It asks: {known}", "Name one of these, or none"
        )


async def run_drill(
    chain: Chain,
    routing: RoutingSettings,
    fault: DrillFault,
    provider_id: str = "",
    *,
    pause_s: float = 0.0,
    first_token_s: float = FIRST_TOKEN_S,
) -> AsyncGenerator[DrillEvent, None]:
    """Yield what happens, then the report; ``pause_s`` passes after each step, for the eye. Raises UsageError."""
    failing = chain.first_asked(provider_id)
    drill = Drill(chain, _rehearsed(routing, chain, failing), failing, fault, first_token_s)
    told = drill.told(routing)
    async with aclosing(_paced(told, pause_s) if pause_s else told) as events:
        async for event in events:
            yield event


async def _paced(told: AsyncGenerator[DrillEvent, None], pause_s: float) -> AsyncGenerator[DrillEvent, None]:
    """The same events one after another; the drill itself goes on meanwhile, so that a pause is in no time it tells."""
    queue: asyncio.Queue[DrillEvent | None] = asyncio.Queue()

    async def feed() -> None:
        try:
            async with aclosing(told) as events:
                async for event in events:
                    queue.put_nowait(event)
        finally:
            queue.put_nowait(None)

    feeding = asyncio.create_task(feed(), name="drill")
    try:
        while (event := await queue.get()) is not None:
            yield event
            await asyncio.sleep(pause_s)
        await feeding
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


def _rehearsed(routing: RoutingSettings, chain: Chain, failing: LLMProviderConfig) -> RoutingSettings:
    """The person's routing with an order that is always the same, and the failing provider asked first."""
    ids = [config.provider_id for config in chain.configs]
    strategy = routing.strategy if routing.strategy == "fixed" else "failover"
    return replace(
        routing,
        strategy=strategy,
        hedge_first_token=False,
        default_provider=failing.provider_id,
        failover_chain=(failing.provider_id, *(i for i in ids if i != failing.provider_id)),
    )


Failure = tuple[ProviderError, float]
"""A failure at the moment it happened, and after how many milliseconds."""


class _Clock:
    """Monotonic seconds that can be moved on: nobody waits for a breaker in a drill."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@dataclass(frozen=True, slots=True)
class Asked:
    """What one request of the drill came to."""

    response: LLMResponse | None
    attempts: tuple[Attempt, ...]
    error: VPAError | None = None

    @property
    def is_whole(self) -> bool:
        """True where the whole sentence has come."""
        return self.response is not None and self.response.content.strip() == SENTENCE


class Drill:
    """One fault at one provider, from the first failure until it is well again. A context manager; ``run`` once."""

    def __init__(
        self,
        chain: Chain,
        routing: RoutingSettings,
        failing: LLMProviderConfig,
        fault: DrillFault,
        first_token_s: float,
    ) -> None:
        self.fault = fault
        self.failing = failing
        self.chain = chain
        self._clock = _Clock()
        self.manager = LLMProviderManager(routing, BudgetSettings(), clock=self._clock)
        self.first_token_s = first_token_s
        self._servers = {
            config.provider_id: StandIn(str(config.model), fault if config is failing else None)
            for config in chain.configs
        }
        self.outcomes: dict[str, list[bool]] = {config.provider_id: [] for config in chain.configs}
        self._failures: list[Failure] = []
        self._closing = AsyncExitStack()
        self._telling = Telling(self)

    async def __aenter__(self) -> Drill:
        from vpa_desktop.providers._http import HttpSession

        async with AsyncExitStack() as opening:  # a drill that is stopped while it opens closes what it had opened
            http = HttpSession(offline=True)  # nothing of a drill leaves this machine, whatever the settings say
            opening.push_async_callback(http.aclose)
            opening.push_async_callback(self.manager.aclose)
            for config in self.chain.configs:
                server = self._servers[config.provider_id]
                opening.push_async_callback(server.aclose)
                limit_s = self.first_token_s if config is self.failing else config.timeout
                stand_in = _stand_in(config, await server.open(), limit_s)
                outcomes = self.outcomes[config.provider_id]
                self.manager.register_provider(config.provider_id, _watched(stand_in, http, self._failures, outcomes))
            self._closing = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def told(self, own: RoutingSettings) -> AsyncGenerator[DrillEvent, None]:
        """Open everything, ``run``, and close everything."""
        async with self, aclosing(self.run(own)) as events:
            async for event in events:
                yield event

    async def run(self, own: RoutingSettings) -> AsyncGenerator[DrillEvent, None]:
        """Yield the steps and the report. ``own`` is the person's routing, before it was made predictable."""
        telling = self._telling
        for step in telling.opening(own):
            yield step
        first = Asked(None, ())
        async with aclosing(self._first(telling)) as events:
            async for event in events:
                if isinstance(event, Asked):
                    first = event
                else:
                    yield event
        every = [first]
        if first.response is not None:
            async for asked, number in self._more():
                every.append(asked)
                for step in telling.request(number, asked):
                    yield step
        during = telling.breakers()
        await self._servers[self.failing.provider_id].recover()
        wait_s = self.wait_s()
        self._clock.ahead_s += wait_s + 0.01
        yield telling.well_again(wait_s)
        last = await self.ask()
        for step in telling.recovery(len(every) + 1, last):
            yield step
        yield telling.report(first, every, last, during)

    async def _first(self, telling: Telling) -> AsyncGenerator[DrillEvent | Asked, None]:
        """The first request in all its steps, then what it came to."""
        response, error = None, None
        failures: list[Failure] = []
        try:
            async with aclosing(self.manager.stream(QUESTION)) as events:
                async for event in events:
                    if isinstance(event, RouteStarted):
                        for step in telling.failures(self._taken(failures)):
                            yield step
                        yield telling.asked(1, event.provider)
                    elif isinstance(event, RouteDone):
                        response = event.response
        except VPAError as exc:
            error = exc
            for step in telling.failures(self._taken(failures)):
                yield step
        asked = _came_to(response, error, failures)
        for step in telling.first(asked):
            yield step
        yield asked

    async def _more(self) -> AsyncGenerator[tuple[Asked, int], None]:
        """Further requests, until the failing provider was left alone and the sixth is over."""
        left_alone = False
        for number in range(2, MOST_REQUESTS + 1):
            if number > REQUESTS and left_alone:
                return
            asked = await self.ask()
            left_alone = any(a.provider == self.failing.provider_id and a.outcome == "skipped" for a in asked.attempts)
            yield asked, number

    async def ask(self) -> Asked:
        """One request, as any part of the program makes it."""
        try:
            asked = _came_to(await self.manager.generate(QUESTION), None, self._failures)
        except VPAError as exc:
            asked = _came_to(None, exc, self._failures)
        self._failures.clear()
        return asked

    def _taken(self, every: list[Failure]) -> list[Failure]:
        """The failures since the last look, which ``every`` gets too."""
        failures = list(self._failures)
        self._failures.clear()
        every += failures
        return failures

    def wait_s(self, provider_id: str = "") -> float:
        """How long a provider, the failing one without a name, is still left alone."""
        provider_id = provider_id or self.failing.provider_id
        model = self._model(provider_id)
        return max(
            self.manager.breaker(provider_id, model).opens_in_s, self.manager.cooldowns.left_s(provider_id, model)
        )

    def breaker_of(self, provider_id: str) -> str:
        """The state of a provider's breaker in the drill."""
        return self.manager.breaker(provider_id, self._model(provider_id)).state

    def _model(self, provider_id: str) -> str:
        provider = self.manager.get_provider(provider_id)
        return provider.model if provider is not None else ""


def _came_to(response: LLMResponse | None, error: VPAError | None, failures: Sequence[Failure]) -> Asked:
    if response is not None:
        return Asked(response, response.attempts)
    if isinstance(error, AllProvidersFailed):
        return Asked(None, tuple(error.attempts), error)
    failed = (Attempt(exc.provider, exc.model, "failed", str(exc), round(ms, 1)) for exc, ms in failures)
    return Asked(None, tuple(failed), error)


def _stand_in(config: LLMProviderConfig, address: str, first_token_s: float) -> LLMProviderConfig:
    """The configuration with which a provider's own class asks its stand-in, and no other address."""
    kind = config.kind if config.kind in HOSTED else LLMProvider.OPENAI_COMPATIBLE
    return replace(
        config,
        provider=kind,
        model=str(config.model) or "stand-in",
        deployment=config.deployment or ("stand-in" if kind == LLMProvider.AZURE_OPENAI else None),
        api_key=NO_KEY if KINDS[kind].needs_key else None,
        api_endpoint=address,
        api_version=config.api_version if kind == LLMProvider.GOOGLE else None,
        local_only=config.is_local,
        timeout=first_token_s,
        idle_timeout=None,
        connect_timeout=first_token_s,
        total_timeout=None,
        max_retries=min(config.max_retries, 1),
        input_cost_per_million=Decimal(),
        output_cost_per_million=Decimal(),
        model_path=None,
        context_tokens=config.context_tokens or 32_768,
        effort=None,
        proxy="",
        ca_file=None,
    )


def _watched(
    config: LLMProviderConfig, http: HttpSession, failures: list[Failure], outcomes: list[bool]
) -> BaseLLMProvider:
    """The provider's real class, which also notes how each request ends, at the moment it does."""
    real: type[BaseLLMProvider] = provider_class(config.kind)

    class Watched(real):  # type: ignore[valid-type, misc]
        """The same provider with an eye on it."""

        async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
            """Yield what the provider yields."""
            started = time.perf_counter()
            try:
                async with aclosing(super().stream(request)) as events:
                    async for event in events:
                        yield event
                outcomes.append(True)
            except ProviderError as exc:
                outcomes.append(False)
                failures.append((exc, (time.perf_counter() - started) * 1000))
                raise

    made = Watched(config, http=http)
    assert isinstance(made, BaseLLMProvider)
    return made
