"""Another model in the settings: the one before answers until the new one knows every passage."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vpa_desktop.config import RagSettings, resource_path
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.storage.database import Database

if TYPE_CHECKING:
    from vpa_desktop.rag.embedder import Vectors

np = pytest.importorskip("numpy")


class WordEmbedder(Embedder):
    """A vector of a text's words, different for each model."""

    max_tokens = 256
    is_latin_only = False

    def __init__(self, choice: str, dim: int) -> None:
        self._choice = choice
        self._dim = dim
        self.asked = 0
        self.is_closed = False

    @property
    def name(self) -> str:
        return self._choice

    @property
    def choice(self) -> str:
        return self._choice

    @property
    def model_id(self) -> str:
        return f"words:{self._choice}"

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def tokenizer_file(self) -> Path:
        return resource_path("models", "tokenizer.json")

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        rows: Vectors = np.stack([self._vector(text) for text in texts])
        return rows

    async def embed_query(self, text: str) -> Vectors:
        self.asked += 1
        return self._vector(text)

    async def aclose(self) -> None:
        self.is_closed = True

    def _vector(self, text: str) -> Vectors:
        row = np.full(self._dim, 0.01, dtype=np.float32)
        for word in text.lower().split():
            row[int(hashlib.sha256(f"{self._choice}{word}".encode()).hexdigest(), 16) % self._dim] += 1
        vector: Vectors = row / np.linalg.norm(row)
        return vector


async def open_with(
    home: Path, embedder: WordEmbedder, before: WordEmbedder | None = None
) -> tuple[KnowledgeBase, Database]:
    async def reopen(choice: str) -> Embedder:
        if before is None or before.choice != choice:
            raise KnowledgeError("There is no such model any more")
        return before

    database = await Database.open(home / "vpa.db", backups=home / "backups")
    settings = RagSettings(embedding_model=embedder.choice)
    return KnowledgeBase(database, home / "index", embedder=embedder, settings=settings, reopen=reopen), database


async def fill(home: Path) -> None:
    knowledge, database = await open_with(home, WordEmbedder("old", 64))
    await knowledge.add_document("a", "Bees", "honey is made by bees")
    await knowledge.add_document("b", "Cows", "milk is given by cows")
    await knowledge.aclose()
    await database.aclose()


async def test_the_model_before_answers_until_all_is_embedded_anew(tmp_path: Path) -> None:
    await fill(tmp_path)
    old, new = WordEmbedder("old", 64), WordEmbedder("new", 48)
    knowledge, database = await open_with(tmp_path, new, old)
    found = (await knowledge.search_knowledge("honey", 1)).results[0]
    assert (found.document_id, found.why.dense_rank) == ("a", 1)
    asked = old.asked
    assert asked > 0
    assert new.asked == 0
    assert await knowledge.resume() == 2
    found = (await knowledge.search_knowledge("milk", 1)).results[0]
    assert (found.document_id, found.why.dense_rank) == ("b", 1)
    assert (old.asked, old.is_closed) == (asked, True)
    assert new.asked > 0
    await knowledge.aclose()
    await database.aclose()
    assert len(list((tmp_path / "index").glob("*.faiss"))) == 1


async def test_a_model_that_is_gone_leaves_words_and_what_the_new_one_knows(tmp_path: Path) -> None:
    await fill(tmp_path)
    new = WordEmbedder("new", 48)
    knowledge, database = await open_with(tmp_path, new)
    found = (await knowledge.search_knowledge("honey", 1)).results[0]
    assert (found.document_id, found.why.dense_rank, found.why.keyword_rank) == ("a", None, 1)
    assert await knowledge.resume() == 2
    assert (await knowledge.search_knowledge("honey", 1)).results[0].why.dense_rank == 1
    await knowledge.aclose()
    await database.aclose()


async def test_nothing_is_made_anew_where_the_model_is_the_one_that_was_set(tmp_path: Path) -> None:
    await fill(tmp_path)
    knowledge, database = await open_with(tmp_path, WordEmbedder("old", 64))
    assert await knowledge.resume() == 0
    await knowledge.aclose()
    await database.aclose()
