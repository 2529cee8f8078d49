"""Files that are stored together: few commits, nothing counted before it is stored, nothing of others overwritten."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.rag.conftest import add
from tests.rag.fakes import open_library
from tests.rag.test_keeping import age, counts, names, pages, write
from vpa_desktop.rag import together
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.parser_process import ParsedDocument, Parser
from vpa_desktop.records import IngestReport
from vpa_desktop.storage.file_changes import FileChange
from vpa_desktop.storage.vectors import VectorChange


@pytest.fixture
async def knowledge(tmp_path: Path) -> AsyncIterator[KnowledgeBase]:
    async with open_library(tmp_path) as opened:
        yield opened


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for number in range(100):
        write(tmp_path / "docs" / f"{number:03}.txt", f"Note {number} says where the key lies.")
    return tmp_path / "docs"


class HeldParser:
    """Lets a file of one name wait until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.begun, self.let = threading.Event(), threading.Event()
        real = Parser.parse_file

        def parse(parser: Parser, path: Path) -> ParsedDocument:
            if path.name == name and not self.begun.is_set():
                self.begun.set()
                assert self.let.wait(30)
            return real(parser, path)

        monkeypatch.setattr(Parser, "parse_file", parse)


async def test_many_small_files_are_few_commits(
    knowledge: KnowledgeBase, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "WAIT_AT_MOST_S", 600)
    made = list[int]()
    make = knowledge._stores.files.make

    async def counted(changes: Sequence[FileChange]) -> tuple[VectorChange, list[bool]]:
        made.append(len(changes))
        return await make(changes)

    monkeypatch.setattr(knowledge._stores.files, "make", counted)
    assert counts(await add(knowledge, docs)) == (100, 0, 0, 0, 0)
    assert made == [64, 36]
    for number in range(100):
        age(docs / f"{number:03}.txt", 30)
    assert counts(await knowledge.sync()) == (0, 0, 100, 0, 0)
    assert made[2:] == [64, 36], "that only their times are others is noted together, too"
    await asyncio.to_thread(docs.rename, docs.with_name("moved"))
    await knowledge.forget_folder(docs)
    assert counts(await add(knowledge, docs.with_name("moved"))) == (0, 0, 0, 100, 0)
    assert made[4:] == [64, 36]


async def test_what_was_read_is_found_while_the_next_file_is_still_read(
    knowledge: KnowledgeBase, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldParser(monkeypatch, "010.txt")
    adding = asyncio.create_task(add(knowledge, docs))
    await asyncio.to_thread(held.begun.wait)
    for _ in range(3_000):
        if len(await names(knowledge)) == 10:
            break
        await asyncio.sleep(0.01)
    assert (await knowledge.search_knowledge("Note 9 key", 1)).results[0].document == "009.txt"
    held.let.set()
    assert counts(await adding) == (100, 0, 0, 0, 0)


async def test_a_file_is_counted_when_it_is_stored(knowledge: KnowledgeBase, docs: Path) -> None:
    async with aclosing(knowledge.add_paths([docs])) as steps:
        async for step in steps:
            if isinstance(step, IngestReport) or step.files_done == 0:
                continue
            assert len(await knowledge.list_documents()) >= step.files_done


async def test_work_that_is_stopped_is_taken_up_again(knowledge: KnowledgeBase, docs: Path) -> None:
    async with aclosing(knowledge.add_paths([docs])) as steps:
        async for step in steps:
            if not isinstance(step, IngestReport) and step.files_done:
                break
    stored = len(await knowledge.list_documents())
    assert 0 < stored < 100
    assert counts(await knowledge.sync()) == (100 - stored, 0, stored, 0, 0)


async def test_a_document_taken_out_while_its_file_is_read_again_is_not_overwritten(
    knowledge: KnowledgeBase, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(knowledge, docs)
    for number in (10, 11):
        write(docs / f"{number:03}.txt", f"Another note {number}.")
    held = HeldParser(monkeypatch, "011.txt")
    syncing = asyncio.create_task(knowledge.sync())
    await asyncio.to_thread(held.begun.wait)
    (gone,) = [document.id for document in await knowledge.list_documents() if document.name == "011.txt"]
    await knowledge.remove([gone])
    held.let.set()
    report = await syncing
    assert (report.added, report.updated, report.unchanged) == (1, 1, 98), "it is read as a new one"
    assert len(await names(knowledge)) == 100


async def test_two_windows_that_add_the_same_files_make_no_document_twice(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as one, open_library(tmp_path) as other:
        first, second = await asyncio.gather(add(one, docs), add(other, docs))
        assert (first.failed, second.failed) == ((), ())
        assert first.added + second.added == 100
        assert len(await names(one)) == 100


async def test_files_that_change_places_are_followed_within_one_commit(
    knowledge: KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "WAIT_AT_MOST_S", 600)
    docs = tmp_path / "few"
    write(docs / "b.txt", pages(1))
    await add(knowledge, docs)
    before = {document.name: document.id for document in await knowledge.list_documents()}
    (docs / "b.txt").rename(docs / "a.txt")
    assert counts(await add(knowledge, docs)) == (0, 0, 0, 1, 0)
    (docs / "a.txt").rename(docs / "0.txt")
    write(docs / "a.txt", pages(2))
    write(docs / "b.txt", pages(3))
    os.utime(docs / "a.txt", (time.time() - 90, time.time() - 90))
    await knowledge.sync()
    after = {document.name: document for document in await knowledge.list_documents()}
    assert sorted(after) == ["0.txt", "a.txt", "b.txt"]
    assert len({document.id for document in after.values()}) == 3
    assert before["b.txt"] in {document.id for document in after.values()}
    for name, number in (("0.txt", 1), ("a.txt", 2), ("b.txt", 3)):
        (first, *_) = await knowledge._store.passages_of(after[name].id, 0, 0)
        assert f"Fact {number}-0 " in first.text
