"""Calls to a file system that may never come back: made in a thread that is left behind when nothing moves any more.

A network drive that is gone holds whoever asks it, and no signal ends that. So the threads are daemons: they keep
neither the others nor the end of the program waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_S = 20.0
_Job = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class Patience:
    """Calls one function after the other in a thread. ``limit_s`` is how long one may be without a step."""

    def __init__(self, limit_s: float = PATIENCE_S) -> None:
        self.limit_s = limit_s
        self._jobs: SimpleQueue[_Job | None] | None = None

    async def call(self, work: Callable[[], T], steps: Callable[[], int] = lambda: 0) -> T:
        """Returns what ``work`` returns; ``steps`` counts what it has done, so that slow is not taken for dead.

        Raises TimeoutError when nothing moved for the limit, and what ``work`` raises.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        before = steps()
        self._queue().put((work, loop, done))
        try:
            while not (await asyncio.wait({done}, timeout=self.limit_s))[0]:
                if steps() == before:
                    raise TimeoutError
                before = steps()
            return done.result()
        finally:
            if not done.done():
                self.close()

    def close(self) -> None:
        """Ends the thread, as soon as what it does comes back."""
        jobs, self._jobs = self._jobs, None
        if jobs is not None:
            jobs.put(None)

    def _queue(self) -> SimpleQueue[_Job | None]:
        if self._jobs is None:
            self._jobs = SimpleQueue()
            threading.Thread(target=_work, args=(self._jobs,), name="file system", daemon=True).start()
        return self._jobs


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        work, loop, done = job
        value, error = None, None
        try:
            value = work()
        except BaseException as failed:  # noqa: BLE001 - handed to whoever waits
            error = failed
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_tell, done, value, error)


def _tell(done: asyncio.Future[Any], value: object, error: BaseException | None) -> None:
    if done.done():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(value)
