"""Single flight: those who ask the same at the same time share one answer, as it comes. Knows nothing of answers.

The stream runs in a task of its own: whoever asked first may go, and it goes on as long as somebody still reads. It
never runs ahead of its fastest reader: where the last one leaves between two events it is closed there, in good order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from typing import Generic, TypeVar

from vpa_desktop.errors import VPAError

E = TypeVar("E")


class Flight(Generic[E]):
    """One stream and its readers: each gets every event from the first on, and the error that ended it."""

    def __init__(self, stream: AsyncGenerator[E, None], is_last: Callable[[E], bool]) -> None:
        self._events: list[E] = []
        self._is_last = is_last
        self._has_landed = False
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._readers = 0
        self.is_left = False
        self.task = asyncio.get_running_loop().create_task(self._fly(stream), name="answer")
        self.task.add_done_callback(lambda _: self._tell())

    async def _fly(self, stream: AsyncGenerator[E, None]) -> None:
        async with aclosing(stream) as events:
            async for event in events:
                self._events.append(event)
                self._has_landed = self._has_landed or self._is_last(event)
                self._wanted.clear()
                self._tell()
                if not self._has_landed:  # what is left to do after the end needs no reader
                    await self._wanted.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news.clear()

    @property
    def is_open(self) -> bool:
        """True where another reader may still come along."""
        return not (self.is_left or self._has_landed or self.task.done())

    async def read(self) -> AsyncGenerator[E, None]:
        """Yield the stream's events; the last reader that leaves before its end ends it."""
        self._readers += 1
        at = 0
        try:
            while True:
                while at < len(self._events):
                    yield self._events[at]
                    at += 1
                if self._has_landed:
                    return
                if self.task.done():
                    self._raise()
                    return
                self._wanted.set()
                await self._news.wait()
        finally:
            self._readers -= 1
            if not self._readers and not self._has_landed:
                self.is_left = True
                self.task.cancel()
                await asyncio.gather(self.task, return_exceptions=True)

    def _raise(self) -> None:
        error = None if self.task.cancelled() else self.task.exception()
        if isinstance(error, VPAError):
            raise error.with_traceback(None)  # each reader has a path of its own: they would add up in one error
        if error is not None:
            raise error


class Flights(Generic[E]):
    """The streams under way, by what was asked."""

    def __init__(self, is_last: Callable[[E], bool]) -> None:
        self._is_last = is_last
        self._open: dict[Hashable, Flight[E]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, key: Hashable, start: Callable[[], AsyncGenerator[E, None]]) -> tuple[Flight[E], bool]:
        """Return the stream for this key, and True where it was started for this reader."""
        flight = self._open.get(key)
        if flight is not None and flight.is_open:
            return flight, False
        flight = Flight(start(), self._is_last)
        self._open[key] = flight
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda task: self._ended(key, task))
        return flight, True

    def _ended(self, key: Hashable, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if (flight := self._open.get(key)) is not None and flight.task is task:
            del self._open[key]

    async def aclose(self) -> None:
        """Let those that are read to their end finish what they do after it, and end the others."""
        for flight in list(self._open.values()):
            if flight.is_open:
                flight.task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
