"""What the window's tests share: coroutines run on the window's own loop, and a window over a backend in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import Context
from functools import partial

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
import pytest_asyncio
import qasync
from PySide6.QtWidgets import QApplication

from tests.ui.fake_backend import FakeBackend
from vpa_desktop.ui.main_window import MainWindow
from vpa_desktop.ui.theme import LIGHT, apply_theme


class PhasedLoop(qasync.QEventLoop):  # type: ignore[misc]  # qasync has no types
    """The loop that the program runs on, for one that is stopped between set-up, test and tear-down.

    pytest-qt lets Qt handle its events there, and qasync does so once more after each phase: what is due then (a
    connection that just ended, say) is run as in the program, where the loop never stops.
    """

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """Registers a callback that finds this loop running, whenever Qt gets to it."""
        handle = super().call_later(delay, partial(self._as_running, callback), *args, context=context)
        assert isinstance(handle, asyncio.Handle)
        return handle

    def _as_running(self, callback: Callable[..., object], *args: object) -> None:
        if asyncio._get_running_loop() is not None:
            callback(*args)
            return
        asyncio._set_running_loop(self)
        try:
            callback(*args)
        finally:
            asyncio._set_running_loop(None)


def qt_loop() -> asyncio.AbstractEventLoop:
    """Makes the loop that the program runs on."""
    loop = PhasedLoop(QApplication.instance() or QApplication(["tests"]))
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
