"""What is close with one model is as close with another that finds everything close."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.rag.fakes import HashEmbedder
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.closeness import QUESTIONS, TEXTS, USUAL, Scale, Scales, measured
from vpa_desktop.rag.embedder import OnnxEmbedder

if TYPE_CHECKING:
    from vpa_desktop.rag.embedder import Vectors

np = pytest.importorskip("numpy")


@pytest.fixture
async def default() -> AsyncIterator[OnnxEmbedder]:
    embedder = OnnxEmbedder(processes=1)
    yield embedder
    await embedder.aclose()


async def test_the_usual_scale_is_that_of_the_default_model(default: OnnxEmbedder) -> None:
    scale = await measured(default)
    assert (scale.wrong, scale.right) == pytest.approx((USUAL.wrong, USUAL.right), abs=0.02)
    assert await Scales().of(default) == USUAL
    assert USUAL.closeness(0.5) == pytest.approx(0.5)


def test_closeness_is_told_by_what_is_wrong_and_right_with_the_model() -> None:
    everything_is_close = Scale(0.78, 0.88)
    assert everything_is_close.closeness(0.78) == pytest.approx(USUAL.wrong)
    assert everything_is_close.closeness(0.88) == pytest.approx(USUAL.right)
    assert everything_is_close.closeness(0.7) < 0


class Counted(HashEmbedder):
    """Counts what it is asked, and refuses as long as it is told to."""

    refuses = False
    asked = 0

    async def embed_query(self, text: str) -> Vectors:
        self.asked += 1
        if self.refuses:
            raise KnowledgeError("The model cannot be had")
        return await super().embed_query(text)


async def test_a_model_is_measured_once_and_again_where_it_could_not_be_had() -> None:
    embedder, scales = Counted(), Scales()
    embedder.refuses = True
    assert await scales.of(embedder) == USUAL
    embedder.refuses, embedder.asked = False, 0
    scale = await scales.of(embedder)
    assert await scales.of(embedder) == scale != USUAL
    assert embedder.asked == len(QUESTIONS)
    assert len(set(TEXTS)) == len(TEXTS)
