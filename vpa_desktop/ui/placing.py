"""Where the window stands on the screen when the program starts: where it was, or as large as there is room for."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSize
from PySide6.QtWidgets import QWidget

USUAL = QSize(1280, 860)
FRAME = QSize(16, 48)
"""Kept free for the border and the title bar: the window system adds them, and says how large only when it is shown."""


def place(window: QWidget, geometry: bytes = b"") -> None:
    """Give a window the place and size it had (``saveGeometry``), else the usual size, or less on a small screen."""
    if geometry and window.restoreGeometry(QByteArray(geometry)):
        return
    room = window.screen().availableSize() - FRAME
    window.resize(USUAL.boundedTo(room).expandedTo(window.minimumSize()))
