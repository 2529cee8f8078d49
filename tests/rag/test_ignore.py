"""What .vpaignore says, as Git would read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rag.test_folders import make, names, walk_of
from vpa_desktop.rag.ignore import IgnoreRules, read_rules


@pytest.mark.parametrize(
    ("line", "left_out", "kept"),
    [
        ("*.log", ["a.log", "x/y/a.log"], ["a.log.txt", "log"]),
        ("/top.txt", ["top.txt"], ["x/top.txt"]),
        ("x/y.txt", ["x/y.txt"], ["z/x/y.txt"]),
        ("**/deep.txt", ["deep.txt", "x/y/deep.txt"], ["deep.txt.md"]),
        ("a/**/b.txt", ["a/b.txt", "a/x/y/b.txt"], ["b.txt", "x/a/b.txt"]),
        ("a/**", ["a/x", "a/x/y"], ["a"]),
        ("d?aft.md", ["draft.md"], ["d/aft.md", "daft.md"]),
        ("[ab]*.md", ["a1.md", "b.md"], ["c.md", "sub"]),
        ("[!ab].md", ["c.md"], ["a.md", "/.md"]),
        (r"\#count.txt", ["#count.txt"], ["count.txt"]),
        ("# a remark", [], ["# a remark"]),
        ("two words.txt   ", ["two words.txt"], ["two"]),
        ("a+(b).txt", ["a+(b).txt"], ["aab.txt"]),
        ("[z-a].txt", [], ["z.txt"]),
    ],
)
def test_a_pattern_means_what_it_means_to_git(line: str, left_out: list[str], kept: list[str]) -> None:
    rules = read_rules(line)
    for path in left_out:
        assert any(rule.pattern.fullmatch(path) for rule in rules), path
    for path in kept:
        assert not any(rule.pattern.fullmatch(path) for rule in rules), path


def test_the_last_rule_that_fits_decides_and_nearer_files_come_first(tmp_path: Path) -> None:
    make(tmp_path, "a.log", "keep.log", "drafts/b.md", "drafts/c.md", "x/drafts.md", "x/also.log", "x/y/private.md")
    (tmp_path / ".vpaignore").write_text("*.log\n!keep.log\ndrafts/\n")
    (tmp_path / "x" / ".vpaignore").write_text("!also.log\ny/*\n")
    assert names(walk_of(tmp_path)) == ["also.log", "drafts.md", "keep.log"]


def test_what_is_left_out_by_itself_can_be_called_back(tmp_path: Path) -> None:
    make(tmp_path, "node_modules/read.md", ".notes/n.md", ".other/n.md")
    (tmp_path / ".vpaignore").write_text("!node_modules/\n!/.notes/\n")
    assert names(walk_of(tmp_path)) == ["n.md", "read.md"]


def test_a_single_path_is_judged_by_all_above_it(tmp_path: Path) -> None:
    make(tmp_path, "drafts/deep/a.md", "b.md", "node_modules/c.md")
    (tmp_path / ".vpaignore").write_text("drafts/\n")
    rules = IgnoreRules(str(tmp_path))
    assert rules.leaves_out_by_way(str(tmp_path / "drafts" / "deep" / "a.md"))
    assert rules.leaves_out_by_way(str(tmp_path / "node_modules" / "c.md"))
    assert not rules.leaves_out_by_way(str(tmp_path / "b.md"))


def test_the_programs_own_files_are_never_documents(tmp_path: Path) -> None:
    make(tmp_path, "index/passages.txt", "mine.txt")
    rules = IgnoreRules(str(tmp_path), frozenset([str(tmp_path / "index")]))
    assert rules.leaves_out_by_way(str(tmp_path / "index" / "passages.txt"))
    assert not rules.leaves_out_by_way(str(tmp_path / "mine.txt"))
