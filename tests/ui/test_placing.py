"""Where the window stands when it opens."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.placing import FRAME, USUAL, place

pytestmark = pytest.mark.ui


def test_on_a_screen_smaller_than_the_usual_window_all_of_it_is_seen(window: MainWindow) -> None:
    room = window.screen().availableSize()
    assert room.width() < USUAL.width(), "the tests' screen is a small one"
    place(window)
    assert window.width() + FRAME.width() <= room.width()
    assert window.height() + FRAME.height() <= room.height()


def test_a_window_comes_back_as_it_was(qtbot: QtBot, window: MainWindow) -> None:
    window.resize(744, 555)
    was = bytes(window.saveGeometry().data())
    again = MainWindow()
    qtbot.addWidget(again)
    place(again, was)
    assert (again.width(), again.height()) == (744, 555)


def test_a_damaged_record_of_its_place_is_as_none(window: MainWindow) -> None:
    place(window, b"no geometry")
    assert window.width() < USUAL.width()
