"""Which files a person means: nothing outside what they chose, nothing that hangs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpa_desktop.rag.folders import PORTION, Disk, Walk, file_id_of, is_gone
from vpa_desktop.rag.ignore import IgnoreRules

POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX files")


class LockedDisk(Disk):
    """A disk with a folder that may not be looked into; tests may run as root, for whom no folder is locked."""

    def __init__(self, locked: Path) -> None:
        self._locked = str(locked)

    def entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        if folder == self._locked:
            raise PermissionError(13, "Permission denied", folder)
        yield from super().entries(folder)


class OtherDisk(Disk):
    """A disk of which one folder is where another one is mounted, with that number; 0 while it is not."""

    def __init__(self, device: int, folder: Path) -> None:
        self.device = device
        self._folder = str(folder)

    def stat(self, path: str) -> os.stat_result:
        facts = super().stat(path)
        if not self.device or not (path + os.sep).startswith(self._folder + os.sep):
            return facts
        finer = {"st_mtime_ns": facts.st_mtime_ns, "st_atime_ns": facts.st_atime_ns}
        return os.stat_result([*facts[:2], self.device, *facts[3:10]], finer)


def walk_of(root: Path, disk: Disk | None = None) -> Walk:
    return Walk(IgnoreRules(str(root)), disk or Disk())


def names(walk: Walk) -> list[str]:
    found: list[str] = []
    while portion := walk.portion():
        assert len(portion) <= PORTION
        found += [os.fsencode(file.path).rpartition(b"/")[2].decode("utf-8", "replace") for file in portion]
    return sorted(found)


def make(root: Path, *files: str) -> None:
    for name in files:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")


def test_a_folder_gives_its_documents(tmp_path: Path) -> None:
    make(tmp_path, "b.txt", "a.pdf", "sub/c.md", ".hidden.txt", ".git/config", "film.mp4", "node_modules/x.md")
    make(tmp_path, "~$report.docx", ".~lock.sheet.ods#", "half.pdf.part", "old.txt~", "notes.tmp", "Thumbs.db")
    assert names(walk_of(tmp_path)) == ["a.pdf", "b.txt", "c.md"]


def test_a_large_folder_comes_in_portions(tmp_path: Path) -> None:
    make(tmp_path, *(f"{n}.txt" for n in range(PORTION + 3)))
    walk = walk_of(tmp_path)
    assert len(walk.portion()) == PORTION
    assert len(walk.portion()) == 3
    assert walk.portion() == []


@POSIX
def test_links_loops_and_pipes_are_passed_over(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("x")
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "real.txt").write_text("x")
    (chosen / "link.txt").symlink_to(outside / "secret.txt")
    (chosen / "folder").symlink_to(outside)
    (chosen / "loop").symlink_to(chosen)
    os.mkfifo(chosen / "pipe.txt")
    assert names(walk_of(chosen)) == ["real.txt"]


@POSIX
def test_names_may_be_anything(tmp_path: Path) -> None:
    for name in (b"two\nlines.txt", b"caf\xe9.txt", "naïve.txt".encode()):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    assert names(walk_of(tmp_path)) == ["caf\ufffd.txt", "naïve.txt", "two\nlines.txt"]


def test_a_folder_without_rights_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    make(tmp_path, "a/open.txt", "locked/secret.txt", "z/open.txt")
    walk = walk_of(tmp_path, LockedDisk(tmp_path / "locked"))
    assert names(walk) == ["open.txt", "open.txt"]
    (failure,) = walk.failures
    assert failure.path == str(tmp_path / "locked")
    assert failure.reason.endswith("may not be looked into. You have no right to it. Change its permissions.")


def test_rules_that_cannot_be_read_close_their_folder(tmp_path: Path) -> None:
    make(tmp_path, "private/diary.txt", "open.txt")
    (tmp_path / "private" / ".vpaignore").mkdir()
    walk = walk_of(tmp_path)
    assert names(walk) == ["open.txt"]
    assert [failure.path for failure in walk.failures] == [str(tmp_path / "private")]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    walk = walk_of(tmp_path / "usb")
    assert names(walk) == []
    assert "is not there. It was moved, or its disk is not connected." in walk.failures[0].reason


def test_a_file_is_gone_when_its_disk_is_there_without_it(tmp_path: Path) -> None:
    make(tmp_path, "sub/a.txt")
    facts = (tmp_path / "sub").stat()
    file_id = file_id_of((tmp_path / "sub" / "a.txt").stat(), facts)
    file = str(tmp_path / "sub" / "a.txt")
    assert not is_gone(file, file_id, Disk())
    (tmp_path / "sub" / "a.txt").unlink()
    assert is_gone(file, file_id, Disk())
    (tmp_path / "sub").rmdir()
    assert is_gone(file, file_id, Disk())
    assert not is_gone(str(tmp_path), file_id, Disk())
    assert not is_gone(str(tmp_path / ("a" * 300)), file_id, Disk())


def test_a_file_on_a_disk_that_is_not_there_stays(tmp_path: Path) -> None:
    usb = tmp_path / "usb"
    usb.mkdir()
    on_usb = OtherDisk(0x77, usb)
    file, below = str(usb / "a.txt"), str(usb / "sub" / "b.txt")
    assert is_gone(file, "77:1", on_usb)
    assert not is_gone(file, "77:1", Disk()), "only the empty folder is left, on which the disk is mounted"
    assert not is_gone(below, "77:1", Disk())
    # After a restart the same disk has another number: what else lies in the folder tells it from an empty place.
    (usb / "other.txt").write_text("x")
    assert is_gone(file, "55:1", on_usb)
    assert not is_gone(below, "55:1", on_usb)
    assert is_gone(below, "55:1", on_usb, {"55": "77"})
