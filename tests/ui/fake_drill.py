"""The drill and the health of the backend in memory: they tell what a test or a screenshot wants told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from vpa_desktop.assistant.drill import Chain, run_drill
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import RoutingSettings
from vpa_desktop.drills import DrillEvent, DrillFault, DrillPlace
from vpa_desktop.records import BreakerEvent, BreakerFacts, ProviderHealthFigures

CHAIN = (
    LLMProviderConfig("openai", "gpt-6-luna", provider_id="openai_main"),
    LLMProviderConfig("anthropic", "claude-sonnet-5-5", provider_id="anthropic_main"),
    LLMProviderConfig("llama_cpp", provider_id="local"),
)


class FakeDrills:
    """The real drill over a chain of its own; ``most_pause_s`` keeps a test short, ``asked`` is what was chosen."""

    def __init__(self, routing: RoutingSettings | None = None) -> None:
        self.routing = routing or RoutingSettings()
        self.most_pause_s = 0.0
        self.asked: list[tuple[str, str]] = []
        self.is_closed = asyncio.Event()

    async def chain(self) -> tuple[DrillPlace, ...]:
        """Three providers."""
        return tuple(DrillPlace(c.provider_id, str(c.model), c.is_local) for c in CHAIN)

    async def run(
        self, fault: DrillFault, provider_id: str = "", pause_s: float = 0.0
    ) -> AsyncGenerator[DrillEvent, None]:
        """The real one, with a short silence."""
        self.asked.append((fault, provider_id))
        pause_s = min(pause_s, self.most_pause_s)
        drill = run_drill(Chain.of(CHAIN), self.routing, fault, provider_id, pause_s=pause_s, first_token_s=0.4)
        try:
            async with aclosing(drill) as events:
                async for event in events:
                    yield event
        finally:
            self.is_closed.set()


class FakeHealth:
    """Keeps the figures a test sets."""

    def __init__(self) -> None:
        self.told: tuple[ProviderHealthFigures, ...] = ()

    async def figures(self) -> tuple[ProviderHealthFigures, ...]:
        """What was set."""
        return self.told


def busy_health() -> tuple[ProviderHealthFigures, ...]:
    """One provider that works, one that is left alone, one that is paused."""
    now = datetime.now(UTC)
    opened = BreakerEvent(
        now - timedelta(minutes=2), "anthropic_main", "claude-sonnet-5-5", "open", "5 failures in a row"
    )
    half = BreakerEvent(now - timedelta(minutes=3), "anthropic_main", "claude-sonnet-5-5", "half_open")
    wave = tuple(900.0 + 300 * ((n * 7) % 5) + 12 * n for n in range(40))
    overloaded = "Anthropic (anthropic_main) is overloaded. It answered 529"
    return (
        ProviderHealthFigures(
            "openai_main", 310, 0.962, 1210.0, 3900.0, 380.0, 940.0, 62.4, 2,
            (BreakerFacts("gpt-6-luna", "closed"),), "", (), wave,
        ),
        ProviderHealthFigures(
            "anthropic_main", 120, 0.841, 1830.0, 4200.0, 610.0, 1400.0, 48.0, 0,
            (BreakerFacts("claude-sonnet-5-5", "open", 12.0),), overloaded, (opened, half), tuple(reversed(wave)),
        ),
        ProviderHealthFigures(
            "mistral", 12, 1.0, 800.0, 1500.0, 240.0, 300.0, 91.0, 0,
            (BreakerFacts("mistral-small", "closed", 31.0, "it takes no more requests for now; asked again in 31 s"),),
        ),
        ProviderHealthFigures("local", 0, None, None, None, None, breakers=(BreakerFacts("smollm2", "closed"),)),
    )  # fmt: skip
