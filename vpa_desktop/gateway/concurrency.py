"""How many requests a provider gets at once, learned from what it says, and a fair line for those that must wait.

Additive increase, multiplicative decrease (Chiu and Jain 1989): an overload takes three tenths of the places away,
every full round of answers gives one back. It begins at the person's ceiling. Sends nothing, knows nothing of health.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from vpa_desktop.errors import ErrorClass
from vpa_desktop.messages import Priority

DECREASE: Final = 0.7
CALM_S: Final = 1.0
"""One overload at a time: those that were under way when the places were cut say nothing new."""

CONGESTED: Final[frozenset[ErrorClass]] = frozenset({"rate_limit", "overloaded", "timeout"})
LONGEST_LINE: Final = 2_000
CHATS_FIRST: Final = 8
"""Of so many places that come free while both wait, one goes to the background: it is slow, and never starved."""

KEPT_FOR_CHATS: Final = 4
"""One place in so many is never given to the background, so that a chat does not wait for its long answers."""

Waiting = OrderedDict[str, deque[asyncio.Future[None]]]


class Line:
    """The places at one provider. ``clock`` returns monotonic seconds."""

    def __init__(self, ceiling: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = float(ceiling)
        self.in_flight = 0
        self._ceiling = ceiling
        self._clock = clock
        self._background = 0
        self._cut_at = float("-inf")
        self._given = 0
        self._waiting: dict[Priority, Waiting] = {"chat": OrderedDict(), "background": OrderedDict()}

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return sum(len(flow) for flows in self._waiting.values() for flow in flows.values())

    def set_ceiling(self, ceiling: int) -> None:
        """Take over another ceiling; what was learned below it stays."""
        if ceiling != self._ceiling:
            self.limit = float(ceiling) if self.limit >= self._ceiling else min(self.limit, float(ceiling))
            self._ceiling = ceiling
            self._wake()

    def enter_now(self, priority: Priority) -> bool:
        """Take a place if one is free and nobody of the same kind waits for it."""
        is_full = self.in_flight + 1 > self.limit
        if is_full or self._waiting[priority] or (priority == "background" and not self._has_room(priority)):
            return False
        self.in_flight += 1
        if priority == "background":
            self._background += 1
        return True

    async def enter(self, priority: Priority, flow: str, patience_s: float | None) -> bool:
        """Stand in line for a place; False where patience ends first, or the line is too long.

        Within a priority the flows (conversations, say) take turns, each in its own order.
        """
        if self.enter_now(priority):
            return True
        if self.waiting >= LONGEST_LINE:
            return False
        place = asyncio.get_running_loop().create_future()
        self._waiting[priority].setdefault(flow, deque()).append(place)
        try:
            async with asyncio.timeout(patience_s):
                await place
        except TimeoutError:
            return self._gave_up(place, priority, flow, keep=True)
        except asyncio.CancelledError:
            self._gave_up(place, priority, flow, keep=False)
            raise
        return True

    def leave(self, priority: Priority, error_class: ErrorClass | None = None, *, answered: bool = False) -> None:
        """Give the place back, and say how it went where something was sent."""
        if error_class is not None and error_class in CONGESTED:
            self._cut()
        elif answered and self.limit < self._ceiling and self.in_flight + 1 > self.limit * DECREASE:
            self.limit = min(float(self._ceiling), self.limit + 1 / self.limit)
        self.in_flight -= 1
        if priority == "background":
            self._background -= 1
        if self._waiting["chat"] or self._waiting["background"]:
            self._wake()

    def _cut(self) -> None:
        now = self._clock()
        if now - self._cut_at >= CALM_S:
            self._cut_at = now
            self.limit = max(1.0, min(self.limit, float(self.in_flight)) * DECREASE)

    def _has_room(self, priority: Priority) -> bool:
        places = int(self.limit)
        if self.in_flight >= places:
            return False
        return priority == "chat" or self._background < max(1, places - max(1, places // KEPT_FOR_CHATS))

    def _wake(self) -> None:
        while (priority := self._next()) is not None:
            flows = self._waiting[priority]
            flow, line = flows.popitem(last=False)
            place = line.popleft()
            if line:
                flows[flow] = line  # to the end: the other flows come first
            if not place.done():
                self.in_flight += 1
                self._background += priority == "background"
                self._given += 1
                place.set_result(None)

    def _next(self) -> Priority | None:
        order: tuple[Priority, Priority] = ("chat", "background")
        if self._given % CHATS_FIRST == CHATS_FIRST - 1:
            order = ("background", "chat")
        return next((p for p in order if self._waiting[p] and self._has_room(p)), None)

    def _gave_up(self, place: asyncio.Future[None], priority: Priority, flow: str, *, keep: bool) -> bool:
        """Leave the line; a place that was given in the same moment is kept, or goes to the next one."""
        if place.done() and not place.cancelled():
            if not keep:
                self.leave(priority)
            return keep
        line = self._waiting[priority].get(flow)
        if line is not None and place in line:
            line.remove(place)
            if not line:
                del self._waiting[priority][flow]
        return False
