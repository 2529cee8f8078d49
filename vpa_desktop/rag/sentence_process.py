"""The child that holds a sentence-transformers model: the only place that imports it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.worker import Handler


def make_handler(arguments: Sequence[str]) -> Handler:
    """Returns the handler; the model is loaded at the first request, so that a refusal reaches the parent."""
    name = arguments[0]
    loaded: list[Any] = []

    def handle(payload: bytes) -> bytes:
        if not loaded:
            loaded.append(_load(name))
        request = json.loads(payload)
        if isinstance(request, dict):
            return json.dumps(_facts(loaded[0])).encode()
        vectors = loaded[0].encode(request, batch_size=2, normalize_embeddings=True, show_progress_bar=False)
        return bytes(vectors.astype("float32").tobytes())

    return handle


def _load(name: str) -> Any:
    if importlib.util.find_spec("sentence_transformers") is None:
        raise KnowledgeError(
            f"The embedding model {name} cannot be used",
            "sentence-transformers and torch are not installed",
            'Run pip install "vpa-desktop[models]", or set rag.embedding_model to "default"',
        )
    if os.environ.get("VPA_OFFLINE", "") not in ("", "0"):
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when the library is imported
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(name)


def _facts(model: Any) -> dict[str, Any]:
    digest = hashlib.sha256()
    for key, weights in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(weights.detach().cpu().float().numpy().tobytes()[:4096])
    vocabulary = Path(getattr(model.tokenizer, "name_or_path", "")) / "tokenizer.json"
    return {
        "dim": model.get_sentence_embedding_dimension(),
        "max_tokens": model.max_seq_length or 256,
        "fingerprint": digest.hexdigest()[:16],
        "prompts": dict(model.prompts),
        "tokenizer": str(vocabulary) if vocabulary.is_file() else "",
    }
