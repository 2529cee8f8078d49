"""A child process that loads Qt and ends: ``doctor`` asks it whether the window's libraries are there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module


def main(arguments: Sequence[str]) -> int:
    """Loads what the window needs; returns 1, with the reason as the only line on stderr, where that fails."""
    for module in ("PySide6.QtWidgets", "PySide6.QtSvg", "PySide6.QtNetwork", "qasync"):
        try:
            import_module(module)
        except ImportError as exc:
            sys.stderr.write(f"{exc}\n")
            return 1
    return 0
