"""An audit entry for every request, written beside the answers: who, which model, how it ended, what it cost.

Never a word of what was asked or answered. Entries of the same moment are written in one step.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Final

from vpa_desktop.errors import StorageError
from vpa_desktop.security.audit import AuditLog, AuditNote

log = logging.getLogger(__name__)

WAITING_MAX: Final = 10_000
TOGETHER_S: Final = 0.05
"""How long an entry may wait for others: each write is a wait for the disk, and answers are booked there too."""

REFUSED_EVERY_S: Final = 60.0
"""Wrong tokens are counted and written at most this often: whoever guesses must not fill the disk."""


class Trail:
    """The writer of entries. ``audit`` None (a database that is only read) keeps nothing."""

    def __init__(self, audit: AuditLog | None) -> None:
        self._audit = audit
        self._waiting: asyncio.Queue[AuditNote] = asyncio.Queue(WAITING_MAX)
        self._writer: asyncio.Task[None] | None = None
        self._is_closing = False
        self._refused = 0
        self._refused_at = float("-inf")

    async def note(self, target: str, result: str, **facts: object) -> None:
        """Add an entry; waits only where thousands wait already."""
        if self._audit is None:
            return
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(self._audit), name="audit of serve")
        await self._waiting.put(AuditNote("serve", target, result, facts, datetime.now(UTC)))

    async def refused(self) -> None:
        """Count a wrong or missing token."""
        self._refused += 1
        if time.monotonic() - self._refused_at < REFUSED_EVERY_S:
            return
        self._refused_at = time.monotonic()
        count, self._refused = self._refused, 0
        await self.note("", "refused: invalid_api_key", count=count)

    async def aclose(self) -> None:
        """Write what waits, then stop."""
        if self._refused:
            self._refused_at = float("-inf")
            self._refused -= 1
            await self.refused()
        self._is_closing = True
        await self._waiting.join()
        self._is_closing = False
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            self._writer = None

    async def _write(self, audit: AuditLog) -> None:
        while True:
            notes = [await self._waiting.get()]
            if not self._is_closing:
                await asyncio.sleep(TOGETHER_S)
            while not self._waiting.empty():
                notes.append(self._waiting.get_nowait())
            try:
                await audit.append_all(notes)
            except StorageError as exc:
                log.warning("%d entries of the audit could not be written: %s", len(notes), exc)
            finally:
                for _ in notes:
                    self._waiting.task_done()
