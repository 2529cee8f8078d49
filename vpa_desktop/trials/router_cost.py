"""What the router costs: added time per request, requests in a second, failover, a kept answer, memory per provider.

Real provider classes ask a stand-in on loopback, so that the figures are the program's and not some provider's.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from vpa_desktop.assistant.drill_server import StandIn
from vpa_desktop.catalog import LLMProvider, LLMProviderConfig
from vpa_desktop.config import CacheSettings, RoutingSettings
from vpa_desktop.drills import DrillFault
from vpa_desktop.errors import ProviderError
from vpa_desktop.gateway.answer_desk import AnswerDesk
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import LLMRequest, LLMResponse, Message, RouteDone, StreamEvent
from vpa_desktop.providers import provider_class
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.storage.database import Database
from vpa_desktop.trials.stage import stage
from vpa_desktop.trials.values import Figure, share

if TYPE_CHECKING:
    from vpa_desktop.providers._http import HttpSession

QUESTION: Final = LLMRequest((Message("user", "Say one sentence."),))
ROUNDS: Final = 120
CROWD: Final = 100
FAILOVERS: Final = 25
HITS: Final = 200
ACTIVE: Final = 20


class Rig:
    """Stand-ins and the session that reaches them. Made by ``rig``."""

    def __init__(self, http: HttpSession, closing: AsyncExitStack) -> None:
        self._http = http
        self._closing = closing
        self.failed_at: list[float] = []
        self.asked_at: list[float] = []

    async def stand_in(self, fault: DrillFault | None = None) -> str:
        """Start one and return its address."""
        server = StandIn("stand-in", fault)
        self._closing.push_async_callback(server.aclose)
        return await server.open()

    def manager(self, *addresses: str) -> LLMProviderManager:
        """Return a manager that asks these addresses in order."""
        names = [f"p{n}" for n in range(len(addresses))]
        made = LLMProviderManager(RoutingSettings(default_provider="p0", failover_chain=tuple(names)))
        for name, address in zip(names, addresses, strict=True):
            config = LLMProviderConfig(
                LLMProvider.OPENAI_COMPATIBLE, "stand-in", provider_id=name, api_endpoint=address, max_retries=0,
                local_only=True, input_cost_per_million=Decimal(), output_cost_per_million=Decimal(),
            )  # fmt: skip
            made.register_provider(name, _watched(config, self._http, self.failed_at, self.asked_at))
        self._closing.push_async_callback(made.aclose)
        return made


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """Open a session that leaves this machine for nobody, and close everything at the end."""
    from vpa_desktop.providers._http import HttpSession

    async with AsyncExitStack() as closing:
        http = HttpSession(offline=True)
        closing.push_async_callback(http.aclose)
        yield Rig(http, closing)


async def router_figures() -> list[Figure]:
    """Measure everything of the router."""
    async with rig() as bench:
        return [
            *await _overhead(bench),
            await _crowd(bench),
            *await _failover(bench),
            await _kept_answer(bench),
            await _memory(bench),
        ]


async def _overhead(bench: Rig) -> list[Figure]:
    manager = bench.manager(await bench.stand_in())
    provider = manager.get_provider("p0")
    assert provider is not None
    bare: list[float] = []
    routed: list[float] = []
    busy: list[float] = []
    for n in range(ROUNDS + 10):
        pairs = ((bare, provider.generate(QUESTION)), (routed, manager.generate(QUESTION)))
        for times, asking in pairs if n % 2 else reversed(pairs):
            started, worked = time.perf_counter(), time.process_time()
            await asking
            if n >= 10:  # the first ones load code
                times.append((time.perf_counter() - started) * 1000)
                busy.append((time.process_time() - worked) * 1000 * (1 if times is routed else -1))
    added = share([each - without for each, without in zip(routed, bare, strict=True)], 0.5)
    lost = "" if added > 0 else "less than this machine's noise"
    how = f"{ROUNDS} requests each way in turn, the same provider class and stand-in"
    return [
        Figure("router.overhead_p50", None if lost else added, "ms", f"{how}: median of the differences", note=lost),
        Figure("router.overhead_cpu", sum(busy) / ROUNDS, "ms", f"{how}: processor time with less without, mean"),
    ]


async def _crowd(bench: Rig) -> Figure:
    manager = bench.manager(await bench.stand_in())
    await manager.generate(QUESTION)
    started = time.perf_counter()
    answers = await asyncio.gather(*(manager.generate(QUESTION) for _ in range(CROWD)), return_exceptions=True)
    seconds = time.perf_counter() - started
    good = sum(isinstance(each, LLMResponse) for each in answers)
    rate = good / seconds
    return Figure(
        "response_generation.requests_per_second", rate, "requests/s",
        f"{CROWD} at once through one provider, stand-in and router in one process; {good} answered",
        "50 or more, with 100 at once", rate >= 50 and good == CROWD,
    )  # fmt: skip


async def _failover(bench: Rig) -> list[Figure]:
    broken, well = await bench.stand_in("500"), await bench.stand_in()
    gaps, failures = [], []
    for _ in range(FAILOVERS):  # each with breakers that know nothing yet
        manager = bench.manager(broken, well)
        bench.failed_at.clear()
        bench.asked_at.clear()
        await manager.generate(QUESTION)
        gaps.append((bench.asked_at[1] - bench.failed_at[0]) * 1000)
        failures.append((bench.failed_at[0] - bench.asked_at[0]) * 1000)
    gap = share(gaps, 0.5)
    how = f"{FAILOVERS} requests whose first provider answers 500"
    return [
        Figure("provider_switching.failover_time", gap, "ms",
               f"{how}: from its failure until the next one is asked, median", "under 10 ms", gap < 10),
        Figure("provider_switching.failed_attempt", share(failures, 0.5), "ms",
               f"{how}: from asking it until its failure, over loopback, median"),
    ]  # fmt: skip


def _watched(
    config: LLMProviderConfig, http: HttpSession, failed_at: list[float], asked_at: list[float]
) -> BaseLLMProvider:
    """The provider's real class, which also notes when it is asked and when that fails."""
    real: type[BaseLLMProvider] = provider_class(config.kind)

    class Watched(real):  # type: ignore[valid-type, misc]
        """The same provider with an eye on it."""

        async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
            """Yield what the provider yields."""
            asked_at.append(time.perf_counter())
            try:
                async with aclosing(super().stream(request)) as events:
                    async for event in events:
                        yield event
            except ProviderError:
                failed_at.append(time.perf_counter())
                raise

    made = Watched(config, http=http)
    assert isinstance(made, BaseLLMProvider)
    return made


async def _kept_answer(bench: Rig) -> Figure:
    manager = bench.manager(await bench.stand_in())
    times: list[float] = []
    with stage() as place:
        db = await Database.open(place.paths.database, backups=place.paths.backups)
        desk = AnswerDesk.over(db, manager, CacheSettings)
        try:
            is_kept = [await _asked(desk)]
            for _ in range(HITS):
                started = time.perf_counter()
                is_kept.append(await _asked(desk))
                times.append((time.perf_counter() - started) * 1000)
        finally:
            await desk.aclose()
            await db.aclose()
    hits = sum(is_kept)
    note = "" if hits == HITS else f"only {hits} of {HITS} came from the cache"
    return Figure(
        "caching.hit_p50", share(times, 0.5), "ms", f"the same question {HITS} times again, median", note=note
    )


async def _asked(desk: AnswerDesk) -> bool:
    """Ask once; True where the answer had been kept."""
    kept = False
    async for event in desk.stream(QUESTION):
        if isinstance(event, RouteDone):
            kept = event.response.cached
    return kept


async def _memory(bench: Rig) -> Figure:
    addresses = [await bench.stand_in() for _ in range(ACTIVE + 1)]
    manager = bench.manager(addresses[0])
    await manager.generate(QUESTION)
    gc.collect()
    tracemalloc.start()  # resident memory does not move by as little as this
    try:
        many = bench.manager(*addresses[1:])
        for n in range(ACTIVE):
            await many.generate(QUESTION, provider=f"p{n}")
        gc.collect()
        each = tracemalloc.get_traced_memory()[0] / 1e6 / ACTIVE
    finally:
        tracemalloc.stop()
    how = f"memory that Python holds after {ACTIVE} providers were each asked once, without TLS, divided by {ACTIVE}"
    return Figure("memory.per_active_provider", each, "MB", how, "about 5 MB", each <= 5)
