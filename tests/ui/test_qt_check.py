"""The child that doctor asks whether Qt loads."""

from __future__ import annotations

import subprocess
import sys

from vpa_desktop.children import child_command, child_environment

WITHOUT_QT = """
import sys
sys.modules["PySide6.QtWidgets"] = None
from vpa_desktop.ui.qt_check import main
sys.exit(main([]))
"""


def test_it_says_nothing_where_qt_loads() -> None:
    command = child_command("qt-check")
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=child_environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_it_says_in_one_line_what_is_missing() -> None:
    command = [sys.executable, "-c", WITHOUT_QT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=child_environment())
    assert done.returncode == 1
    assert "PySide6.QtWidgets" in done.stderr
    assert done.stderr.count("\n") == 1
