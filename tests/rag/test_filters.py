"""What a question says about where to look, and that a search looks nowhere else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path

import pytest

from tests.rag.conftest import add, open_knowledge
from vpa_desktop.rag.filters import filters_in, within, without
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.records import SearchScope

pytest.importorskip("numpy")


@pytest.mark.parametrize(
    ("query", "rest", "scope"),
    [
        ("rent in #lease", "rent in", SearchScope(names=("lease",))),
        ("What does #lease.pdf say?", "What does say?", SearchScope(names=("lease.pdf",))),
        ("#lease, and the rent", ", and the rent", SearchScope(names=("lease",))),
        ('rent #"annual report" now', "rent now", SearchScope(names=("annual report",))),
        ("#a #b rent", "rent", SearchScope(names=("a", "b"))),
        ("rent type:PDF,docx", "rent", SearchScope(types=("pdf", "docx"))),
        ("rent after:2024-02-03", "rent", SearchScope(after=date(2024, 2, 3))),
        ("rent after:2023 before:2024-06.", "rent .", SearchScope(after=date(2023, 1, 1), before=date(2024, 6, 1))),
        ("rent after:2023 after:2022", "rent", SearchScope(after=date(2023, 1, 1))),
    ],
)
def test_filters_are_taken_out_of_the_question(query: str, rest: str, scope: SearchScope) -> None:
    found = filters_in(query)
    assert without(query, found) == rest
    assert within(SearchScope(), found) == scope


@pytest.mark.parametrize(
    "query",
    ["what is C#", "a#b", "# heading", "###", "after:lunch", "before:2024-13-01", "retype:pdf", "the day after"],
)
def test_what_only_looks_like_a_filter_is_left(query: str) -> None:
    assert filters_in(query) == []


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[KnowledgeBase]:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, year in (("Lease_Müller.txt", 2023), ("lease-smith.md", 2024), ("notes.txt", 2025)):
        file = folder / name
        file.write_text(f"The rent of {name.split('.')[0]} is due on the first of the month {year}.")
        moment = datetime(year, 6, 15, 12).timestamp()
        os.utime(file, (moment, moment))
    async with open_knowledge(tmp_path) as knowledge:
        await add(knowledge, folder)
        await knowledge.add_document("own", "Lease of the garage", "The rent of the garage is low.", collection="mine")
        yield knowledge


async def names(knowledge: KnowledgeBase, query: str, scope: SearchScope | None = None) -> set[str]:
    report = await knowledge.search_knowledge(query, 10, scope=scope)
    return {result.document for result in report.results}


async def test_a_search_keeps_to_what_was_asked(library: KnowledgeBase) -> None:
    assert await names(library, "rent #lease") == {"Lease_Müller.txt", "lease-smith.md", "Lease of the garage"}
    assert await names(library, "rent #muller") == {"Lease_Müller.txt"}
    assert await names(library, 'rent #"Lease Muller"') == {"Lease_Müller.txt"}
    assert await names(library, "rent #LEASE type:md") == {"lease-smith.md"}
    assert await names(library, "rent type:txt after:2024") == {"notes.txt"}
    assert await names(library, "rent after:2023-06-15 before:2024-06-16") == {"Lease_Müller.txt", "lease-smith.md"}
    assert await names(library, "rent after:2023-06-16 before:2024-06-15") == set()
    assert await names(library, "rent", SearchScope(collections=("mine",))) == {"Lease of the garage"}
    assert await names(library, "#smith") == {"lease-smith.md"}
    only = SearchScope(names=("smith",), types=("txt",))
    assert await names(library, "rent", only) == set()


async def test_a_name_no_document_has_is_a_word(library: KnowledgeBase) -> None:
    assert len(await names(library, "rent #nowhere type:xyz")) == 4


async def test_a_document_that_was_named_need_not_prove_itself(library: KnowledgeBase) -> None:
    assert await library.context_for("summarise everything") == ()
    cited = await library.context_for("summarise #smith")
    assert [citation.document for citation in cited] == ["lease-smith.md"]
