"""A second provider asked beside one whose first word is late; whoever speaks first gives the answer.

Only for a small share of all requests (``HedgeBudget``), as Dean and Barroso's "The Tail at Scale" (2013) has it.
The one that was slower is cut off at once, and what it cost is booked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from vpa_desktop.gateway.health import ProviderHealth
from vpa_desktop.gateway.lane import Lane, LaneEvent
from vpa_desktop.messages import RouteStarted

SAVED_UP: Final = 20.0
"""So many second requests may come in a row after a long calm: as many as a batch may have under way at once."""

ENOUGH: Final = 10
"""First words to have seen before their usual time means something."""

UNKNOWN_S: Final = 3.0
SOONEST_S: Final = 0.2
LATE: Final = 0.95
"""The share of first words that came sooner than what counts as late."""

TIMES_USUAL: Final = 4.0
"""So many times the usual wait is late too: where every twentieth word is, the share alone would wait for those."""


class HedgeBudget:
    """Counts how many second requests are paid for by the first ones."""

    def __init__(self) -> None:
        self._saved = 1.0

    def earn(self, share: float) -> None:
        """A request went out."""
        self._saved = min(SAVED_UP, self._saved + share)

    def spend(self) -> bool:
        """Take one second request out; False where none is left."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


def late_after_s(health: ProviderHealth) -> float:
    """Return after how many seconds a provider's first word is late."""
    seen = sorted(health.first_tokens_ms)
    if len(seen) < ENOUGH:
        return UNKNOWN_S
    late_ms = seen[min(len(seen) - 1, int(LATE * len(seen)))]
    return max(SOONEST_S, min(late_ms, TIMES_USUAL * seen[len(seen) // 2]) / 1000)


class _Runner:
    """A lane that runs in a task of its own: one of its waits may end before the other's."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.queue: asyncio.Queue[LaneEvent | None] = asyncio.Queue(maxsize=64)
        self.task = asyncio.create_task(self._pump(), name=f"ask {lane.stop.provider_id}")

    async def _pump(self) -> None:
        async with aclosing(self.lane.events()) as events:
            async for event in events:
                await self.queue.put(event)
        await self.queue.put(None)

    async def stop(self) -> None:
        """Cut it off; what it cost is booked."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def cut_off(self) -> None:
        """The same for one that was slower than another."""
        if not self.task.done():
            await self.stop()
            self.lane.was_slower()


async def race(
    first: Lane, second: Callable[[], Awaitable[Lane | None]], after_s: float
) -> AsyncGenerator[tuple[Lane, LaneEvent], None]:
    """Yield the events of the lane that speaks first, with the lane; ``second`` makes the other one, or says no."""
    runners = [_Runner(first)]
    closing: list[asyncio.Task[None]] = []
    try:
        winner = await _begun(runners, second, after_s)
        if winner is None:
            return
        chosen, opening = winner
        closing = [asyncio.create_task(r.cut_off()) for r in runners if r is not chosen]
        yield chosen.lane, RouteStarted(chosen.lane.stop.provider_id, chosen.lane.run.model)
        event: LaneEvent | None = opening
        while event is not None:
            yield chosen.lane, event
            event = await _next(chosen)
    finally:
        for runner in runners:
            runner.task.cancel()  # at once, should the wait for their ends be cancelled too
        await asyncio.gather(*closing, *(runner.stop() for runner in runners))


async def _begun(
    runners: list[_Runner], second: Callable[[], Awaitable[Lane | None]], after_s: float
) -> tuple[_Runner, LaneEvent] | None:
    """Wait for the first word of any; None where all have ended without one."""
    waits = {asyncio.create_task(_first_word(runners[0])): runners[0]}
    timeout: float | None = after_s
    try:
        while waits:
            done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not done and timeout is not None:
                timeout = None
                if (lane := await second()) is not None:
                    runners.append(_Runner(lane))
                    waits[asyncio.create_task(_first_word(runners[-1]))] = runners[-1]
            for wait in done:
                runner = waits.pop(wait)
                if (event := wait.result()) is not None:
                    return runner, event
        return None
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _first_word(runner: _Runner) -> LaneEvent | None:
    while isinstance(event := await _next(runner), RouteStarted):
        pass
    return event


async def _next(runner: _Runner) -> LaneEvent | None:
    """The next event; None at the end. What the lane itself could not take is raised here."""
    got = asyncio.ensure_future(runner.queue.get())
    try:
        await asyncio.wait({got, runner.task}, return_when=asyncio.FIRST_COMPLETED)
        if got.done() or not runner.queue.empty():
            return await got
    finally:
        got.cancel()
    await runner.task
    return None
