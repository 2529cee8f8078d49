"""Work that is finished even where whoever waits for it was cancelled. Not for work that may take long.

A thread cannot be cancelled: who lets go of a lock while one still works under it lets others in on a half-made change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Unbroken:
    """Runs pieces of work, each in a task of its own that nobody cancels."""

    def __init__(self) -> None:
        self._works: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns what ``work`` returns, or raises what it raises; cancelled, it leaves the work to go on by itself."""
        return await asyncio.shield(self.begin(work))

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Lets a piece of work go on by itself."""
        task = asyncio.create_task(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)
        return task

    async def ended(self) -> None:
        """Waits until nothing is under way any more."""
        while self._works:
            await asyncio.wait(self._works)
