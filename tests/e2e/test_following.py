"""Folders followed by the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.program import Program

POSIX = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs POSIX signals")

CTRL_C_COUNTS = """
import signal
from vpa_desktop.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
raise SystemExit(main())
"""
"""The program as a terminal starts it: what runs in the background of a script is born deaf to Ctrl+C."""


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def listed(program: Program) -> list[str]:
    return sorted(document["document"] for document in program("docs", "list", "--json").json["documents"])


def test_sync_finds_new_files_and_a_forgotten_folder_keeps_its_documents(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    write(folder / "one.md", "# One\n\nThe harbour closes at nine.\n")
    assert program("docs", "add", str(folder)).code == 0
    write(folder / "two.md", "# Two\n\nThe lighthouse was painted white.\n")
    (folder / "one.md").rename(folder / "first.md")
    report = program("docs", "sync", "--json").json
    assert {key: report[key] for key in ("added", "moved", "removed", "failed")} == {
        "added": 1, "moved": 1, "removed": 0, "failed": [],
    }  # fmt: skip
    assert listed(program) == ["first.md", "two.md"]
    (followed,) = program("docs", "folders", "--json").json["folders"]
    assert (followed["path"], followed["documents"]) == (str(folder), 2)
    assert program("docs", "forget", str(folder)).code == 0
    assert program("docs", "folders", "--json").json["folders"] == []
    assert listed(program) == ["first.md", "two.md"]
    again = program("docs", "forget", str(folder))
    assert (again.code, again.err.startswith("error: ")) == (7, True)
    nothing = program("docs", "watch")
    assert (nothing.code, "Name one: vpa-desktop docs watch PATH" in nothing.err) == (7, True)


@POSIX
def test_watch_follows_until_it_is_interrupted(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    write(folder / "one.md", "# One\n\nThe harbour closes at nine.\n")
    command = [sys.executable, "-c", CTRL_C_COUNTS, "docs", "watch", str(folder)]
    with subprocess.Popen(
        command, cwd=tmp_path, env=program.variables({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert f"Following {folder} (Ctrl+C ends it)." in watch.stdout.readline()
        watch.send_signal(signal.SIGUSR1)
        assert watch.stderr.readline() == f"Paused. It goes on with: kill -USR1 {watch.pid}\n"
        write(folder / "two.md", "# Two\n\nThe lighthouse was painted white.\n")
        watch.send_signal(signal.SIGUSR1)
        assert watch.stderr.readline() == "Goes on.\n"
        assert watch.stdout.readline().startswith("1 added, 0 updated")
        found = program("docs", "search", "lighthouse", "--json").json["results"]
        assert [result["document"] for result in found][:1] == ["two.md"]
        watch.send_signal(signal.SIGINT)
        assert watch.wait(30) == 130
    assert listed(program) == ["one.md", "two.md"]


@POSIX
def test_watch_says_in_json_what_it_follows(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    write(folder / "one.md", "# One\n\nThe harbour closes at nine.\n")
    command = [sys.executable, "-m", "vpa_desktop", "docs", "watch", str(folder), "--json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=program.variables({}), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as watch:
        assert watch.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1] != "}\n":
            lines.append(watch.stdout.readline())
        said = json.loads("".join(lines))
        assert (said["added"], said["following"], said["pid"]) == (1, [str(folder)], watch.pid)
        os.kill(watch.pid, signal.SIGTERM)
        watch.wait(30)
        assert watch.stdout.read() == ""
