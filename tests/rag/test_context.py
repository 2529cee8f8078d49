"""What goes into a prompt, and the reason of each passage that does not."""

from __future__ import annotations

from vpa_desktop.rag.context import ENOUGH, NO_ROOM, OFF_TOPIC, context_from, with_reasons
from vpa_desktop.records import SearchResult, SearchWhy


def result(n: int, tokens: int = 100, similarity: float | None = 0.5, left_out: str = "") -> SearchResult:
    why = SearchWhy(n, n)
    return SearchResult(
        f"d{n}", f"{n}.pdf", "", "", n, "", n, 1 / n, f"text {n}", why, similarity, tokens=tokens, left_out=left_out
    )


def test_each_passage_that_is_left_out_has_its_reason() -> None:
    found = [result(1), result(2, left_out=OFF_TOPIC), result(3, tokens=300), result(4), result(5)]
    context = context_from(found, top_k=2, context_tokens=250)
    assert [(c.n, c.document) for c in context.citations] == [(1, "1.pdf"), (2, "4.pdf")]
    assert [(x.document, x.reason) for x in context.left_out] == [
        ("2.pdf", OFF_TOPIC),
        ("3.pdf", NO_ROOM),
        ("5.pdf", ENOUGH),
    ]


def test_the_first_that_fits_goes_in_whatever_its_length() -> None:
    context = context_from([result(1, left_out=OFF_TOPIC), result(2, tokens=5_000)], 5, 900)
    assert [c.document for c in context.citations] == ["2.pdf"]


def test_the_confidence_is_that_of_the_best_passage() -> None:
    assert context_from([result(1, similarity=0.65), result(2, similarity=0.3)], 5, 900).confidence == 1.0
    assert context_from([result(1, similarity=0.25)], 5, 900).confidence == 0.0
    assert context_from([result(2, similarity=None)], 5, 900).confidence == 0.5
    assert context_from([result(1, left_out=OFF_TOPIC)], 5, 900).confidence is None


def test_a_search_says_what_would_go_into_a_prompt() -> None:
    assert [r.left_out for r in with_reasons([result(1), result(2)], 1, 900)] == ["", ENOUGH]
