"""The embedder that comes along, and the one behind the same protocol."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vpa_desktop.config import resource_path
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.sentence_embedder import SentenceTransformersEmbedder, open_embedder

np = pytest.importorskip("numpy")

# Read before the tests: each of them has an environment without our own variables.
MINILM = os.environ.get("VPA_TEST_MINILM", "")


@pytest.fixture
async def embedder() -> AsyncIterator[OnnxEmbedder]:
    made = OnnxEmbedder()
    yield made
    await made.aclose()


def test_the_shipped_files_are_the_ones_named() -> None:
    for line in resource_path("models", "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256(resource_path("models", name).read_bytes()).hexdigest() == digest


async def test_a_model_is_known_by_its_file_and_gives_the_vectors_it_is_known_for(embedder: OnnxEmbedder) -> None:
    digest = hashlib.sha256(resource_path("models", "all-MiniLM-L6-v2-int8.onnx").read_bytes()).hexdigest()
    assert embedder.model_id == f"all-MiniLM-L6-v2-int8:{digest[:16]}"
    # The first of "The cat sat on the mat."; eight bits round on from one processor to another.
    known = np.array([0.1227, -0.0196, -0.0444, 0.0530, -0.0625])
    assert np.allclose((await embedder.embed_query("The cat sat on the mat."))[:5], known, atol=0.02)


async def test_vectors_keep_the_order_and_the_meaning(embedder: OnnxEmbedder) -> None:
    texts = ["A cat sleeps on the sofa."] + [f"Invoice number {n} is due." * (n % 5 + 1) for n in range(40)]
    vectors = await embedder.embed_passages(texts)
    assert vectors.shape == (41, embedder.dim)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    question = await embedder.embed_query("Where is the kitten resting?")
    assert int(np.argmax(vectors @ question)) == 0
    again = await embedder.embed_passages(texts[:3])
    assert np.allclose(again, vectors[:3], atol=1e-5)


async def test_nothing_to_embed_is_no_work(embedder: OnnxEmbedder) -> None:
    assert (await embedder.embed_passages([])).shape == (0, embedder.dim)


async def test_a_missing_model_is_a_sentence(tmp_path: Path) -> None:
    embedder = OnnxEmbedder(tmp_path)
    with pytest.raises(KnowledgeError, match="embedding model"):
        await embedder.embed_query("anything")
    await embedder.aclose()


async def test_the_default_is_the_one_that_comes_along() -> None:
    embedder = await open_embedder("default")
    assert isinstance(embedder, OnnxEmbedder)
    await embedder.aclose()


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is not None, reason="sentence-transformers is installed"
)
async def test_without_sentence_transformers_the_extra_is_named() -> None:
    with pytest.raises(KnowledgeError, match=r"vpa-desktop\[models\]"):
        await open_embedder("some/model")


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None or not MINILM,
    reason="needs sentence-transformers and the full-precision model's folder in VPA_TEST_MINILM",
)
async def test_eight_bits_agree_with_full_precision(embedder: OnnxEmbedder) -> None:
    full = await SentenceTransformersEmbedder.load(MINILM)
    texts = ["A circuit breaker stops calls to a failing service.", "The cat sat on the mat.", "Zinsen steigen."]
    try:
        cosines = ((await full.embed_passages(texts)) * (await embedder.embed_passages(texts))).sum(axis=1)
    finally:
        await full.aclose()
    assert cosines.min() > 0.97
