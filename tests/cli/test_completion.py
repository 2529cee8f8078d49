"""Completion: what may come next, and that bash, zsh and fish really offer it when TAB is pressed."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpa_desktop.cli.completion import FILES, FOLDERS, complete
from vpa_desktop.cli.shells import script

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
[providers.openai_main]
kind = "openai"
model = "gpt-4o"
[providers."mine:2"]
kind = "mock"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with two providers, a conversation, and a document in a collection."""
    home = tmp_path / "my home"
    home.mkdir()
    (home / "settings.toml").write_text(SETTINGS)
    with contextlib.closing(sqlite3.connect(home / "vpa.db")) as db, db:
        db.execute("CREATE TABLE conversations (id TEXT, title TEXT, updated_at TEXT)")
        db.execute("INSERT INTO conversations VALUES ('c0ffee', 'Coffee\n\x1b[31m and tea', '2026')")
        db.execute("CREATE TABLE documents (id TEXT, title TEXT, collection TEXT)")
        db.execute("INSERT INTO documents VALUES ('d0c', 'Lease', 'contracts 2026')")
    return home


@pytest.fixture(autouse=True)
def _here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPA_HOME", str(home))


def words(*typed: str) -> list[str]:
    return [line.partition("\t")[0] for line in complete(typed)]


def test_commands_and_options_come_from_the_parser_with_what_they_do() -> None:
    assert {"ask", "docs", "providers", "completion"} <= set(words(""))
    assert words("prov") == ["providers"]
    assert complete(["ask", "--over"]) == ["--over-limit\tsend it although a spending limit could be passed"]
    assert words("providers", "add", "x", "--kind", "open") == ["openai", "openai_compatible"]
    assert words("providers", "add", "x", "--kind=open") == ["--kind=openai", "--kind=openai_compatible"]
    assert words("completion", "f") == ["fish"]


def test_bash_takes_a_word_apart_at_the_equals_sign() -> None:
    for typed in (["costs", "--by", "=", "m"], ["costs", "--by=m"]):
        assert complete(typed, cut_at_equals=True) == ["model"]
    assert complete(["costs", "--by", "="], cut_at_equals=True) == ["provider", "model", "key", "day"]


def test_ids_are_offered_with_what_they_are_called() -> None:
    assert words("ask", "--provider", "") == ["local", "mine:2", "openai_main"]
    assert complete(["providers", "test", "open"]) == ["openai_main\tgpt-4o"]
    assert words("providers", "add", "") == []  # a name of one's own
    assert complete(["chats", "show", ""]) == ["c0ffee\tCoffee [31m and tea"]
    assert words("ask", "--conversation", "") == ["new", "c0ffee"]
    assert words("ask", "--docs", "--collection", "") == ["contracts 2026"]
    assert words("docs", "remove", "") == ["d0c"]
    assert words("providers", "order", "local", "mine") == ["mine:2"]
    assert words("help", "exit") == ["exit-codes"]


def test_files_and_folders_are_left_to_the_shell() -> None:
    assert words("docs", "add", "a", "") == [FILES]
    assert words("ask", "--image", "x") == [FILES]
    assert words("--home", "") == [FOLDERS]


def test_another_home_on_the_line_is_heeded(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    assert words("--home", str(empty), "chats", "show", "") == []
    assert words("ask", f"--home={empty}", "--provider", "") == ["local"]


@pytest.mark.parametrize(
    "typed",
    [["nonsense", ""], ["ask", "--nonsense", "--prov=x"], ["ask", "--nonsense=x"], ["--", ""], ["stats", "x", "y", ""]],
)
def test_what_is_no_command_has_no_continuation_and_no_fault(typed: list[str]) -> None:
    complete(typed)


def test_damaged_settings_and_a_damaged_database_are_no_matter_here(home: Path) -> None:
    (home / "settings.toml").write_bytes(b"[providers\n\xff")
    (home / "vpa.db").write_bytes(b"not a database" * 100)
    assert words("ask", "--provider", "") == ["local"]
    assert words("chats", "show", "") == []


@pytest.fixture
def typed_at(home: Path, tmp_path: Path) -> Path:
    """A ``vpa-desktop`` on the path that completes as the real one, and otherwise writes down what it was given."""
    program = tmp_path / "bin" / "vpa-desktop"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexport PYTHONPATH="{ROOT}"\n'
        f'if [ "$1" = __complete ]; then exec "{sys.executable}" -m vpa_desktop "$@"; fi\n'
        'for word in "$@"; do printf "%s\\n" "$word"; done > given.part\nmv given.part given\n'
    )
    program.chmod(0o755)
    (tmp_path / "a paper.txt").write_text("")
    return program


LINES = [
    (r"vpa-desktop provi\tli\t--js\t", ["providers", "list", "--json"]),
    (r"vpa-desktop ask --provider openai_\thello", ["ask", "--provider", "openai_main", "hello"]),
    (r"vpa-desktop providers add x --kind anth\t", ["providers", "add", "x", "--kind", "anthropic"]),
    (r"vpa-desktop chats show c0\t", ["chats", "show", "c0ffee"]),
    (r"vpa-desktop ask --collection contr\t", ["ask", "--collection", "contracts 2026"]),
    (r"vpa-desktop docs add a\t", ["docs", "add", "a paper.txt"]),
    (r"vpa-desktop providers test mine\t", ["providers", "test", "mine:2"]),
]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_tab_completes_in_the_real_shell(shell: str, typed_at: Path, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    with _terminal(shell, typed_at, tmp_path) as terminal:
        for line, given in LINES:
            os.write(terminal, line.replace(r"\t", "\t").encode() + b"\r")
            assert _given(terminal, tmp_path / "given") == given, line


def test_zsh_finds_it_as_a_file_in_its_path_of_functions(typed_at: Path, tmp_path: Path) -> None:
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "_vpa-desktop").write_text(script("zsh"))
    with _terminal("zsh", typed_at, tmp_path, begin=f"fpath=({functions} $fpath)\n", loaded=False) as terminal:
        os.write(terminal, b"vpa-desktop provi\tli\t\r")
        assert _given(terminal, tmp_path / "given") == ["providers", "list"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_sound(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n"], input=script(shell), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


START = {
    "bash": (["--noprofile", "--rcfile", "rc", "-i"], 'PS1="rea""dy> "\n', "rc"),
    "zsh": (["-i"], 'autoload -Uz compinit && compinit -u\nPS1="rea""dy> "\n', ".zshrc"),
    "fish": (["-N", "-C", "source rc", "-i"], "function fish_prompt; echo -n 'rea''dy> '; end\n", "rc"),
}


@contextlib.contextmanager
def _terminal(shell: str, program: Path, folder: Path, begin: str = "", loaded: bool = True) -> Iterator[int]:
    """A shell in a terminal of its own, with the completion loaded as the README says."""
    arguments, beginning, file = START[shell]
    (folder / file).write_text(begin + beginning + (script(shell) if loaded else ""))
    environ = {
        **os.environ,
        **{"PATH": f"{program.parent}:{os.environ['PATH']}", "TERM": "dumb", "ZDOTDIR": str(folder)},
        **{"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "c"), "XDG_DATA_HOME": str(folder / "d")},
    }
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(shell, [shell, *arguments], environ)
    try:
        said = b""
        while b"ready>" not in said:
            assert select.select([terminal], [], [], 60)[0], said
            said += os.read(terminal, 65536)
        yield terminal
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def _given(terminal: int, written: Path) -> list[str]:
    """What the program was called with, once it was; what the shell prints meanwhile is read away."""
    said = b""
    deadline = time.monotonic() + 60
    while not written.exists():
        assert time.monotonic() < deadline, said
        if select.select([terminal], [], [], 0.05)[0]:
            said += os.read(terminal, 65536)
    words = written.read_text().splitlines()
    written.unlink()
    return words
