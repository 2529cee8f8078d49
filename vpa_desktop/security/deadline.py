"""Runs a call that may never come back, with a deadline. Not for work that can be waited for: that has thread pools.

A system keyring blocks as long as nobody answers its prompt, and for ever when its service hangs. Such a
call gets a daemon thread of its own, which is left behind at the deadline and at the end of the program.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class DaemonCaller:
    """Makes such calls one at a time; while one is stuck, the next are refused at once instead of piling up."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._running: threading.Thread | None = None
        self._turn = asyncio.Lock()

    async def call(self, work: Callable[[], T], timeout_s: float) -> T:
        """Returns what ``work`` returns; raises TimeoutError at the deadline or while an earlier call is stuck."""
        async with self._turn:
            if self._running is not None and self._running.is_alive():
                raise TimeoutError
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[T] = loop.create_future()
            thread = threading.Thread(target=_carry, args=(work, loop, answer), daemon=True, name=self._name)
            self._running = thread
            thread.start()
            async with asyncio.timeout(timeout_s):
                result = await answer
            # The answer is handed over in the thread's last lines.
            self._running = None
            return result


def _carry(work: Callable[[], T], loop: asyncio.AbstractEventLoop, answer: asyncio.Future[T]) -> None:
    settle: Callable[[], None]
    try:
        settle = functools.partial(answer.set_result, work())
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever awaits the answer
        settle = functools.partial(answer.set_exception, error)
    # Where the loop is gone, the program has ended without waiting for this call.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_unless_too_late, answer, settle)


def _unless_too_late(answer: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not answer.done():
        settle()
