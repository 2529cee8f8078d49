"""The fire drill as the window and the command line start it: with the person's own chain. It tells no step itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from vpa_desktop.assistant.provider_setup import ProviderSetup
from vpa_desktop.config import Settings
from vpa_desktop.drills import DrillEvent, DrillFault, DrillPlace

if TYPE_CHECKING:
    from vpa_desktop.assistant.drill import Chain


class DrillDesk:
    """Drills of one system. ``ready`` waits until keys are read: a provider without one is named."""

    def __init__(
        self,
        setup: ProviderSetup,
        settings: Callable[[], Settings],
        ready: Callable[[], Awaitable[None]],
        is_registered: Callable[[str], object],
    ) -> None:
        self._setup = setup
        self._settings = settings
        self._ready = ready
        self._is_registered = is_registered

    async def chain(self) -> tuple[DrillPlace, ...]:
        """Return whom a drill asks, in order."""
        chain = await self._chain()
        return tuple(
            DrillPlace(
                c.provider_id, str(c.model) or "stand-in", is_local=c.is_local, is_added=c.provider_id in chain.added
            )
            for c in chain.configs
        )

    async def run(
        self, fault: DrillFault, provider_id: str = "", pause_s: float = 0.0
    ) -> AsyncGenerator[DrillEvent, None]:
        """Yield what happens where a provider (the first of the chain) commits a fault, then the report.

        Nothing is spent and no key is used; ``pause_s`` passes after each step. Raises UsageError.
        """
        from vpa_desktop.assistant.drill import run_drill

        chain, routing = await self._chain(), self._settings().routing
        async with aclosing(run_drill(chain, routing, fault, provider_id, pause_s=pause_s)) as events:
            async for event in events:
                yield event

    async def _chain(self) -> Chain:
        from vpa_desktop.assistant.drill import Chain

        await self._ready()
        configs = self._setup.configs()
        chain = [configs[i] for i in self._setup.order()]
        return Chain.of(chain, [c.provider_id for c in chain if not self._is_registered(c.provider_id)])
