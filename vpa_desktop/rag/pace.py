"""When work on documents may go on: not while it is paused, a question is being answered, or the battery runs low.

It asks between two files and between two batches of passages, so what is under way is finished first.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from vpa_desktop.records import HeldBy

LOWEST_PERCENT = 30
LOOK_EVERY_S = 30.0
LONGEST_QUESTION_S = 60.0
"""A question that takes longer holds nothing up any more: a provider may be silent for minutes."""


def is_battery_low() -> bool:
    """True where the computer runs on a battery that is low; False where it has none or does not say."""
    import psutil

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return battery is not None and battery.power_plugged is False and battery.percent < LOWEST_PERCENT


class Pace:
    """One for all work on documents. Questions never wait; the work does."""

    def __init__(
        self,
        *,
        mind_battery: Callable[[], bool] = lambda: True,
        battery_low: Callable[[], bool] = is_battery_low,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mind_battery = mind_battery
        self._battery_low = battery_low
        self._clock = clock
        self._paused = False
        self._questions: dict[int, float] = {}
        self._numbers = 0
        self._looked_at = float("-inf")
        self._was_low = False
        self._changed = asyncio.Event()

    @property
    def is_paused(self) -> bool:
        """True between ``pause`` and ``go_on``."""
        return self._paused

    def pause(self) -> None:
        """Holds all work until ``go_on``."""
        self._paused = True
        self._changed.set()

    def go_on(self) -> None:
        """Lets the work go on."""
        self._paused = False
        self._changed.set()

    @contextlib.contextmanager
    def question(self) -> Iterator[None]:
        """Holds the work while a question is being answered."""
        number = self._numbers = self._numbers + 1
        self._questions[number] = self._clock()
        try:
            yield
        finally:
            del self._questions[number]
            self._changed.set()

    def held(self, *, background: bool) -> HeldBy:
        """Returns what the work has to wait for now. ``background`` is work that nobody asked for at this moment."""
        if self._paused:
            return "paused"
        if any(self._clock() - since < LONGEST_QUESTION_S for since in self._questions.values()):
            return "question"
        return "battery" if background and self._mind_battery() and self._low() else ""

    async def turn(self, *, background: bool) -> None:
        """Waits until the work may go on."""
        while self.held(background=background):
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(LOOK_EVERY_S, LONGEST_QUESTION_S))

    def _low(self) -> bool:
        if self._clock() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = self._clock()
            self._was_low = self._battery_low()
        return self._was_low
