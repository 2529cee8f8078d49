"""The reason of each passage that was found and does not go into a prompt."""

from __future__ import annotations

from vpa_desktop.messages import Citation
from vpa_desktop.rag.left_out import ENOUGH, NO_ROOM, OFF_TOPIC, context_of, with_reasons
from vpa_desktop.records import SearchResult, SearchWhy


def result(n: int, similarity: float | None = 0.5, left_out: str = "") -> SearchResult:
    return SearchResult(
        f"d{n}", f"{n}.pdf", "", "", n, "", n, 1 / n, f"text {n}", SearchWhy(n, n), similarity, 10 * n, 10 * n + 6,
        100, left_out,
    )  # fmt: skip


def cited(*found: SearchResult) -> tuple[Citation, ...]:
    return tuple(
        Citation(n, r.document, "", "", r.page, "", r.score, r.text, r.document_id, r.chunk_id, r.start, r.end)
        for n, r in enumerate(found, 1)
    )


def test_each_passage_that_is_left_out_has_its_reason() -> None:
    found = [result(1), result(2, left_out=OFF_TOPIC), result(3), result(4)]
    context = context_of(found, cited(found[0], found[3]), 5)
    assert [(x.document, x.reason) for x in context.left_out] == [("2.pdf", OFF_TOPIC), ("3.pdf", NO_ROOM)]
    full = context_of(found, cited(found[0]), 1)
    assert [x.reason for x in full.left_out] == [OFF_TOPIC, ENOUGH, ENOUGH]


def test_what_was_joined_to_a_citation_is_not_left_out() -> None:
    joined = Citation(1, "1.pdf", "", "", 1, "", 0.9, "text 1 and more", "d1", 99, 0, 40)
    inside, beyond = result(1), result(1)
    beyond = SearchResult(**{**{f: getattr(beyond, f) for f in beyond.__slots__}, "start": 50, "end": 60})
    assert [r.left_out for r in with_reasons([inside, beyond], [joined], 5)] == ["", NO_ROOM]


def test_the_confidence_is_that_of_the_best_passage() -> None:
    def confidence(*found: SearchResult) -> float | None:
        return context_of(found, cited(*(each for each in found if not each.left_out)), 5).confidence

    assert confidence(result(1, similarity=0.65), result(2, similarity=0.3)) == 1.0
    assert confidence(result(1, similarity=0.25)) == 0.0
    assert confidence(result(2, similarity=None)) == 0.5
    assert confidence(result(1, left_out=OFF_TOPIC)) is None
