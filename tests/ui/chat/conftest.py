"""A transcript in a shown window, and the way to let Qt settle."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from vpa_desktop.ui.chat.transcript import Transcript
from vpa_desktop.ui.theme import LIGHT, apply_theme


def settle() -> None:
    """Lets Qt handle what is waiting."""
    for _ in range(4):
        QApplication.processEvents()


@pytest.fixture
def view(qtbot: QtBot, qapp: QApplication) -> Generator[Transcript, None, None]:
    apply_theme(qapp, LIGHT)
    shown = Transcript()
    shown.resize(900, 700)
    qtbot.addWidget(shown)
    shown.show()
    settle()
    yield shown
    shown.pulse.stop()
