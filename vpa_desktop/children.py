"""How the program starts a process of its own: the same command in a checkout, a wheel and an installed program.

An installed program is frozen: its executable is no Python interpreter, so ``-m`` and ``-c`` mean nothing to it.
Every child is therefore the program itself with :data:`CHILD_FLAG` and a name. Not what a child does or speaks.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

CHILD_FLAG: Final = "--vpa-child"
CHILDREN: Final = {
    "importer": "vpa_desktop.assistant.import_child",
    "worker": "vpa_desktop.rag.worker",
    "llama-server": "vpa_desktop.providers._llama_server",
    "transformers": "vpa_desktop.providers._transformers_worker",
    "qt-check": "vpa_desktop.ui.qt_check",
}
"""Name -> the module whose ``main(arguments)`` the child runs."""

SECRET: Final = re.compile("KEY|TOKEN|SECRET|PASSPHRASE|PASSWORD", re.IGNORECASE)
"""Environment names a child has no business with."""

_LIBRARY_PATH: Final = "LD_LIBRARY_PATH"
_START_ANEW: Final = "PYINSTALLER_RESET_ENVIRONMENT"
"""Without it the child's starter believes that its parent has set the library path for it."""


def is_frozen() -> bool:
    """True in an installed program that carries its own Python."""
    return bool(getattr(sys, "frozen", False))


def child_command(name: str, arguments: Sequence[str] = ()) -> list[str]:
    """Returns the command line that starts the child of this name; KeyError where there is none."""
    CHILDREN[name]
    # -P: a file of the working directory must never be imported in the place of a package.
    program = [_executable()] if is_frozen() else [sys.executable, "-P", "-m", "vpa_desktop"]
    return [*program, CHILD_FLAG, name, *arguments]


def child_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns this process's environment without what looks like a secret, able to import this package."""
    kept = {name: value for name, value in os.environ.items() if not SECRET.search(name)}
    root = str(Path(__file__).resolve().parents[1])
    kept["PYTHONPATH"] = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    kept["PYTHONUTF8"] = "1"
    if is_frozen():
        kept[_START_ANEW] = "1"
    return {**kept, **(more or {})}


def run_child(arguments: Sequence[str]) -> int:
    """Is the child named first; the rest are its own arguments. Returns its exit code."""
    name, *rest = arguments
    code = import_module(CHILDREN[name]).main(rest)
    return int(code or 0)


def give_back_library_path() -> None:
    """Puts back what a frozen program's starter changed, so that programs of the system find their own libraries.

    This process has read the path already; a child of ours has its own starter, which sets it anew.
    """
    if not is_frozen() or not sys.platform.startswith("linux"):
        return
    before = os.environ.pop(f"{_LIBRARY_PATH}_ORIG", None)
    if before is not None:
        os.environ[_LIBRARY_PATH] = before
    else:
        os.environ.pop(_LIBRARY_PATH, None)


def _executable() -> str:
    """The program with a console: on Windows the one with the window has no standard input."""
    beside = Path(sys.executable).with_name("vpa-desktop.exe")
    return str(beside) if sys.platform == "win32" and beside.is_file() else sys.executable
