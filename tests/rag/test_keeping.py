"""Documents follow the disk: what is new, changed, moved or gone, and what it costs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rag.conftest import add
from tests.rag.fakes import HashEmbedder, open_library
from tests.rag.test_folders import OtherDisk
from vpa_desktop.rag.folders import Disk
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.patience import Patience
from vpa_desktop.records import IngestReport


class SilentDisk(Disk):
    """A disk of which one folder never answers, as on a network drive that is gone."""

    def __init__(self, silent: Path) -> None:
        self._silent = str(silent)
        self.is_silent = True
        self.over = threading.Event()
        self.asked = 0

    def entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        self._ask(folder)
        yield from super().entries(folder)

    def stat(self, path: str) -> os.stat_result:
        self._ask(path)
        return super().stat(path)

    def _ask(self, path: str) -> None:
        if self.is_silent and (path + os.sep).startswith(self._silent + os.sep):
            self.asked += 1
            self.over.wait()


def pages(*numbers: int) -> str:
    """A text of several passages; each number is one that differs from all others."""
    return "\n\n".join(" ".join(f"Fact {number}-{n} is that it rains." for n in range(30)) for number in numbers)


async def names(knowledge: KnowledgeBase) -> list[str]:
    return sorted(document.name for document in await knowledge.list_documents())


def counts(report: IngestReport) -> tuple[int, int, int, int, int]:
    assert report.failed == ()
    return report.added, report.updated, report.unchanged, report.moved, report.removed


def write(file: Path, text: str) -> None:
    """Writes a file as if a while ago: what was written this very moment is not taken for settled."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    age(file)


def age(file: Path, seconds: float = 60) -> None:
    then = time.time() - seconds
    os.utime(file, (then, then))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    for name in ("a", "b", "sub/c"):
        write(folder / f"{name}.txt", pages(ord(name[-1])))
    return folder


async def test_sync_finds_what_is_new_changed_and_gone_in_a_folder_that_was_added(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as knowledge:
        assert counts(await add(knowledge, docs)) == (3, 0, 0, 0, 0)
        assert counts(await knowledge.sync()) == (0, 0, 3, 0, 0)
        write(docs / "new" / "d.txt", pages(1))
        write(docs / "a.txt", pages(2))
        (docs / "b.txt").unlink()
        assert counts(await knowledge.sync()) == (1, 1, 1, 0, 1)
        assert await names(knowledge) == ["a.txt", "c.txt", "d.txt"]
        facts = await knowledge.check()
        assert (facts["passages_without_vector"], facts["index"]) == (0, "ok")


async def test_a_folder_that_is_deleted_takes_its_documents_along(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, docs)
        (docs / "sub" / "c.txt").unlink()
        (docs / "sub").rmdir()
        assert counts(await knowledge.sync()) == (0, 0, 2, 0, 1)


async def test_an_unchanged_file_is_not_opened(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, docs)
        was = (docs / "a.txt").stat()
        (docs / "a.txt").write_text(pages(98))
        os.utime(docs / "a.txt", ns=(was.st_atime_ns, was.st_mtime_ns))
        assert counts(await knowledge.sync()) == (0, 0, 3, 0, 0), "size, time and number say that it is the same"


async def test_a_file_written_with_the_same_size_and_time_is_looked_into_where_it_is_another(
    tmp_path: Path, docs: Path
) -> None:
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, docs)
        was = (docs / "a.txt").stat()
        (docs / "other.tmp").write_text(pages(98))
        os.utime(docs / "other.tmp", ns=(was.st_atime_ns, was.st_mtime_ns))
        (docs / "other.tmp").replace(docs / "a.txt")
        assert counts(await knowledge.sync()) == (0, 1, 2, 0, 0)


async def test_a_file_written_this_moment_is_looked_into_again(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as knowledge:
        (docs / "a.txt").write_text("The first version of it.")
        await add(knowledge, docs)
        was = (docs / "a.txt").stat()
        (docs / "a.txt").write_text("The other version of it.")
        os.utime(docs / "a.txt", ns=(was.st_atime_ns, was.st_mtime_ns))
        assert counts(await knowledge.sync()) == (0, 1, 2, 0, 0)


async def test_an_edit_embeds_only_the_passages_that_are_new(tmp_path: Path) -> None:
    docs, embedder = tmp_path / "docs", HashEmbedder()
    write(docs / "book.md", "\n\n".join(f"# Chapter {n}\n\n{pages(n)}" for n in range(8)))
    async with open_library(tmp_path, embedder) as knowledge:
        await add(knowledge, docs)
        before = len(embedder.embedded)
        changed = [n if n != 3 else 33 for n in range(8)]
        write(docs / "book.md", "\n\n".join(f"# Chapter {n}\n\n{pages(c)}" for n, c in enumerate(changed)))
        assert counts(await knowledge.sync()) == (0, 1, 0, 0, 0)
        again = embedder.embedded[before:]
        assert 0 < len(again) <= before // 8 + 1
        assert all("Fact 33-" in text for text in again)


async def test_a_move_keeps_the_document_its_passages_and_vectors(tmp_path: Path, docs: Path) -> None:
    embedder = HashEmbedder()
    async with open_library(tmp_path, embedder) as knowledge:
        await add(knowledge, docs)
        before = {document.name: document.id for document in await knowledge.list_documents()}
        made = len(embedder.embedded)
        (docs / "later").mkdir()
        (docs / "a.txt").rename(docs / "later" / "z.txt")
        (docs / "sub").rename(docs / "other")
        assert counts(await knowledge.sync()) == (0, 0, 1, 2, 0)
        after = {document.name: document.id for document in await knowledge.list_documents()}
        assert after == {"z.txt": before["a.txt"], "b.txt": before["b.txt"], "c.txt": before["c.txt"]}
        assert len(embedder.embedded) == made
        found = (await knowledge.search_knowledge(f"Fact {ord('a')}-3", 1)).results[0]
        assert (found.document, found.title) == ("z.txt", "z.txt")
        write(docs / "a.txt", pages(77))
        assert counts(await knowledge.sync()) == (1, 0, 3, 0, 0), "the old name is free for another document"


async def test_a_copy_is_another_document(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, docs)
        write(docs / "copy.txt", (docs / "a.txt").read_text())
        assert counts(await knowledge.sync()) == (1, 0, 3, 0, 0)


async def test_what_was_taken_out_stays_out_until_it_is_named(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, docs)
        (a,) = [document.id for document in await knowledge.list_documents() if document.name == "a.txt"]
        await knowledge.remove([a])
        assert counts(await knowledge.sync()) == (0, 0, 2, 0, 0)
        assert counts(await add(knowledge, docs / "a.txt")) == (1, 0, 0, 0, 0)
        assert await names(knowledge) == ["a.txt", "b.txt", "c.txt"]


async def test_new_rules_take_out_what_came_with_the_folder_but_not_what_was_named(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, docs / "b.txt")
        (docs / ".vpaignore").write_text("a.txt\nb.txt\n")
        await add(knowledge, docs)
        assert await names(knowledge) == ["b.txt", "c.txt"]
        (docs / ".vpaignore").write_text("sub/\nb.txt\n")
        await knowledge.sync()
        assert await names(knowledge) == ["a.txt", "b.txt"]


async def test_a_folder_can_be_forgotten_and_its_documents_stay(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as knowledge:
        await add(knowledge, docs, collection="work")
        (folder,) = await knowledge.folders()
        assert (folder.path, folder.collection, folder.documents) == (str(docs), "work", 3)
        assert await knowledge.forget_folder(docs)
        assert not await knowledge.forget_folder(docs)
        write(docs / "new.txt", pages(1))
        assert counts(await knowledge.sync()) == (0, 0, 3, 0, 0)


async def test_folders_inside_each_other_give_each_file_once(tmp_path: Path, docs: Path) -> None:
    async with open_library(tmp_path) as knowledge:
        assert counts(await add(knowledge, docs, docs / "sub", docs / "b.txt")) == (3, 0, 0, 0, 0)
        assert await names(knowledge) == ["a.txt", "b.txt", "c.txt"]
        assert counts(await knowledge.sync()) == (0, 0, 3, 0, 0)


async def test_documents_stay_while_their_disk_is_not_there(tmp_path: Path) -> None:
    usb, drawer = tmp_path / "usb", tmp_path / "drawer"
    for name in ("a.txt", "b.txt", "sub/c.txt"):
        write(usb / name, pages(ord(name[-5])))
    disk = OtherDisk(0x77, usb)
    async with open_library(tmp_path, disk=disk) as knowledge:
        assert counts(await add(knowledge, usb)) == (3, 0, 0, 0, 0)
        usb.rename(drawer)
        for is_left in (False, True):
            if is_left:  # the empty folder on which the disk was mounted
                usb.mkdir()
            disk.device = 0
            report = await knowledge.sync()
            assert (report.removed, report.added) == (0, 0)
            assert await names(knowledge) == ["a.txt", "b.txt", "c.txt"]
        usb.rmdir()
        drawer.rename(usb)
        disk.device = 0x99  # the number it has after a restart
        (usb / "sub" / "c.txt").unlink()
        (usb / "sub").rmdir()
        assert counts(await knowledge.sync()) == (0, 0, 2, 0, 1)


async def test_a_drive_that_does_not_answer_holds_nothing_else_up(tmp_path: Path, docs: Path) -> None:
    disk = SilentDisk(docs / "sub")
    try:
        async with open_library(tmp_path, disk=disk, patience=Patience(0.2)) as knowledge:
            report = await add(knowledge, docs)
            assert report.added == 2
            (failure,) = report.failed
            assert failure.path == str(docs / "sub")
            assert "It does not answer." in failure.reason
            disk.is_silent = False
            assert counts(await knowledge.sync()) == (1, 0, 2, 0, 0)
            disk.is_silent, disk.asked = True, 0
            report = await knowledge.sync()
            assert (report.unchanged, report.removed) == (2, 0)
            assert await names(knowledge) == ["a.txt", "b.txt", "c.txt"]
            assert disk.asked == 1, "who does not answer is asked once in a check, not once for each file"
    finally:
        disk.over.set()


async def test_a_file_that_leaves_while_it_is_read_is_no_failure(tmp_path: Path, docs: Path) -> None:
    class Vanishing(Disk):
        """Lists a file that is gone when it is looked at."""

        def stat(self, path: str) -> os.stat_result:
            if path.endswith("b.txt"):
                raise FileNotFoundError(2, "No such file", path)
            return super().stat(path)

    async with open_library(tmp_path, disk=Vanishing()) as knowledge:
        assert counts(await add(knowledge, docs)) == (2, 0, 0, 0, 0)
        report = await add(knowledge, docs / "b.txt")
        assert "is not there" in report.failed[0].reason, "a file that was named is missed"


async def test_names_that_are_not_unicode_are_said(tmp_path: Path, docs: Path) -> None:
    write(Path(os.fsdecode(os.fsencode(docs) + b"/caf\xe9.txt")), pages(5))
    write(docs / "two\nlines.txt", pages(6))
    async with open_library(tmp_path) as knowledge:
        report = await add(knowledge, docs)
        assert report.added == 4
        assert [failure.reason for failure in report.failed] == [
            "Its name is not written in Unicode. Rename it and add it again."
        ]
        assert "two\nlines.txt" in await names(knowledge)
