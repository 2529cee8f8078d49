"""The loop of the window's tests: what Qt reaches while it stands still is run as in the program."""

from __future__ import annotations

import asyncio

import pytest
from PySide6.QtWidgets import QApplication

from tests.ui.conftest import qt_loop

pytestmark = pytest.mark.ui


def test_what_is_due_between_two_phases_of_a_test_finds_the_loop_running(qapp: QApplication) -> None:
    loop = qt_loop()
    found: list[asyncio.AbstractEventLoop] = []
    try:
        loop.call_soon(lambda: found.append(asyncio.get_running_loop()))
        qapp.processEvents()  # as pytest-qt does after each phase
    finally:
        loop.close()
    assert found == [loop]
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
