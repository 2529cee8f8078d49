"""Folders are followed while the program runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.rag.conftest import add
from tests.rag.fakes import open_library
from tests.rag.test_keeping import names, pages, write
from vpa_desktop.errors import DiskFull
from vpa_desktop.rag.keeping import Keeping, Steps
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.watch import FolderWatch, Reports
from vpa_desktop.records import IngestProgress, IngestReport


class Heard:
    """What a watch said, and a way to wait for it."""

    def __init__(self) -> None:
        self.steps: list[IngestProgress | IngestReport] = []
        self.notes: list[str] = []

    @property
    def reports(self) -> list[IngestReport]:
        return [step for step in self.steps if isinstance(step, IngestReport)]


@asynccontextmanager
async def watching(knowledge: KnowledgeBase, heard: Heard) -> AsyncIterator[None]:
    """Follows the folders until the block ends; begins when the first look is over."""
    watch = FolderWatch(knowledge.keeping, knowledge.folders, heard.steps.append, heard.notes.append)
    task = asyncio.create_task(watch.run())
    try:
        await until(lambda: heard.notes != [])
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another thread
            await asyncio.sleep(0.02)


async def until_named(knowledge: KnowledgeBase, *expected: str) -> None:
    async with asyncio.timeout(30):
        while await names(knowledge) != list(expected):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def test_a_watch_takes_over_what_happens(tmp_path: Path) -> None:
    docs, heard = tmp_path / "docs", Heard()
    write(docs / "a.txt", pages(1))
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, docs)
        async with watching(knowledge, heard):
            assert heard.steps == [], "a look that finds nothing is not told"
            write(docs / "sub" / "b.txt", pages(2))
            write(docs / "sub" / "b.txt.part", pages(3))
            await until_named(knowledge, "a.txt", "b.txt")
            (docs / "a.txt").rename(docs / "z.txt")
            await until_named(knowledge, "b.txt", "z.txt")
            await until(lambda: sum(report.moved for report in heard.reports) == 1)
            (docs / "sub" / "b.txt").unlink()
            await until_named(knowledge, "z.txt")
            (docs / ".vpaignore").write_text("z.*\n")
            await until_named(knowledge)
        assert (await knowledge.check())["passages"] == 0


async def test_a_folder_that_is_added_later_is_followed_too(tmp_path: Path) -> None:
    first, second, heard = tmp_path / "first", tmp_path / "second", Heard()
    write(first / "a.txt", pages(1))
    write(second / "b.txt", pages(2))
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, first)
        async with watching(knowledge, heard):
            await add(knowledge, second)
            await until(lambda: len(heard.notes) > 1)
            write(second / "c.txt", pages(3))
            await until_named(knowledge, "a.txt", "b.txt", "c.txt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX files")
async def test_what_a_walk_would_pass_over_is_passed_over(tmp_path: Path) -> None:
    docs, outside = tmp_path / "docs", tmp_path / "outside"
    write(docs / "a.txt", pages(1))
    write(outside / "secret.txt", pages(2))
    (docs / "link").symlink_to(outside)
    os.mkfifo(docs / "pipe.txt")
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, docs)
        touched = [
            docs / "link" / "secret.txt",
            docs / "link",
            docs / "pipe.txt",
            outside / "secret.txt",
            docs / "a.txt",
        ]
        async for step in knowledge.keeping.follow([str(path) for path in touched]):
            if isinstance(step, IngestReport):
                assert (step.added, step.failed) == (0, ())
        assert await names(knowledge) == ["a.txt"]


class FullDisk(Keeping):
    """Cannot store anything, the first time."""

    def __init__(self, whole: Keeping) -> None:
        self.__dict__.update(whole.__dict__)
        self.is_full = True

    async def sync(self, *, background: bool = False) -> Steps:
        if self.is_full:
            raise DiskFull("Nothing more can be saved: the disk is full", "", "Free some space")
        async for step in super().sync(background=background):
            yield step


async def test_an_error_is_said_and_unsaid_when_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs, heard = tmp_path / "docs", Heard()
    write(docs / "a.txt", pages(1))
    monkeypatch.setattr("vpa_desktop.rag.watch.LOOK_AGAIN_S", 0.05)
    async with open_library(tmp_path) as knowledge:
        keeping = FullDisk(knowledge.keeping)
        watch = FolderWatch(keeping, knowledge.folders, heard.steps.append, heard.notes.append)
        task = asyncio.create_task(watch.run())
        await until(lambda: len(heard.notes) > 1)
        assert heard.notes[0].startswith("Nothing more can be saved: the disk is full.")
        keeping.is_full = False
        await until(lambda: heard.notes[-1] == "")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_folder_that_is_not_there_reports_nothing(tmp_path: Path) -> None:
    reports = Reports(str(tmp_path / "usb"), lambda: None)
    assert await asyncio.to_thread(reports.begun.wait, 10)
    assert reports.are_refused
    assert reports.take() == set()
    reports.stop()
