"""Makes an environment that has everything of ``.venv`` except Qt, and prints its Python. For tests.

A second installation would take minutes and gigabytes. This one is a bare virtual environment inside
``.venv`` whose site-packages hold links to the first one's entries, one by one, without PySide6, shiboken6,
qasync, pyqtgraph and pytest-qt: for Python they are not installed, neither as modules nor as metadata.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import environment as env

LEFT_OUT = ("pyside6", "shiboken6", "qasync", "pyqtgraph", "pytestqt", "pytest_qt")
FOLDER = env.VENV / "without-qt"
PYTHON = FOLDER / env.PYTHON.relative_to(env.VENV)


def make(report: env.Reporter) -> Path:
    """Make the environment, or take the one that is there where it has all that ``.venv`` has; returns its Python.

    Raises SetupFailed, and OSError where the system makes no links.
    """
    source = env.site_packages()
    if source is None:
        raise env.SetupFailed("There is no .venv yet: packaging/dev.py setup makes it")
    target = FOLDER / source.relative_to(env.VENV)
    wanted = {entry.name for entry in source.iterdir() if not entry.name.lower().startswith(LEFT_OUT)}
    with env.alone(report):
        if not (PYTHON.exists() and target.is_dir() and {entry.name for entry in target.iterdir()} == wanted):
            _make_anew(source, target, wanted, report)
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('PySide6') is not None)"
    if subprocess.run([str(PYTHON), "-c", look], check=False).returncode:
        raise env.SetupFailed(f"The environment in {FOLDER} should be without Qt and is not, or does not start")
    return PYTHON


def _make_anew(source: Path, target: Path, wanted: set[str], report: env.Reporter) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    command = [str(env.PYTHON), "-m", "venv", "--without-pip", str(FOLDER)]
    env.run_logged(command, report, "Making an environment without Qt")
    for name in wanted:
        (target / name).symlink_to(source / name)


def main() -> int:
    """Make the environment and print its Python; returns the exit code."""
    try:
        print(make(env.Reporter()))
    except env.SetupFailed as failed:
        print(f"error: {failed}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
