"""Every file of the shared collection through the whole knowledge base: found by its words, or told why not."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.rag.conftest import DOCUMENTS, add
from vpa_desktop.config import resource_path
from vpa_desktop.rag import recognition
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.loaders import Reading, load
from vpa_desktop.storage.database import Database

if TYPE_CHECKING:
    from vpa_desktop.rag.embedder import Vectors

MANIFEST = json.loads((DOCUMENTS / "manifest.json").read_text("utf-8")) if DOCUMENTS.is_dir() else []
EXPECTED = {row["file"]: row["expect"] for row in MANIFEST}
# The manifest calls these good, but no library gets text from the first, and the second is thirteen pictures.
UNREADABLE = "sample-fi__unreadablemetadata.pdf"
PICTURES = "kreuzberg__sharable_web_guide.pdf"
WORDS = re.compile(r"\w{4,}")


class QuickEmbedder(Embedder):
    """Vectors that mean nothing and cost nothing: here every file is looked for by its words."""

    name = "quick"
    model_id = "quick"
    choice = "quick"
    dim = 8
    max_tokens = 256
    is_latin_only = True
    tokenizer_file = resource_path("models", "tokenizer.json")

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Returns a row for each text, by its hash."""
        import numpy as np

        rows = [np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], dtype=np.uint8) for text in texts]
        vectors = np.stack(rows).astype(np.float32) + 1
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    async def embed_query(self, text: str) -> Vectors:
        """Returns the vector of a question."""
        row: Vectors = (await self.embed_passages([text]))[0]
        return row

    async def aclose(self) -> None:
        """Holds nothing."""


def rarest_words(path: Path, frequencies: Counter[str]) -> str:
    """A few words of a file that few others have."""
    words = {word for part in load(path, Reading()).parts for word in WORDS.findall(part.text.lower())}
    return " ".join(sorted(words, key=lambda word: (frequencies[word], -len(word), word))[:6])


def frequencies_of(paths: Sequence[Path]) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in paths:
        found.update({word for part in load(path).parts for word in WORDS.findall(part.text.lower())})
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_good_file_is_found_and_every_other_says_why(
    tmp_path: Path, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # the same on machines with text recognition and without
    recognition.languages.cache_clear()
    database = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    knowledge = KnowledgeBase(database, tmp_path / "index", embedder=QuickEmbedder())
    try:
        report = await add(knowledge, documents)
        records = {Path(record.path).name: record for record in await knowledge.list_documents()}
        assert set(EXPECTED) <= set(records)
        ready = {name for name, record in records.items() if record.state == "ready"}
        reasons = {Path(failure.path).name: failure.reason for failure in report.failed}

        good = {name for name, expect in EXPECTED.items() if expect in ("ok", "owner-protected", "legacy")}
        assert good - ready == {UNREADABLE, PICTURES}
        assert set(reasons) == set(records) - ready
        assert all(len(reason) > 20 and name in reason for name, reason in reasons.items())
        for expect in ("encrypted-user", "empty", "bomb", "image", "binary"):
            assert not ready & {name for name, each in EXPECTED.items() if each == expect}

        readable = sorted(good & ready)
        frequencies = frequencies_of([documents / name for name in readable])
        lost = [name for name in readable if not await is_found(knowledge, documents / name, frequencies)]
        assert lost == []
    finally:
        await knowledge.aclose()
        await database.aclose()
        recognition.languages.cache_clear()


async def is_found(knowledge: KnowledgeBase, path: Path, frequencies: Counter[str]) -> bool:
    words = rarest_words(path, frequencies)
    found = await knowledge.search_knowledge(words or path.stem, 10)
    names = {result.document for result in found.results}
    names |= {place.document for result in found.results for place in result.also_in}
    return path.name in names  # what several files hold stands once, with all of their names
