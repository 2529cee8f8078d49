"""Fusion, feedback and the relevance gate, without a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vpa_desktop.rag.retrieval import (
    Bar,
    Found,
    character_coverage,
    coverage,
    fuse,
    merged,
    moved,
    query_words,
    relevant,
    stems,
    word_weights,
)

np = pytest.importorskip("numpy")


def found(chunk: int, similarity: float | None, score: float = 1.0) -> Found:
    return Found(chunk, score, 1, None, similarity)


def test_a_passage_both_sides_like_comes_first() -> None:
    ranked = fuse([(1, 0.9), (2, 0.8), (3, 0.1)], [(4, 12.0), (2, 11.0), (5, 1.0)])
    assert ranked[0].passage_id == 2
    assert (ranked[0].dense_rank, ranked[0].keyword_rank, ranked[0].similarity) == (2, 2, 0.8)
    assert {item.passage_id for item in ranked} == {1, 2, 3, 4, 5}
    assert all(0.0 <= item.score <= 1.0 for item in ranked)


def test_the_last_of_a_few_keyword_hits_still_counts() -> None:
    dense = [(chunk, 0.3 - chunk / 1000) for chunk in range(100)]
    ranked = {item.passage_id: item.score for item in fuse(dense, [(500, 8.0), (501, 7.5)])}
    assert ranked[501] > 0.4


def test_one_side_alone_still_ranks() -> None:
    assert [item.passage_id for item in fuse([], [(4, 9.0), (5, 2.0)])] == [4, 5]
    assert [item.passage_id for item in fuse([(7, 0.5)], [])] == [7]
    assert fuse([], []) == []


def test_feedback_pulls_the_question_towards_the_best() -> None:
    query = np.array([1.0, 0.0], dtype=np.float32)
    pulled = moved(query, np.array([[0.8, 0.6]], dtype=np.float32))
    assert float(np.linalg.norm(pulled)) == pytest.approx(1.0)
    assert float(pulled @ query) > 0.9
    assert float(pulled[1]) > 0.15


def test_a_passage_that_words_and_grams_like_comes_first() -> None:
    assert [passage for passage, _ in merged([(1, 5.0), (2, 4.0)], [(2, 9.0), (3, 8.0)])] == [2, 1, 3]
    assert merged([], [(4, 2.0)]) == [(4, 1.0)]


def test_words_are_cut_to_what_they_begin_with() -> None:
    assert stems(["Verteidigung", "Jahr", "Punkte", "ab"]) == ["Verteidig", "Punk"]


def test_words_that_say_nothing_are_left_out() -> None:
    assert query_words("What is the price of the Widget?") == ["price", "widget"]
    assert query_words("who is the who") == ["who", "is", "the"]


def test_the_gate_adds_up_meaning_and_words() -> None:
    assert relevant([found(1, 0.4), found(2, 0.3)], {1: 0.1, 2: 0.3}, Bar(True)) == []
    stands = relevant([found(1, 0.4), found(2, 0.3), found(3, 0.1)], {1: 0.3}, Bar(True))
    assert [item.passage_id for item in stands] == [1, 2]
    assert [item.passage_id for item in relevant([found(1, 0.2)], {1: 0.65}, Bar(True))] == [1]
    assert [item.passage_id for item in relevant([found(1, 0.47)], {}, Bar(True))] == [1]
    assert relevant([found(1, 0.47)], {}, Bar(True, close=None)) == []
    assert relevant([found(1, 0.2)], {1: 0.4}, Bar(True)) == []


def test_nearly_all_words_are_enough_where_they_are_several() -> None:
    assert [item.passage_id for item in relevant([found(1, -0.1)], {1: 0.9}, Bar(is_exact=True))] == [1]
    assert relevant([found(1, -0.1)], {1: 0.9}, Bar(is_exact=False)) == []


def test_what_both_sides_put_at_the_top_needs_less() -> None:
    shares = {1: 0.3}
    assert [item.passage_id for item in relevant([Found(1, 1.0, 2, 1, 0.33)], shares, Bar(True))] == [1]
    ranks: list[tuple[int | None, int | None]] = [(3, 1), (1, None), (None, 1)]
    for dense, keyword in ranks:
        assert relevant([Found(1, 1.0, dense, keyword, 0.33)], shares, Bar(True)) == []


def test_without_a_vector_a_clear_lead_makes_up_for_words() -> None:
    bar = Bar(True, alone=0.3, leading=0.6)
    level = [Found(i, 1.0 - i / 100, None, i, None) for i in range(1, 12)]
    ahead = [replace(item, score=1.0 if item.passage_id == 1 else item.score / 4) for item in level]
    assert relevant(level, {1: 0.2}, bar) == []
    assert [item.passage_id for item in relevant(ahead, {1: 0.2}, bar)] == [1]
    few = level[:3]
    assert relevant(few, {1: 0.2}, bar) == []
    assert [item.passage_id for item in relevant(few, {1: 0.35}, bar)] == [1]


def test_coverage_weighs_rare_words_and_forgives_endings() -> None:
    weights = word_weights(["batteries", "replaced"], {"batteries": 2, "replaced": 500}, 1000)
    assert coverage(weights, "Replacing the battery of the lamp") > 0.99
    assert 0.5 < coverage(weights, "the batteries") < 1.0
    assert coverage(weights, "nothing of it") == 0.0


def test_coverage_does_not_compare_accents() -> None:
    assert coverage({"müller": 1.0}, "Herr Muller") == 1.0
    assert coverage({"muller": 1.0}, "Herr Mu\u0308ller") == 1.0
    assert character_coverage("كتاب", "كِتَـــاب") == 1.0
