"""What stands in the embedder's place while that cannot be had: words alone find and are found, and the reason is said.

Not a model: it keeps the place of the one whose vectors are there, so that none of them is lost meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vpa_desktop.config import resource_path
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.embedder import RemoteEmbedder
from vpa_desktop.storage.vectors import VectorStore

if TYPE_CHECKING:
    from vpa_desktop.rag.embedder import Vectors

TRY_AGAIN_S: Final = 30.0
"""How long the embedder itself is not tried again."""

_USUAL_DIMENSIONS: Final = 384


class StandIn(RemoteEmbedder):
    """Implements Embedder, and gives no vector. Made by :meth:`for_the_one_before`."""

    is_latin_only = False
    max_tokens = 256
    sends_to = ""
    batch = 1

    def __init__(self, why: KnowledgeError, model_id: str, choice: str, dim: int) -> None:
        self.name = choice or "the embedding model"
        self.model_id = model_id
        self.choice = choice
        self.dim = dim
        self.tokenizer_file: Path = resource_path("models", "tokenizer.json")
        self._why = why

    @classmethod
    async def for_the_one_before(cls, vectors: VectorStore, why: KnowledgeError) -> StandIn:
        """Return one in the place of the model whose vectors are wanted, as the database knows it."""
        models = await vectors.models()
        if models is None:
            return cls(why, "none", "", _USUAL_DIMENSIONS)
        dim = await vectors.dimensions(models.wanted)
        return cls(why, models.wanted, models.wanted_choice, dim or _USUAL_DIMENSIONS)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Raises KnowledgeError with the reason."""
        raise self.reason()

    async def embed_query(self, text: str) -> Vectors:
        """Raises KnowledgeError with the reason."""
        raise self.reason()

    async def aclose(self) -> None:
        """Has nothing to give back."""

    def reason(self) -> KnowledgeError:
        """Why there is no model, as an error of its own."""
        return KnowledgeError(self._why.what, self._why.why, self._why.next_step)
