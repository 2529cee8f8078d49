"""The knowledge base as a person meets it: real files in, the right file and page out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.rag.conftest import add, open_knowledge
from vpa_desktop.config import RagSettings
from vpa_desktop.errors import DocumentUnreadable, KnowledgeError
from vpa_desktop.rag import retrieval
from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.left_out import OFF_TOPIC
from vpa_desktop.records import IngestReport
from vpa_desktop.storage.database import Database

if TYPE_CHECKING:
    from vpa_desktop.rag.embedder import Vectors

LANGUAGES = "kreuzberg__a_comparison_of_programming_languages_in_economics_16_jun_2014.pdf"
FILES = [
    LANGUAGES,
    "KG-RAG-da__20080111X00041.pdf",
    "KG-RAG-da__NCT06152952_Prot_000.pdf",
    "docling__multi_page.pdf",
    "pypdf__Seige_of_Vicksburg_Sample_OCR.pdf",
    "markitdow__REPAIR-2022-INV-001_multipage.pdf",
    "markitdow__movie-theater-booking-2024.pdf",
    "markitdow__RECEIPT-2024-TXN-98765_retail_purchase.pdf",
    "kreuzberg__word_sample.docx",
    "kreuzberg__extraction_test.docx",
    "markitdow__test.docx",
    "markitdow__test_blog.html",
    "made__shiftjis.txt",
]
QUESTIONS = [
    ("What does pilonidal mean in Latin?", "KG-RAG-da__NCT06152952_Prot_000.pdf", 2),
    ("When will the suction drain be removed after the operation?", "KG-RAG-da__NCT06152952_Prot_000.pdf", 5),
    ("Who patented the typewriter?", "docling__multi_page.pdf", 1),
    ("Which software do screenwriters use?", "docling__multi_page.pdf", 3),
    ("What car did Bruce Wayne have repaired?", "markitdow__REPAIR-2022-INV-001_multipage.pdf", 2),
    ("How much were the noise cancelling headphones?", "markitdow__RECEIPT-2024-TXN-98765_retail_purchase.pdf", 1),
    ("What happened to the Cessna during takeoff in gusting wind?", "KG-RAG-da__20080111X00041.pdf", 1),
    ("How many flight hours did the pilot have?", "KG-RAG-da__20080111X00041.pdf", 3),
    ("registration N1458U", "KG-RAG-da__20080111X00041.pdf", 1),
    ("What could a duck eat?", "kreuzberg__word_sample.docx", None),
    ("SC-WINTER-2024", "markitdow__movie-theater-booking-2024.pdf", 1),
    ("How long did it take the fifty thousand men of Johnston to raise the siege?", "pypdf__Seige", 1),
]


@pytest.fixture(scope="module")
def filled_home(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose documents are all in; each test opens it anew."""
    home = tmp_path_factory.mktemp("library")

    async def fill() -> IngestReport:
        async with open_knowledge(home) as knowledge:
            return await add(knowledge, *(documents / name for name in FILES))

    report = asyncio.run(fill())
    assert (report.added, report.failed) == (len(FILES), ())
    return home


@pytest.fixture
async def library(filled_home: Path) -> AsyncIterator[KnowledgeBase]:
    async with open_knowledge(filled_home) as knowledge:
        yield knowledge


async def test_the_answers_are_found_on_their_pages(library: KnowledgeBase) -> None:
    missed = []
    for question, file, page in QUESTIONS:
        citations = await library.context_for(question)
        assert [citation.n for citation in citations] == list(range(1, len(citations) + 1))
        if not any(citation.document.startswith(file) and citation.page == page for citation in citations[:3]):
            missed.append((question, [(citation.document, citation.page) for citation in citations]))
    assert missed == []


async def test_questions_about_nothing_there_get_no_sources(library: KnowledgeBase) -> None:
    for question in ("best recipe for pizza dough", "hello", "How do I reset my router?", "", "?!"):
        assert await library.context_for(question) == ()


async def test_results_say_where_and_why(library: KnowledgeBase) -> None:
    report = await library.search_knowledge("What is the speed of C++ against Fortran?", 4)
    best = report.results[0]
    assert (best.document, len(report.results)) == (LANGUAGES, 4)
    assert best.page is not None
    assert best.why.keyword_rank is not None or best.why.dense_rank is not None
    assert report.ms > 0
    assert [r.score for r in report.results[:3]] == sorted((r.score for r in report.results[:3]), reverse=True)


async def test_a_second_look_among_the_nearest_finds_what_one_at_all_finds(
    library: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await library.count() > retrieval.CANDIDATES
    everywhere = [await library.search_knowledge(question, 5) for question, _, _ in QUESTIONS]
    monkeypatch.setattr(retrieval, "SLOW_TO_SCAN", 0)
    for report in everywhere:
        nearby = await library.search_knowledge(report.query, 5)
        assert [(r.chunk_id, r.score) for r in nearby.results] == [(r.chunk_id, r.score) for r in report.results]


async def test_text_without_spaces_is_found_by_its_characters(library: KnowledgeBase) -> None:
    report = await library.search_knowledge("日本語の文書", 3)
    assert report.results[0].document == "made__shiftjis.txt"


async def test_the_context_keeps_to_its_budget(library: KnowledgeBase) -> None:
    results = (await library.search_knowledge("programming languages in economics", 30)).results
    citations = await library.context_for("programming languages in economics", 30)
    whole = {result.chunk_id: result for result in results}
    tokens = 0.0
    for citation in citations:
        result = whole[citation.chunk_id]
        tokens += result.tokens * min(1.0, len(citation.text) / len(result.text))
    assert 600 < tokens <= 900
    assert len(await library.context_for("programming languages in economics", 2)) == 2


async def test_a_passage_is_shown_among_its_neighbours(library: KnowledgeBase) -> None:
    result = (await library.search_knowledge("Which software do screenwriters use?", 1)).results[0]
    before, passage, after = await library.passage_context(result.chunk_id)
    assert passage == result.text
    assert "Specialized Word Processing Tools" in before + passage
    assert not after.startswith(passage[-20:])
    with pytest.raises(KnowledgeError, match="no longer there"):
        await library.passage_context(10**9)


async def test_check_finds_all_in_order(library: KnowledgeBase) -> None:
    facts = await library.check()
    assert facts["documents"] == len(FILES)
    assert facts["passages"] == await library.count()
    assert facts["passages_without_vector"] == 0


async def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    file, other = tmp_path / "docs" / "lamp.md", tmp_path / "docs" / "oven.txt"
    file.parent.mkdir()
    file.write_text("# Lamp\n\nThe lamp has a green switch.\n")
    other.write_text("The oven is cleaned with vinegar.")
    async with open_knowledge(tmp_path) as knowledge:
        report = await add(knowledge, file.parent)
        assert (report.added, report.updated, report.unchanged, report.chunks) == (2, 0, 0, 2)
        assert (await add(knowledge, file.parent)).unchanged == 2
        file.touch()
        assert (await add(knowledge, file.parent)).unchanged == 2
        file.write_text("# Lamp\n\nThe lamp has a purple switch.\n")
        report = await knowledge.sync()
        assert (report.updated, report.unchanged) == (1, 1)
        found = (await knowledge.search_knowledge("colour of the lamp's switch", 5)).results
        assert "purple" in found[0].text
        assert found[0].section == "Lamp"
        assert not any("green" in result.text for result in found)
        other.unlink()
        await knowledge.sync()
        assert [document.name for document in await knowledge.list_documents()] == ["lamp.md"]
        await knowledge.remove([(await knowledge.list_documents())[0].id])
        assert await knowledge.count() == 0
        assert (await knowledge.search_knowledge("lamp")).results == ()


async def test_one_bad_file_never_stops_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("")
    (folder / "b.pdf").write_bytes(b"%PDF-1.7 nothing")
    (folder / "c.txt").write_text("The good one is about glaciers.")
    async with open_knowledge(tmp_path) as knowledge:
        report = await add(knowledge, folder, tmp_path / "missing.txt")
        assert report.added == 1
        assert [Path(failure.path).name for failure in report.failed] == ["a.txt", "b.pdf", "missing.txt"]
        assert all(failure.reason.endswith(".") for failure in report.failed)
        states = {document.name: document.state for document in await knowledge.list_documents()}
        assert states == {"a.txt": "failed", "b.pdf": "failed", "c.txt": "ready"}
        (folder / "a.txt").write_text("Now about volcanoes.")
        assert (await add(knowledge, folder)).added == 1


async def test_documents_by_own_id_and_collections(tmp_path: Path) -> None:
    async with open_knowledge(tmp_path) as knowledge:
        record = await knowledge.add_document("policy", "Travel policy", "Trains are paid first class.", {"year": 2026})
        assert (record.id, record.state, record.metadata) == ("policy", "ready", {"year": 2026})
        await knowledge.add_document("secret", "Board minutes", "Trains are to be sold.", collection="board")
        await knowledge.add_document("policy", "Travel policy", "Trains are paid second class.")
        assert len(await knowledge.list_documents()) == 2
        assert await knowledge.collections() == ["board"]
        assert len(await knowledge.list_documents("board")) == 1
        only = (await knowledge.search_knowledge("trains", 5, ["board"])).results
        assert [result.document_id for result in only] == ["secret"]
        assert [citation.document_id for citation in await knowledge.context_for("trains sold", 5, ["board"])] == [
            "secret"
        ]
        every = (await knowledge.search_knowledge("which class are trains paid", 5)).results
        assert every[0].text == "Trains are paid second class."
        with pytest.raises(DocumentUnreadable, match="is empty"):
            await knowledge.add_document("empty", "Nothing", " ")


async def test_a_damaged_or_missing_index_is_built_again(tmp_path: Path) -> None:
    async with open_knowledge(tmp_path) as knowledge:
        await knowledge.add_document("a", "Bees", "Honey is made by bees.")
        await knowledge.add_document("b", "Cows", "Milk is given by cows.")
    (index,) = (tmp_path / "index").glob("passages-*.faiss")
    for damage in (b"", index.read_bytes()[:-4], None):
        index.unlink()
        if damage is not None:
            index.write_bytes(damage)
        async with open_knowledge(tmp_path) as knowledge:
            best = (await knowledge.search_knowledge("insects that produce sweet food", 2)).results[0]
            assert (best.document_id, best.why.dense_rank) == ("a", 1)
            assert (await knowledge.check())["index"] == "ok"


async def test_two_programs_on_one_database_see_each_other(tmp_path: Path) -> None:
    async with open_knowledge(tmp_path) as first, open_knowledge(tmp_path) as second:
        await first.add_document("a", "Bees", "Honey is made by bees.")
        assert (await second.search_knowledge("honey", 1)).results[0].why.dense_rank == 1
        await second.add_document("b", "Cows", "Milk is given by cows.")
        await first.remove(["a"])
        for knowledge in (first, second):
            found = (await knowledge.search_knowledge("animals that give milk", 5)).results
            assert [(result.document_id, result.why.dense_rank) for result in found] == [("b", 1)]


async def test_sizes_come_from_the_settings(tmp_path: Path) -> None:
    text = "A sentence of some eight plain words here. " * 40
    async with open_knowledge(tmp_path, RagSettings(chunk_tokens=30, chunk_overlap_tokens=0)) as knowledge:
        record = await knowledge.add_document("a", "T", text)
        assert record.chunks >= 12
        assert all(r.tokens <= 30 for r in (await knowledge.search_knowledge("plain words", 5)).results)


async def test_of_many_passages_wanted_the_last_are_judged_as_the_first(tmp_path: Path) -> None:
    places = "harbour station museum airport library castle market stadium theatre hospital school factory".split()
    goods = "apples carpets violins engines".split()
    async with open_knowledge(tmp_path) as knowledge:
        for place in places:
            for thing in goods:
                said = f"Whoever sells {thing} at the {place} needs a parking permit of the city, valid for a year."
                await knowledge.add_document(f"{place}-{thing}", f"{place} {thing}", said)
        report = await knowledge.search_knowledge("parking permit", 48)
    assert len(report.results) > 32
    assert [(n, result.left_out) for n, result in enumerate(report.results) if result.left_out == OFF_TOPIC] == []


class EverythingIsClose(OnnxEmbedder):
    """The default model with all vectors pulled into one direction, as those of some models are."""

    choice = "everything is close"
    is_latin_only = False

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return _pulled(await super().embed_passages(texts))

    async def embed_query(self, text: str) -> Vectors:
        return _pulled(await super().embed_query(text))


def _pulled(vectors: Vectors) -> Vectors:
    import numpy as np

    moved = vectors + 2.0 / np.sqrt(vectors.shape[-1])
    pulled: Vectors = (moved / np.linalg.norm(moved, axis=-1, keepdims=True)).astype(np.float32)
    return pulled


async def test_a_model_that_finds_everything_close_still_refuses(documents: Path, tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    knowledge = KnowledgeBase(database, tmp_path / "index", embedder=EverythingIsClose(processes=1))
    await add(knowledge, documents / LANGUAGES)
    try:
        best = (await knowledge.search_knowledge("best recipe for pizza dough", 1)).results[0]
        assert best.similarity is not None
        assert best.similarity > 0.7
        assert await knowledge.context_for("best recipe for pizza dough") == ()
        assert await knowledge.context_for("What is the speed of C++ against Fortran?")
    finally:
        await knowledge.aclose()
        await database.aclose()
