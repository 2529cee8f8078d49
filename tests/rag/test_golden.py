"""Golden questions: what must be found, asked again after each change, with the trend kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.rag.conftest import add
from vpa_desktop.errors import DocumentUnreadable, UsageError
from vpa_desktop.rag.embedder import OnnxEmbedder
from vpa_desktop.rag.golden import GoldenDesk
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.golden import RUNS_KEPT, GoldenStore


@pytest.fixture
async def base(tmp_path: Path) -> AsyncIterator[KnowledgeBase]:
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    made = KnowledgeBase(db, tmp_path / "index", embedder=OnnxEmbedder(processes=1))
    yield made
    await made.aclose()
    await db.aclose()


def desk_of(knowledge: KnowledgeBase) -> GoldenDesk:
    made = GoldenDesk(knowledge, GoldenStore(knowledge._db))
    knowledge.changed = made.rerun
    return made


async def test_each_change_runs_the_questions_and_keeps_how_it_went(base: KnowledgeBase, tmp_path: Path) -> None:
    desk = desk_of(base)
    lease, menu = tmp_path / "lease.md", tmp_path / "menu.md"
    lease.write_text("Pets are allowed in the garden only. The lease ends in May.")
    menu.write_text("The soup of the day is made of tomatoes.")
    await add(base, lease, menu)
    asked = await desk.add("Are pets allowed?", "lease.md")
    (run,) = await desk.run()
    assert (run.found, run.questions, run.mean_reciprocal_rank) == (1, 1, 1.0)
    assert run.ranks[0].question_id == asked.id
    lease.write_text("This page was left empty on purpose, with a great many other words about nothing.")
    await add(base, lease, menu)
    await base.remove([asked.document_id])
    runs = await desk.runs()
    assert len(runs) == 3
    assert [each.found for each in runs][::2] == [1, 0]
    await add(base, menu)  # nothing changed, nothing is asked
    assert len(await desk.runs()) == 3


async def test_a_page_that_is_named_must_be_the_one_found(base: KnowledgeBase, documents: Path) -> None:
    desk = desk_of(base)
    await add(base, documents / "docling__multi_page.pdf")
    await desk.add("Which software do screenwriters use?", "docling__multi_page.pdf", 3)
    await desk.add("Which software do screenwriters use?", "docling__multi_page.pdf", 5)
    (run,) = await desk.run()
    assert run.ranks[0].rank == 1
    assert run.ranks[1].rank != 1
    with pytest.raises(DocumentUnreadable, match="has no page 99"):
        await desk.add("Anything?", "docling__multi_page.pdf", 99)


async def test_what_cannot_be_saved_says_why(base: KnowledgeBase) -> None:
    desk = desk_of(base)
    await base.add_document("a", "Same", "One text about cats and nothing else.")
    await base.add_document("b", "Same", "Another text about dogs and nothing else.")
    with pytest.raises(DocumentUnreadable, match="There is no document nowhere"):
        await desk.add("Where?", "nowhere.pdf")
    with pytest.raises(DocumentUnreadable, match="There are 2 documents named Same"):
        await desk.add("Where?", "Same")
    with pytest.raises(UsageError, match="not saved"):
        await desk.add("  ", "a")
    kept = await desk.add("What about cats?", "a")
    assert await desk.add(" What about cats?", "a") == kept
    assert await desk.remove([kept.id, "unknown"]) == 1
    assert await desk.questions() == []
    assert await desk.run() == []


async def test_collections_are_asked_apart(base: KnowledgeBase) -> None:
    desk = desk_of(base)
    await base.add_document("a", "Cats", "A text about cats and nothing else.", collection="pets")
    await base.add_document("b", "Cars", "A text about cars and nothing else.", collection="cars")
    await desk.add("What about cats?", "a", collection="pets")
    with pytest.raises(DocumentUnreadable, match="not to this collection"):
        await desk.add("What about cats?", "a", collection="cars")
    await desk.add("What about cars?", "b")
    assert [(run.collection, run.found) for run in await desk.run()] == [("", 1), ("pets", 1)]
    assert len(await desk.runs("pets")) == 1


async def test_only_the_last_runs_are_kept(base: KnowledgeBase) -> None:
    desk, store = desk_of(base), GoldenStore(base._db)
    await base.add_document("a", "Cats", "A text about cats and nothing else.")
    await desk.add("What about cats?", "a")
    (run,) = await desk.run()
    for _ in range(RUNS_KEPT + 5):
        await store.add_run(run)
    assert len(await store.runs("", 1_000)) == RUNS_KEPT
