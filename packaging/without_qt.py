"""Makes an environment that has everything of ``.venv`` except Qt, and prints its Python. For tests.

A second installation would take minutes and gigabytes. This one is a bare virtual environment inside
``.venv`` whose site-packages hold links to the first one's entries, one by one, without PySide6, shiboken6,
qasync, pyqtgraph and pytest-qt: for Python they are not installed, neither as modules nor as metadata.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import environment as env

LEFT_OUT = ("pyside6", "shiboken6", "qasync", "pyqtgraph", "pytestqt", "pytest_qt")


def main() -> int:
    """Make the environment anew; returns the exit code."""
    source = env.site_packages()
    if source is None:
        print("error: There is no .venv yet. Run packaging/dev.py setup first.", file=sys.stderr)
        return 1
    folder = env.VENV / "without-qt"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([str(env.PYTHON), "-m", "venv", "--without-pip", str(folder)], check=True)
    target = folder / source.relative_to(env.VENV)
    for entry in source.iterdir():
        if not entry.name.lower().startswith(LEFT_OUT):
            (target / entry.name).symlink_to(entry)
    print(folder / env.PYTHON.relative_to(env.VENV))
    return 0


if __name__ == "__main__":
    sys.exit(main())
