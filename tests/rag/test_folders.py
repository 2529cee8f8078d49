"""Which files a person means: nothing outside what they chose, nothing that hangs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vpa_desktop.rag.folders import files_in, is_gone


def names(*paths: Path) -> list[str]:
    return [path.name for path in files_in(paths)]


def test_a_folder_gives_its_documents_once(tmp_path: Path) -> None:
    for name in ("b.txt", "a.pdf", "sub/c.md", ".hidden.txt", ".git/config", "song.mp3", "node_modules/x.md"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    assert names(tmp_path) == ["a.pdf", "b.txt", "c.md"]
    assert names(tmp_path, tmp_path / "b.txt", tmp_path / "sub") == ["a.pdf", "b.txt", "c.md"]


def test_a_file_that_was_named_is_always_taken(tmp_path: Path) -> None:
    assert names(tmp_path / "photo.jpg", tmp_path / ".hidden", tmp_path / "missing.txt") == [
        "photo.jpg",
        ".hidden",
        "missing.txt",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX files")
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
    assert names(chosen) == ["real.txt"]


def test_only_what_the_system_says_is_not_there_is_gone(tmp_path: Path) -> None:
    assert is_gone(tmp_path / "missing.txt")
    assert not is_gone(tmp_path)
    assert not is_gone(tmp_path / ("a" * 300))
