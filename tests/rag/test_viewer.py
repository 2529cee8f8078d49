"""Every citation of real files opens at its page with the passage marked; what cannot be drawn shows its text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rag.conftest import add
from vpa_desktop.config import RagSettings
from vpa_desktop.errors import DocumentUnreadable, KnowledgeError
from vpa_desktop.page_views import Mark, PageView, Place, TextView
from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.page_process import PageDrawer
from vpa_desktop.rag.viewer import DocumentViewer
from vpa_desktop.records import SearchResult
from vpa_desktop.storage.database import Database


class Library:
    """A knowledge base and a viewer over one database."""

    def __init__(self, db: Database, home: Path) -> None:
        settings = RagSettings(chunk_tokens=60, chunk_overlap_tokens=20)
        self.knowledge = KnowledgeBase(db, home / "index", embedder=OnnxEmbedder(processes=1), settings=settings)
        self.viewer = DocumentViewer(db)

    async def find(self, query: str) -> tuple[SearchResult, Place]:
        found = (await self.knowledge.search_knowledge(query, 1)).results[0]
        return found, Place(found.document_id, found.page, found.chunk_id, found.text, found.start)


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    made = Library(db, tmp_path)
    yield made
    await made.viewer.aclose()
    await made.knowledge.aclose()
    await db.aclose()


def marked(view: TextView) -> str:
    return "".join(run.text for run in view.runs if run.kind == "mark")


def ink(view: PageView, mark: Mark) -> int:
    """The darkest value (0 is black) under a mark."""
    top, left = round(mark.top * view.height), round(mark.left * view.width)
    rows = range(top, top + max(1, round(mark.height * view.height)))
    width = max(1, round(mark.width * view.width))
    return min(min(view.pixels[r * view.stride + 4 * left : r * view.stride + 4 * (left + width)]) for r in rows)


async def test_a_pdf_opens_at_its_page_with_the_passage_under_the_marks(library: Library, documents: Path) -> None:
    await add(library.knowledge, documents / "docling__multi_page.pdf")
    found, place = await library.find("Which software do screenwriters use?")
    view = await library.viewer.show(place, width_px=700)
    assert isinstance(view, PageView)
    assert (view.number, view.count, view.width) == (3, 5, 700)
    assert len(view.pixels) == view.stride * view.height
    assert found.text.split()[0] in view.text
    assert view.marks
    assert all(ink(view, mark) < 128 for mark in view.marks)
    assert all(0 <= m.left <= m.left + m.width <= 1 and 0 <= m.top <= m.top + m.height <= 1 for m in view.marks)
    assert view.note == ""
    following = await library.viewer.show(place, 4, 700)
    assert (following.number, getattr(following, "marks", None)) == (4, ())


@pytest.mark.slow
async def test_nearly_every_passage_of_real_pdfs_can_be_marked(library: Library, documents: Path) -> None:
    names = ("KG-RAG-da__20080111X00041.pdf", "markitdow__REPAIR-2022-INV-001_multipage.pdf", "pypdf__multilang.pdf")
    await add(library.knowledge, *(documents / name for name in names))
    drawer, missed, seen = PageDrawer(), [], 0
    for record in await library.knowledge.list_documents():
        for passage in await library.viewer._store.passages_of(record.id, 0, record.chunks):
            seen += 1
            drawn = drawer.draw(Path(record.path), passage.page or 1, 200, passage.text, passage.start)
            if not drawn.marks:
                missed.append(passage.text)
    drawer.close()
    assert seen > 20
    assert missed == []


async def test_a_text_opens_with_the_passage_marked_once_though_passages_overlap(
    library: Library, tmp_path: Path
) -> None:
    sentences = [f"Sentence {n} says that the number is {n} and nothing more than that." for n in range(40)]
    (tmp_path / "long.md").write_text("# Numbers\n\n" + " ".join(sentences))
    await add(library.knowledge, tmp_path / "long.md")
    found, place = await library.find("Sentence 17 says that the number is 17")
    view = await library.viewer.show(place)
    assert isinstance(view, TextView)
    assert marked(view) == found.text
    whole = "".join(run.text for run in view.runs)
    assert all(whole.count(f"the number is {n} and") == 1 for n in range(40))
    assert [run.text for run in view.runs if run.kind == "heading"] == ["Numbers\n"]


async def test_of_joined_passages_the_whole_is_marked(library: Library, tmp_path: Path) -> None:
    sentences = [f"Sentence {n} says that the number is {n} and nothing more than that." for n in range(40)]
    (tmp_path / "long.md").write_text("# Numbers\n\n" + " ".join(sentences))
    await add(library.knowledge, tmp_path / "long.md")
    found, place = await library.find("Sentence 17 says that the number is 17")
    wider = replace(place, start=found.start - 200, end=found.end + 200)
    view = await library.viewer.show(wider)
    assert isinstance(view, TextView)
    assert len(marked(view).replace("\n", " ")) == found.end - found.start + 400
    assert found.text in marked(view)


async def test_a_passage_is_found_again_after_the_document_was_cut_anew(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("The lease ends in May. Pets are allowed in the garden only.")
    await add(library.knowledge, file)
    _, place = await library.find("pets")
    file.write_text("A new first line. The lease ends in May. Pets are allowed in the garden only.")
    await add(library.knowledge, file)
    view = await library.viewer.show(place)
    assert isinstance(view, TextView)
    assert "Pets are allowed" in marked(view)


async def test_a_file_that_is_gone_shows_its_text_and_says_so(
    library: Library, documents: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "gone.pdf"
    copy.write_bytes((documents / "docling__multi_page.pdf").read_bytes())
    await add(library.knowledge, copy)
    found, place = await library.find("Which software do screenwriters use?")
    copy.unlink()
    view = await library.viewer.show(place)
    assert isinstance(view, TextView)
    assert marked(view) == found.text
    assert view.note == "gone.pdf is not where it was. This is its text as it was read."
    await library.knowledge.remove([place.document_id])
    with pytest.raises(KnowledgeError, match="no longer there"):
        await library.viewer.show(place)


async def test_a_pdf_that_broke_since_shows_its_text_and_says_so(
    library: Library, documents: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "broken.pdf"
    copy.write_bytes((documents / "docling__multi_page.pdf").read_bytes())
    await add(library.knowledge, copy)
    _, place = await library.find("Which software do screenwriters use?")
    copy.write_bytes(b"%PDF-1.7 and then nothing of use")
    view = await library.viewer.show(place)
    assert isinstance(view, TextView)
    assert view.note.startswith("broken.pdf is damaged.")


def test_bad_pdfs_are_sentences_and_the_next_page_is_drawn(documents: Path) -> None:
    drawer = PageDrawer()
    try:
        for name in (
            "made__bitflipped_tracemonkey.pdf",
            "made__xref_cut.pdf",
            "sample-fi__libreoffice-writer-password.pdf",
        ):
            with pytest.raises(DocumentUnreadable):
                drawer.draw(documents / name, 1, 300)
        with pytest.raises(DocumentUnreadable, match="has no page 99"):
            drawer.draw(documents / "docling__multi_page.pdf", 99, 300)
        assert drawer.draw(documents / "docling__multi_page.pdf", 1, 300).width == 300
    finally:
        drawer.close()


def test_a_page_of_any_size_stays_within_bounds(documents: Path) -> None:
    drawer = PageDrawer()
    try:
        drawn = drawer.draw(documents / "docling__multi_page.pdf", 1, 100_000)
    finally:
        drawer.close()
    assert drawn.width * drawn.height <= 24_100_000
