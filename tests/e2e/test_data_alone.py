"""Restoring and erasing beside an open window, and a restore that is killed: nothing is lost."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.program import Program

SETTINGS = '[providers.mine]\nkind = "mock"\n[routing]\ndefault_provider = "mine"\n'
KILLS = 8
AT = "2026-11-30T08:00:00.000000+00:00"


@contextmanager
def window(program: Program) -> Iterator[subprocess.Popen[bytes]]:
    """The real window on the program's data, without a screen, once it holds its lock."""
    environ = program.variables({"QT_QPA_PLATFORM": "offscreen"})
    command = [sys.executable, "-m", "vpa_desktop"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while not (program.home / "window.lock").exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


@pytest.mark.ui
@pytest.mark.slow
def test_an_open_window_is_not_disturbed_and_one_that_crashed_is_no_hindrance(program: Program) -> None:
    pytest.importorskip("PySide6")
    program.settings(SETTINGS)
    program("ask", "Keep this", "--conversation", "new")
    made = program("data", "backup", "--json").json["file"]
    with window(program) as process:
        for arguments in (("restore", made), ("erase", "--yes")):
            ran = program("data", *arguments)
            assert ran.code == 8
            assert f"The window is open on this data (process {process.pid})" in ran.err
        assert program("data", "backup").code == 0  # this needs nobody to go
        assert program("chats", "list", "--json").json["conversations"][0]["title"] == "Keep this"
    assert (program.home / "window.lock").exists()  # it was killed
    assert program("data", "restore", made).code == 0
    assert program("data", "erase", "--yes").code == 0
    assert not program.home.exists()


def filled(path: Path, title: str) -> None:
    """Many messages, so that putting them back takes a while."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO conversations (id, title, created_at, updated_at) VALUES (?, ?, ?, ?)",
                   [title, title, AT, AT])  # fmt: skip
        rows = ((f"{title}{n}", title, n, title * 2_000, AT) for n in range(4_000))
        db.executemany(
            "INSERT INTO messages (id, conversation_id, place, role, content, created_at, state)"
            " VALUES (?, ?, ?, 'user', ?, ?, 'done')",
            rows,
        )
        db.commit()


@pytest.mark.slow
def test_a_restore_that_is_killed_leaves_the_old_or_the_new(program: Program) -> None:
    program.settings(SETTINGS)
    program("chats", "list")
    filled(program.home / "vpa.db", "old")
    made = Path(program("data", "backup", "--json").json["file"])
    filled(program.home / "vpa.db", "new")
    draw = random.Random(20261130)
    whole = time.monotonic()
    assert program("data", "restore", str(made)).code == 0
    whole = time.monotonic() - whole
    filled(program.home / "vpa.db", "new")
    for _ in range(KILLS):
        command = [sys.executable, "-m", "vpa_desktop", "data", "restore", str(made)]
        with subprocess.Popen(command, env=program.variables(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:  # fmt: skip
            time.sleep(draw.uniform(0.3, 1.0) * whole)
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        checked = program("data", "check", "--json")
        assert checked.code == 0, checked.err
        listed = program("chats", "list", "--json")
        assert listed.code == 0, listed.err
        found = {each["title"]: each["message_count"] for each in listed.json["conversations"]}
        assert found in ({"old": 4_000}, {"old": 4_000, "new": 4_000})
        if len(found) == 1:
            filled(program.home / "vpa.db", "new")
        for each in (program.home / "backups").glob("*.db"):
            if each != made:
                each.unlink()
