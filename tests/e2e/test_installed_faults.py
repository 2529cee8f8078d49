"""An installed program where something is amiss: a home that cannot be written, a part of the program that is gone."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.program import Program

WITHOUT_A_PART = """
import sys
sys.frozen = True
sys.modules["sqlite_utils"] = None
sys.argv = ["vpa-desktop", "chats", "list"]
from vpa_desktop.__main__ import main
sys.exit(main())
"""


def test_a_home_that_cannot_be_written_is_one_sentence(program: Program, tmp_path: Path) -> None:
    barred = tmp_path / "barred"
    barred.write_text("a file where the folder should be")  # root may write into every folder, but not into a file
    for command in (["ask", "Hello"], ["docs", "list"], ["chats", "list"]):
        ran = program(*command, "--home", str(barred / "home"))
        assert ran.code == 3, command
        assert ran.err.startswith(f"error: The data folder {barred / 'home'} cannot be used. "), command
        assert ran.err.count("\n") == 1, command
    assert barred.read_text() == "a file where the folder should be"


def test_a_part_that_is_missing_is_one_sentence_without_a_traceback(program: Program) -> None:
    ran = program.python("-c", WITHOUT_A_PART)
    assert ran.code == 1
    assert ran.err == "error: A part of the program is missing (sqlite_utils). It is damaged. Install it again.\n"


def test_open_is_a_command_that_completes_files(program: Program) -> None:
    ran = program("__complete", "bash", "op")
    assert "open" in ran.out.split()


def test_doctor_asks_a_child_about_the_window(program: Program) -> None:
    found = json.loads(program("doctor", "--json").out)["findings"]
    assert [each["detail"] for each in found if each["check"] == "Window libraries"] == ["Qt loads"]
