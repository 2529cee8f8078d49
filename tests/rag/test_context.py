"""What goes into a prompt: the same thing once, neighbours as one, and no more tokens than there may be."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.rag.conftest import add, open_knowledge
from vpa_desktop.config import RagSettings
from vpa_desktop.rag.context import without_repeats
from vpa_desktop.records import SearchResult, SearchWhy

pytest.importorskip("numpy")


def result(chunk: int, document: str, text: str) -> SearchResult:
    path = f"/docs/{document}"
    return SearchResult(document, document, path, document, 1, "", chunk, 1.0, text, SearchWhy(1, 1))


LONG = "The tenant pays the rent on the first day of each month to the account that the landlord names in writing."


def test_nearly_the_same_text_is_shown_once_with_the_other_documents() -> None:
    found = [
        result(1, "a.pdf", LONG),
        result(2, "b.pdf", LONG.replace("first", "third")),
        result(3, "c.pdf", LONG.upper()),
        result(4, "c.pdf", LONG),
        result(
            5, "d.pdf", "The garden may be used by all who live in the house, as long as nobody is disturbed by it."
        ),
    ]
    kept = without_repeats(found, 5)
    assert [item.chunk_id for item in kept] == [1, 2, 5]
    assert [place.document for place in kept[0].also_in] == ["c.pdf"]
    assert [item.chunk_id for item in without_repeats(found, 1)] == [1]


def test_short_texts_are_told_apart() -> None:
    found = [result(1, "a", "Total 12"), result(2, "b", "Total 13"), result(3, "c", "total 12"), result(4, "d", "日本")]
    assert [item.chunk_id for item in without_repeats(found, 5)] == [1, 2, 4]


async def test_the_same_file_twice_is_one_row_that_names_both(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    for place in ("here", "there", "elsewhere"):
        (docs / place).mkdir(parents=True)
        (docs / place / "lease.txt").write_text(LONG)
    async with open_knowledge(tmp_path) as knowledge:
        assert (await add(knowledge, docs)).added == 3
        assert await knowledge.count() == 1
        assert (await knowledge.count_in(""), await knowledge.count_in("elsewhere")) == (1, 0)
        (found,) = (await knowledge.search_knowledge("rent")).results
        assert {found.path, *(place.path for place in found.also_in)} == {str(p) for p in docs.rglob("*.txt")}
        (cited,) = await knowledge.context_for("when is the rent paid")
        assert cited.also_in == ("lease.txt", "lease.txt")
        shown = next(d for d in await knowledge.list_documents() if d.path == found.path)
        await knowledge.remove([shown.id])
        (left,) = (await knowledge.search_knowledge("rent")).results
        assert left.path != found.path
        assert (len(left.also_in), left.why.dense_rank) == (1, 1)


def story(topic: str, count: int) -> str:
    return " ".join(f"Sentence {n} of the story of the {topic} says what happened on day {n}." for n in range(count))


async def test_neighbours_are_joined_and_fill_the_budget(tmp_path: Path) -> None:
    text = story("whale", 60)
    settings = RagSettings(chunk_tokens=40, chunk_overlap_tokens=15, context_tokens=300)
    async with open_knowledge(tmp_path, settings) as knowledge:
        await knowledge.add_document("w", "Whale", text)
        await knowledge.add_document("v", "Volcano", "The volcano was quiet for years.")
        cited = await knowledge.context_for("what happened to the whale on day 30", 2)
        assert 1 <= len(cited) <= 2
        for citation in cited:
            assert text[citation.start : citation.end].split() == citation.text.split()
        spans = sorted((citation.start, citation.end) for citation in cited)
        assert all(before[1] < after[0] for before, after in pairwise(spans))
        words = sum(len(citation.text.split()) for citation in cited)
        assert 150 < words <= 300
        one = await knowledge.context_for("what happened to the whale on day 30", 1)
        assert len(one) == 1
        assert len(one[0].text.split()) > 100


LEASE = (
    "The flat has two rooms, a kitchen and a bath, and a cellar of twelve square metres that belongs to it alone. "
    "The garden may be used by all who live in the house, as long as nobody is disturbed by the noise of it. "
    "The tenant pays the rent on the first day of each month to the account that the landlord names in writing."
)
HARBOUR = (
    "The harbour is small and its lamp is green, so that ships that come from the north take it for a star. "
    "Whoever is a tenant of a berth there and pays the rent too late owes the harbour master a fine of ten crowns. "
    "In winter the water freezes, and the boats are drawn up on the beach until the ice has gone in the spring."
)


async def test_of_what_does_not_fit_the_sentences_about_the_question_are_taken(tmp_path: Path) -> None:
    settings = RagSettings(chunk_tokens=100, chunk_overlap_tokens=0, context_tokens=110)
    async with open_knowledge(tmp_path, settings) as knowledge:
        for name, text in (("lease", LEASE), ("harbour", HARBOUR)):
            await knowledge.add_document(name, name, text)
        found = await knowledge.find_context("when does the tenant of the flat pay the rent", 5)
    whole, part = found.citations
    assert (whole.text, part.document_id) == (LEASE, "harbour")
    assert part.text == HARBOUR[part.start : part.end] == HARBOUR.split(". ")[1] + "."
    assert found.left_out == ()


async def test_what_is_joined_stays_on_its_page(tmp_path: Path) -> None:
    file = tmp_path / "docs" / "book.md"
    file.parent.mkdir()
    file.write_text(f"# Whale\n\n{story('whale', 6)}\n\n# Shark\n\n{story('shark', 6)}\n")
    async with open_knowledge(tmp_path, RagSettings(chunk_tokens=60, chunk_overlap_tokens=0)) as knowledge:
        await add(knowledge, file)
        for citation in await knowledge.context_for("the story of the whale on day 3", 1):
            assert citation.section == "Whale"
            assert "shark" not in citation.text


async def test_parts_of_the_same_name_are_not_taken_for_neighbours(tmp_path: Path) -> None:
    file = tmp_path / "docs" / "book.md"
    file.parent.mkdir()
    file.write_text(f"# Notes\n\n{story('whale', 4)}\n\n# Notes\n\n{story('whale at night', 4)}\n")
    async with open_knowledge(tmp_path, RagSettings(chunk_tokens=60, chunk_overlap_tokens=0)) as knowledge:
        await add(knowledge, file)
        cited = await knowledge.context_for("the story of the whale on day 3", 5)
        whole = " ".join(file.read_text().split())
        assert len(cited) >= 2
        assert all(" ".join(citation.text.split()) in whole for citation in cited)
