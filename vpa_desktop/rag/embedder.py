"""Text to vectors: the Embedder protocol and the default model on ONNX Runtime, in processes of its own.

The window's process never loads a model. One child answers questions; up to two more embed passages and are given
back when nothing was asked of them for a while. sentence-transformers stands behind the same protocol in
``sentence_embedder``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vpa_desktop.config import resource_path
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.model_folder import OnnxModel, fingerprint, onnx_model
from vpa_desktop.rag.worker import Worker, WorkerDied

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_TEXTS_PER_REQUEST = 16
_START_AND_EMBED_S = 120.0
_QUERY_S = 30.0
_BULK_PROCESSES = 2


class Embedder(Protocol):
    """What turns text into vectors of length one. ``model_id`` changes whenever the vectors would.

    To be had from a server too: nothing is asked of it but these, and each may be waited for. What it cannot do it says
    with KnowledgeError, and keywords answer alone.
    """

    @property
    def name(self) -> str: ...
    @property
    def model_id(self) -> str: ...
    @property
    def choice(self) -> str:
        """What the setting rag.embedding_model says to get it."""
        ...

    @property
    def dim(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def tokenizer_file(self) -> Path: ...
    @property
    def is_latin_only(self) -> bool:
        """True where the model was trained on text in Latin letters only, so that others are left to keywords."""
        ...

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Returns one row a text. Raises KnowledgeError when the model cannot be had."""
        ...

    async def embed_query(self, text: str) -> Vectors:
        """Returns the vector of a question. Raises KnowledgeError when the model cannot be had."""
        ...

    async def aclose(self) -> None: ...


class RemoteEmbedder(ABC):
    """Beside Embedder, what an embedder says whose texts may leave this computer, or that is paid for by the request.

    One without this base works here and costs nothing.
    """

    @property
    @abstractmethod
    def sends_to(self) -> str:
        """The host that gets the texts; empty where they stay on this computer."""

    @property
    @abstractmethod
    def batch(self) -> int:
        """How many passages are worth one request: so many vectors are stored at a time."""


def leaves_for(embedder: Embedder) -> str:
    """Returns the host that gets the texts; empty where they stay on this computer."""
    return embedder.sends_to if isinstance(embedder, RemoteEmbedder) else ""


class OnnxEmbedder:
    """all-MiniLM-L6-v2 in eight bits, as it comes with the program."""

    name = "all-MiniLM-L6-v2 (comes with the program)"
    choice = "default"
    dim = 384
    max_tokens = 256
    is_latin_only = True

    def __init__(self, folder: Path | None = None, *, processes: int = 0) -> None:
        self._folder = folder or resource_path("models")
        file, tokenizer = self._folder / "all-MiniLM-L6-v2-int8.onnx", self._folder / "tokenizer.json"
        self._run_with(OnnxModel(file, tokenizer, self.dim, self.max_tokens), processes)
        self._model_id = ""

    def _run_with(self, model: OnnxModel, processes: int) -> None:
        self._model = model.file
        self._prompts = model.prompts
        self.tokenizer_file = model.tokenizer
        arguments = [str(model.file), str(model.tokenizer), str(model.max_tokens), model.pooling]
        count = processes or min(_BULK_PROCESSES, os.cpu_count() or 1)
        self._query = Worker("embedder", [*arguments, "question"], idle_s=600.0)
        self._bulk = [Worker("embedder", [*arguments, "bulk"], idle_s=20.0) for _ in range(count)]

    @property
    def model_id(self) -> str:
        """The file's name and the start of its checksum."""
        if not self._model_id:
            self._model_id = f"{self._model.stem}:{self._checksum()[:16]}"
        return self._model_id

    def _checksum(self) -> str:
        try:
            sums = (self._folder / "SHA256SUMS").read_text("ascii")
            for line in sums.splitlines():
                digest, _, name = line.partition("  ")
                if name == self._model.name:
                    return digest
            return hashlib.sha256(self._model.read_bytes()).hexdigest()
        except OSError as exc:
            raise KnowledgeError(
                "The embedding model is missing", f"There is no {self._model.name}", "Install the program again"
            ) from exc

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Returns one row a text; the texts are shared out by length among the processes."""
        prompt = self._prompts.passage
        return await embed_with(self._bulk, [prompt + text for text in texts] if prompt else texts, self.dim)

    async def embed_query(self, text: str) -> Vectors:
        """Returns the vector of a question."""
        vectors = await asyncio.to_thread(_ask, self._query, [self._prompts.query + text], self.dim, _QUERY_S)
        row: Vectors = vectors[0]
        return row

    async def aclose(self) -> None:
        """Ends the processes."""
        for worker in (self._query, *self._bulk):
            await asyncio.to_thread(worker.close)


class FolderEmbedder(OnnxEmbedder):
    """A model of the person's choice with an ONNX file in its folder: it needs no torch. Made by :meth:`load`."""

    is_latin_only = False

    def __init__(self, choice: str, model: OnnxModel, digest: str) -> None:
        self.name = self.choice = choice
        self.dim, self.max_tokens = model.dim, model.max_tokens
        self._run_with(model, 0)
        self._model_id = f"onnx:{Path(choice).name}:{digest}"

    @classmethod
    async def load(cls, choice: str) -> FolderEmbedder | None:
        """Return the embedder for a folder; None where there is none, or none that ONNX Runtime can run here.

        Raises KnowledgeError when the model cannot be read; one that does not run says so at the first text.
        """
        model = await asyncio.to_thread(onnx_model, choice)
        if model is None:
            return None
        try:
            digest = await asyncio.to_thread(fingerprint, model)
        except OSError as exc:
            raise KnowledgeError(
                f"The embedding model in {choice} cannot be read",
                str(exc.strerror or exc),
                "Look at the folder's rights",
            ) from exc
        return cls(choice, model, digest)


async def embed_with(workers: Sequence[Worker], texts: Sequence[str], dim: int) -> Vectors:
    """Embeds with several processes at once, longest texts first so that all of them end together."""
    import numpy as np

    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    slices = [order[i : i + _TEXTS_PER_REQUEST] for i in range(0, len(order), _TEXTS_PER_REQUEST)]
    result = np.zeros((len(texts), dim), dtype=np.float32)

    def work(worker: Worker) -> None:
        while slices:
            try:
                rows = slices.pop(0)
            except IndexError:
                return
            result[rows] = _ask(worker, [texts[i] for i in rows], dim, _START_AND_EMBED_S)

    await asyncio.gather(*(asyncio.to_thread(work, worker) for worker in workers[: max(1, len(slices))]))
    return result


def _ask(worker: Worker, texts: Sequence[str], dim: int, timeout_s: float) -> Vectors:
    worker.start()  # it loads its libraries while this process loads its own
    import numpy as np

    payload = json.dumps(list(texts)).encode()
    try:
        reply = worker.request(payload, timeout_s)
    except WorkerDied as died:
        raise KnowledgeError(
            "The embedding model stopped", f"Its process ended: {died}", "Try again; keyword search still works"
        ) from died
    return np.frombuffer(reply, dtype=np.float32).reshape(len(texts), dim)
