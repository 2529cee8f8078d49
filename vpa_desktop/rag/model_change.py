"""Which model answers while another one's vectors are being made. Not the making: that is ``knowledge``.

After the setting was changed the model before goes on answering, over what it has vectors of, until the new one has
them all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.index_keeper import IndexKeeper
from vpa_desktop.storage.vectors import VectorStore

log = logging.getLogger(__name__)
Reopen = Callable[[str], Awaitable[Embedder]]
"""Makes an embedder of what the settings said once."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A model, and the index of its vectors."""

    embedder: Embedder
    keeper: IndexKeeper


class ModelChange:
    """Gives the engine to search with. ``wanted`` is that of the settings."""

    def __init__(
        self, wanted: Engine, store: VectorStore, keeper_of: Callable[[Embedder], IndexKeeper], reopen: Reopen
    ) -> None:
        self.wanted = wanted
        self._store = store
        self._keeper_of = keeper_of
        self._reopen = reopen
        self._before: Engine | None = None
        self._is_over = False
        self._lock = asyncio.Lock()

    async def engine(self) -> Engine:
        """Returns the model before while it still answers, else the wanted one, also where that before is gone."""
        if self._is_over:
            return self.wanted
        async with self._lock:
            models = await self._store.models()
            if models is None or models.answering == self.wanted.keeper.model:
                await self._end()
            elif self._before is None and not self._is_over:
                self._before = await self._engine_before(models.answering, models.choice)
            return self._before or self.wanted

    async def aclose(self) -> None:
        """Gives the model before back."""
        async with self._lock:
            if self._before is not None:
                await self._before.keeper.aclose()
                await self._before.embedder.aclose()
                self._before = None

    async def _end(self) -> None:
        self._is_over = True
        if self._before is not None:
            await self._before.keeper.discard()
            await self._before.embedder.aclose()
            self._before = None

    async def _engine_before(self, model: str, choice: str) -> Engine | None:
        try:
            embedder = await self._reopen(choice)
            if embedder.model_id == model:
                return Engine(embedder, self._keeper_of(embedder))
            await embedder.aclose()
        except KnowledgeError as gone:
            log.info("the model before cannot answer any more: %s", gone)
        self._is_over = True
        return None
