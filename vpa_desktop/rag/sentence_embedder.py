"""A model of the person's choice through sentence-transformers, behind the Embedder protocol, in its own process.

Not the default: it needs torch, which is more than a gigabyte. The parent imports none of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpa_desktop.config import resource_path
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.embedder import Embedder, FolderEmbedder, OnnxEmbedder, embed_with
from vpa_desktop.rag.model_folder import prompts_mark, prompts_of
from vpa_desktop.rag.worker import Worker, WorkerDied

if TYPE_CHECKING:
    from vpa_desktop.rag.embedder import Vectors

_LOAD_S = 600.0


class SentenceTransformersEmbedder:
    """A folder with a model, or its name on the hub. Made by :meth:`load`, since its size is only known then."""

    is_latin_only = False

    def __init__(self, model: str, worker: Worker, facts: dict[str, Any]) -> None:
        self._worker = worker
        self.name = self.choice = model
        self.dim = int(facts["dim"])
        self.max_tokens = int(facts["max_tokens"])
        own = Path(facts["tokenizer"]) if facts["tokenizer"] else None
        self.tokenizer_file = own or resource_path("models", "tokenizer.json")
        self._prompts = prompts_of(model, facts["prompts"])
        self.model_id = f"st:{Path(model).name}:{facts['fingerprint']}{prompts_mark(self._prompts)}"

    @classmethod
    async def load(cls, model: str) -> SentenceTransformersEmbedder:
        """Starts the process and loads the model there.

        Raises KnowledgeError when sentence-transformers is not installed or the model cannot be loaded.
        """
        worker = Worker("sentence-transformers", [model], idle_s=300.0)
        try:
            reply = await asyncio.to_thread(worker.request, b'{"facts": true}', _LOAD_S)
        except WorkerDied as died:
            await asyncio.to_thread(worker.close)
            raise KnowledgeError(
                f"The embedding model {model} could not be loaded",
                f"sentence-transformers says: {died}",
                'Check its name or folder, or set rag.embedding_model to "default"',
            ) from died
        except KnowledgeError:
            await asyncio.to_thread(worker.close)
            raise
        return cls(model, worker, json.loads(reply))

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Returns one row a text."""
        return await embed_with([self._worker], [self._prompts.passage + text for text in texts], self.dim)

    async def embed_query(self, text: str) -> Vectors:
        """Returns the vector of a question, with the prompt the model has for questions, if any."""
        vectors = await embed_with([self._worker], [self._prompts.query + text], self.dim)
        row: Vectors = vectors[0]
        return row

    async def aclose(self) -> None:
        """Ends the process."""
        await asyncio.to_thread(self._worker.close)


async def open_embedder(choice: str) -> Embedder:
    """Returns the embedder that the setting rag.embedding_model names: "default", a folder, or a name on the hub.

    A folder with an ONNX file needs nothing more; for the others sentence-transformers and torch must be installed.
    Raises KnowledgeError as :meth:`SentenceTransformersEmbedder.load` does.
    """
    if choice in ("", "default"):
        return OnnxEmbedder()
    if (own := await FolderEmbedder.load(choice)) is not None:
        return own
    return await SentenceTransformersEmbedder.load(choice)
