"""AnswerCache: whole answers that may be given again, the latest in memory, all of them on disk where there is one.

It knows no provider and asks nobody: what an answer's key is, and which answers are fit to be kept, is the desk's.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from vpa_desktop.config import CacheSettings
from vpa_desktop.errors import StorageError
from vpa_desktop.messages import Citation, LLMResponse
from vpa_desktop.storage.kept_answers import USED_EVERY_S, KeptAnswer, KeptAnswerStore

IN_MEMORY: Final = 256
"""Answers at hand without a look at the disk; without a disk all of them are."""


class AnswerCache:
    """Answers by key. ``settings`` is asked each time; ``clock`` is Unix seconds, since answers outlive the process.

    A disk that fails costs the cache, never an answer: it reads as empty then.
    """

    def __init__(
        self,
        settings: Callable[[], CacheSettings],
        *,
        store: KeptAnswerStore | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._memory: OrderedDict[bytes, KeptAnswer] = OrderedDict()
        self._generation = -1
        self.hits = 0
        self.misses = 0

    @property
    def is_enabled(self) -> bool:
        """True where answers are kept at all."""
        return self._settings().enabled

    def at_hand(self, key: bytes) -> KeptAnswer | None:
        """Return an answer that is in memory, None where the disk would have to be asked."""
        found = self._memory.get(key)
        if found is None or not self._is_current():
            return None
        if self._is_old(found):
            del self._memory[key]
            return None
        self._memory.move_to_end(key)
        self.hits += 1
        return found

    async def get(self, key: bytes) -> KeptAnswer | None:
        """Return a kept answer, None where there is none or it is too old."""
        if (found := self.at_hand(key)) is not None:
            return found
        generation = self._generation
        if (kept := await self._from_disk(key)) is None:
            self.misses += 1
            return None
        if generation == self._generation:  # else it may have been deleted since it was read
            self._remember(key, kept)
        self.hits += 1
        return kept

    async def put(self, key: bytes, kept: KeptAnswer) -> None:
        """Keep an answer on disk too; ``keep_at_hand`` is the part of it that does not wait."""
        if self._store is None:
            return
        settings = self._settings()
        try:
            stays = await self._store.put(key, kept, oldest=self._clock() - settings.ttl_s, most=settings.max_entries)
        except StorageError:
            return  # a cache is a convenience; what cannot be stored of the conversation itself is said elsewhere
        if not stays:
            self._memory.pop(key, None)

    def keep_at_hand(
        self, key: bytes, response: LLMResponse, conversation_id: str | None = None, passages: Sequence[Citation] = ()
    ) -> KeptAnswer:
        """Keep an answer in memory; returns it as ``put`` takes it. The others are what it came from."""
        bare = replace(response, attempts=(), warnings=(), tool_calls=(), carry=None, first_choice="")
        documents = dict.fromkeys(passage.document_id for passage in passages if passage.document_id)
        chunks = tuple(passage.chunk_id for passage in passages if passage.document_id)
        kept = KeptAnswer(bare, self._clock(), conversation_id, tuple(documents), chunks)
        self._is_current()  # else the next look takes this one for as old as the rest, before it is on disk
        self._remember(key, kept)
        return kept

    async def used(self, key: bytes, kept: KeptAnswer) -> None:
        """Note that an answer was of use: the ones longest out of use go first."""
        now = self._clock()
        if self._store is not None and now - kept.at > USED_EVERY_S:
            with suppress(StorageError):
                await self._store.used(key, now)

    async def count(self) -> int:
        """Return how many answers may be given again."""
        oldest = self._clock() - self._settings().ttl_s
        if self._store is not None:
            return await self._store.count(oldest)
        return sum(1 for kept in self._memory.values() if kept.at >= oldest)

    async def forget(self) -> int:
        """Forget every answer; returns how many that were. Raises StorageError."""
        count = len(self._memory)
        self._memory.clear()
        return count if self._store is None else await self._store.forget()

    async def sweep(self) -> None:
        """Remove from disk what is too old to be given again."""
        if self._store is not None:
            with suppress(StorageError):  # the next answer that is kept tries again
                await self._store.forget(self._clock() - self._settings().ttl_s)

    async def _from_disk(self, key: bytes) -> KeptAnswer | None:
        if self._store is None:
            return None
        try:
            kept = await self._store.get(key)
        except StorageError:
            return None
        return None if kept is None or self._is_old(kept) else kept

    def _is_current(self) -> bool:
        """Whether nothing was deleted since memory was filled: by this process or another one."""
        if self._store is None:
            return True
        try:
            generation = self._store.generation_now()
        except StorageError:
            generation = -1
        if generation == self._generation:
            return True
        self._memory.clear()
        self._generation = generation
        return False

    def _is_old(self, kept: KeptAnswer) -> bool:
        return self._clock() - kept.at > self._settings().ttl_s

    def _remember(self, key: bytes, kept: KeptAnswer) -> None:
        self._memory[key] = kept
        self._memory.move_to_end(key)
        most = self._settings().max_entries
        while len(self._memory) > (most if self._store is None else min(most, IN_MEMORY)):
            self._memory.popitem(last=False)
