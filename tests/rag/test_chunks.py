"""Passages are whole, small enough, and stand where they say."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpa_desktop.config import resource_path
from vpa_desktop.rag.chunks import chunk_parts, is_noise, is_unsegmented, tokenizer_from
from vpa_desktop.rag.loaders import Part

TOKENIZER = tokenizer_from(resource_path("models", "tokenizer.json"))
PROSE = " ".join(
    f"Sentence number {n} tells of item {n * 7}, which costs {n}.50 dollars and weighs little." for n in range(120)
)


@pytest.mark.parametrize(
    "text", [PROSE, PROSE.replace(" ", "\n"), "word " * 3000, "中国的首都是北京。" * 200, "a\n\n\nb"]
)
def test_a_passage_is_its_place_in_the_text(text: str) -> None:
    chunks = chunk_parts([Part(text, page=3)], TOKENIZER, max_tokens=60, overlap_tokens=12)
    assert chunks
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.tokens <= 60
        assert len(TOKENIZER.encode(chunk.text, add_special_tokens=False).ids) <= 61
        assert chunk.page == 3


def test_no_word_is_lost_and_neighbours_overlap() -> None:
    chunks = chunk_parts([Part(PROSE)], TOKENIZER, max_tokens=100, overlap_tokens=25)
    held: set[int] = set()
    for chunk in chunks:
        held.update(range(chunk.start, chunk.end))
    assert all(index in held or PROSE[index].isspace() for index in range(len(PROSE)))
    assert all(after.start < before.end for before, after in pairwise(chunks))
    assert all(chunk.text.startswith("Sentence number") and chunk.text.endswith("little.") for chunk in chunks)


def test_passages_never_cross_pages() -> None:
    parts = [Part("One short page.", page=1), Part("Another short page.", page=2)]
    chunks = chunk_parts(parts, TOKENIZER, max_tokens=200, overlap_tokens=40)
    assert [(chunk.text, chunk.page, chunk.start, chunk.ordinal) for chunk in chunks] == [
        ("One short page.", 1, 0, 0),
        ("Another short page.", 2, 0, 1),
    ]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=600), st.integers(8, 40), st.integers(0, 20))
def test_any_text_can_be_cut(text: str, most: int, overlap: int) -> None:
    text = text.encode("utf-8", "replace").decode()
    for chunk in chunk_parts([Part(text)], TOKENIZER, max_tokens=most, overlap_tokens=min(overlap, most // 2)):
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.tokens <= most


def test_noise_is_no_passage() -> None:
    assert is_noise("A" * 1000)
    assert is_noise(
        "Contents . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . 3"
    )
    assert not is_noise("Short and plain.")
    assert not is_noise("中国的首都是北京。" * 40)
    assert not is_noise("x = [1, 2, 3]  # a comment")


def test_scripts_without_spaces_are_known() -> None:
    assert is_unsegmented("中国的首都在哪里")
    assert not is_unsegmented("What is the capital of 中国?")
    assert not is_unsegmented("Где находится столица?")
