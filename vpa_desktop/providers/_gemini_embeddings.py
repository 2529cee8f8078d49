"""Vectors at Google: a batch of texts in one request, each told what it is for.

Models before gemini-embedding-2 have a field for that; from there on it stands in words before the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from vpa_desktop.embedding import EmbeddingRequest, Purpose
from vpa_desktop.providers._embeddings import Read, vector_of
from vpa_desktop.providers._values import count, dict_of, dicts_of

TASKS: Final[Mapping[Purpose, str]] = {"passage": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY"}
PREFIXES: Final[Mapping[Purpose, str]] = {"passage": "title: none | text: ", "query": "task: search result | query: "}
_HAS_TASKS: Final = re.compile(r"(?:models/)?(?:gemini-embedding-(?:001|exp.*)|text-embedding-.*)")


def batch_body(request: EmbeddingRequest) -> dict[str, Any]:
    """The request: one entry a text, each with the model and the task again."""
    name = request.model if "/" in request.model else f"models/{request.model}"
    has_tasks = _HAS_TASKS.fullmatch(request.model) is not None
    prefix = "" if has_tasks else PREFIXES[request.purpose]
    more: dict[str, Any] = {"taskType": TASKS[request.purpose]} if has_tasks else {}
    if request.dimensions:
        more["outputDimensionality"] = request.dimensions
    return {
        "requests": [{"model": name, "content": {"parts": [{"text": prefix + text}]}, **more} for text in request.texts]
    }


def read_batch(payload: Mapping[str, Any]) -> Read:
    """The answer; older models do not count the tokens."""
    usage = dict_of(payload.get("usageMetadata"))
    vectors = [vector_of(entry.get("values")) for entry in dicts_of(payload.get("embeddings"))]
    return Read(vectors, "", count(usage.get("promptTokenCount")) or None)
