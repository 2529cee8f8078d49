"""A second look at the best passages: in time or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.reranker import FEWEST, PASSAGES, Reranker, SecondLook, blended, find_reranker
from vpa_desktop.rag.reranker_process import has_time
from vpa_desktop.rag.retrieval import Found


class Scripted(Reranker):
    """Scores by a function, when it is let."""

    name = "scripted"
    is_latin_only = True

    def __init__(self, score: Callable[[str], float], *, is_let: bool = True) -> None:
        self._score = score
        self.let = asyncio.Event()
        self.asked: list[int] = []
        self.read_at_most = PASSAGES
        if is_let:
            self.let.set()

    async def scores(self, query: str, texts: Sequence[str], within_s: float) -> list[float]:
        self.asked.append(len(texts))
        await self.let.wait()
        return [self._score(text) for text in texts[: self.read_at_most]]

    async def aclose(self) -> None:
        self.let.set()


def refuse(text: str) -> float:
    raise KnowledgeError("The model cannot be had")


FOUND = [Found(n, 1.0 - n / 20, n, n, None) for n in range(1, PASSAGES + 3)]
TEXTS = [str(item.passage_id) for item in FOUND]


AGAIN = [4, 3, 2, 1, 5, 6, 7, 8, 9, 10]
"""The order where the fourth is the better one, and the others the nearer they are to it."""


def order(found: Sequence[Found]) -> list[int]:
    return [item.passage_id for item in found]


def test_both_orders_count() -> None:
    best = blended(FOUND, [0.0, 0.1, 0.2, 9.0, 0.1])
    assert order(best) == [4, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert best[0].rerank_score == 9.0
    assert best[-1].rerank_score is None
    assert blended([], []) == []


async def test_the_best_few_are_read_again() -> None:
    reranker = Scripted(lambda text: -abs(int(text) - 4))
    look = SecondLook(reranker)
    found = await look.reordered("question", FOUND, TEXTS)
    assert reranker.asked == [PASSAGES]
    assert order(found) == AGAIN
    await look.aclose()


async def test_too_few_that_were_read_change_nothing() -> None:
    reranker = Scripted(lambda text: -abs(int(text) - 4))
    look = SecondLook(reranker)
    reranker.read_at_most = FEWEST - 1
    assert order(await look.reordered("question", FOUND, TEXTS)) == order(FOUND)
    reranker.read_at_most = FEWEST
    assert order(await look.reordered("question", FOUND, TEXTS)) != order(FOUND)
    assert order(await SecondLook(reranker).reordered("question", FOUND[3:5], TEXTS[3:5])) == [4, 5]
    assert reranker.asked[-1] == 2


async def test_a_model_of_latin_letters_is_not_shown_others() -> None:
    reranker = Scripted(lambda text: -abs(int(text) - 4))
    look = SecondLook(reranker)
    assert order(await look.reordered("谁发明了打字机？", FOUND, TEXTS)) == order(FOUND)
    assert reranker.asked == []
    assert order(await look.reordered("Wer erfand die Schreibmaschine?", FOUND, TEXTS)) == AGAIN
    reranker.is_latin_only = False
    assert order(await look.reordered("谁发明了打字机？", FOUND, TEXTS)) == AGAIN


def test_it_reads_while_there_is_time() -> None:
    assert has_time(0, 0.0, 0.1)
    assert has_time(3, 0.3, 0.4)
    assert not has_time(3, 0.3, 0.39)


async def test_what_takes_too_long_is_passed_over_and_not_asked_twice() -> None:
    reranker = Scripted(lambda text: -abs(int(text) - 4), is_let=False)
    look = SecondLook(reranker, budget_s=0.01)
    assert order(await look.reordered("question", FOUND, TEXTS)) == order(FOUND)
    assert order(await look.reordered("question", FOUND, TEXTS)) == order(FOUND)
    assert len(reranker.asked) == 1
    await look.aclose()
    assert order(await SecondLook(reranker).reordered("question", FOUND, TEXTS)) == AGAIN


async def test_one_that_fails_changes_nothing() -> None:
    look = SecondLook(Scripted(refuse))
    assert order(await look.reordered("question", FOUND, TEXTS)) == order(FOUND)
    await look.aclose()


async def test_a_folder_without_a_model_is_a_sentence(tmp_path: Path) -> None:
    assert find_reranker("off") is None
    with pytest.raises(KnowledgeError, match=r"model\.onnx"):
        find_reranker(str(tmp_path))
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    found = find_reranker(str(tmp_path))
    assert found is not None
    with pytest.raises(KnowledgeError, match="reranking model"):
        await found.scores("question", ["text"], 1.0)
    await found.aclose()
