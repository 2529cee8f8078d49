"""Goes on making vectors after something stopped it: a limit, a provider that does not answer, a kill, another model.

The work stands in the database; this only decides when it is tried again, and says why it stands still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Final

from vpa_desktop.errors import KnowledgeError, StorageError, VPAError

FIRST_WAIT_S: Final = 30.0
LONGEST_WAIT_S: Final = 900.0
NOTICE: Final = "documents"


class EmbeddingKeeper:
    """``resume`` makes what is wanting and returns how much that was; ``notices`` are what the status line says."""

    def __init__(
        self,
        resume: Callable[[], Awaitable[int]],
        notices: MutableMapping[str, str],
        *,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self._resume = resume
        self._notices = notices
        self._first_wait_s = first_wait_s
        self._stirred = asyncio.Event()
        self._is_due = False
        self._has_stopped = False

    def wake(self) -> None:
        """Try at once: the settings, a limit or a key may have changed."""
        self._is_due = True
        self._stirred.set()

    def stopped(self, why: VPAError) -> None:
        """Take note that somebody else's work on vectors ended before its end: it is tried again in a while."""
        self._note(why)
        self._stirred.set()

    async def once(self) -> bool:
        """Make what is wanting; False where something stopped it, which a notice says."""
        try:
            await self._resume()
        except (KnowledgeError, StorageError) as exc:
            self._note(exc)
            return False
        self._has_stopped = False
        self._notices.pop(NOTICE, None)
        return True

    async def run(self) -> None:
        """Try again until cancelled: soon after a failure, then ever more seldom; at once when woken."""
        wait_s = self._first_wait_s
        while True:
            try:
                await asyncio.wait_for(self._stirred.wait(), wait_s if self._has_stopped else None)
                self._stirred.clear()
                if not self._is_due:
                    continue
                self._is_due, wait_s = False, self._first_wait_s
            except TimeoutError:
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            if await self.once():
                wait_s = self._first_wait_s

    def _note(self, why: VPAError) -> None:
        self._has_stopped = True
        self._notices[NOTICE] = f"Some documents can only be searched by their words. {why}"
