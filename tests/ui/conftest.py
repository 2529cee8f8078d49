"""What the window's tests share: coroutines run on the window's own loop, and a window over a backend in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
import pytest_asyncio
import qasync
from PySide6.QtWidgets import QApplication

from tests.ui.fake_backend import FakeBackend
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.theme import LIGHT, apply_theme


def qt_loop() -> asyncio.AbstractEventLoop:
    """Makes the loop that the program runs on."""
    loop = qasync.QEventLoop(QApplication.instance() or QApplication(["tests"]))
    assert isinstance(loop, asyncio.AbstractEventLoop)
    return loop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Coroutine tests of the window run on Qt's loop."""
    return {"qt": qt_loop}


@pytest.fixture
def backend() -> FakeBackend:
    """A backend in memory."""
    return FakeBackend()


@pytest_asyncio.fixture
async def window(qapp: QApplication, backend: FakeBackend) -> AsyncIterator[MainWindow]:
    """The main window, shown and with its backend; it is closed in order."""
    apply_theme(qapp, LIGHT)
    made = MainWindow()
    made.show()
    made.attach(backend)
    # Every page now: built later, between a test's phases, its tasks would begin while no loop runs.
    assert all((made.documents, made.dashboard, made.settings))
    made.tasks.cancel("chart library")  # on a busy machine it would begin between a test's phases too
    await asyncio.sleep(0)
    await until(lambda: not made.tasks.running("choices") and not made.tasks.running("conversations"))
    yield made
    await made.tasks.aclose()
    made.close()
    made.deleteLater()
    await asyncio.sleep(0)


async def until(true: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Waits until something the person would notice has come; fails after ``timeout_s``."""
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
