"""An embedder without a model, for tests in which what a vector says does not matter."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vpa_desktop.config import resource_path
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.folders import Disk
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.pace import Pace
from vpa_desktop.rag.patience import Patience
from vpa_desktop.storage.database import Database

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class HashEmbedder(Embedder):
    """Gives each text a direction of its own. ``embedded`` are the texts it was asked for."""

    name = "hashes"
    model_id = "hashes:1"
    choice = "hashes"
    dim = 16
    max_tokens = 256
    is_latin_only = False
    tokenizer_file = resource_path("models") / "tokenizer.json"

    def __init__(self) -> None:
        self.embedded: list[str] = []

    async def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns one row a text."""
        import numpy as np

        self.embedded += texts
        return np.stack([self._vector(text) for text in texts])

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """Returns the vector of a question."""
        return self._vector(text)

    async def aclose(self) -> None:
        """Has nothing to give back."""

    def _vector(self, text: str) -> NDArray[np.float32]:
        import numpy as np

        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        row = np.random.default_rng(seed).standard_normal(self.dim)
        vector: NDArray[np.float32] = (row / np.linalg.norm(row)).astype(np.float32)
        return vector


@asynccontextmanager
async def open_library(
    home: Path,
    embedder: Embedder | None = None,
    *,
    pace: Pace | None = None,
    disk: Disk | None = None,
    patience: Patience | None = None,
) -> AsyncIterator[KnowledgeBase]:
    """Opens a knowledge base under a folder, with an embedder that costs nothing, and closes all of it."""
    database = await Database.open(home / "vpa.db", backups=home / "backups")
    knowledge = KnowledgeBase(
        database, home / "index", embedder=embedder or HashEmbedder(), pace=pace, disk=disk, patience=patience
    )
    try:
        yield knowledge
    finally:
        await knowledge.aclose()
        await database.aclose()
