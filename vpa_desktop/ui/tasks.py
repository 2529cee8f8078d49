"""The one bridge from Qt signals to coroutines. Not a place for what the coroutines do.

A TaskOwner keeps a strong reference to each task, runs one task per name (the newest wins, and starts only when the
one before has ended), and turns every failure into a VPAError that its owner can show.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, QObject, Signal

from vpa_desktop.errors import VPAError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from PySide6.QtWidgets import QDialog

log = logging.getLogger(__name__)


class TaskOwner(QObject):
    """Owns the tasks of one part of the window; ``failed`` carries a VPAError for each task that did not end well."""

    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Starts ``work`` under ``name``; a task of that name still running is cancelled and awaited first.

        After ``aclose``, or when the loop has ended, nothing starts any more: the end of one task must not begin
        another.
        """
        import asyncio  # here and below: only after the first paint, asyncio costs as much as a third of Qt

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None or self._closed:
            work.close()
            return
        before = self._tasks.get(name)
        if before is not None:
            self.cancel(name)
        task = loop.create_task(self._run(name, work, before), name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda ended: self._forget(name, ended))
        task.add_done_callback(lambda _: work.close())

    def running(self, name: str) -> bool:
        """Says whether a task of that name is running and was not told to stop."""
        return name in self._tasks

    def cancel(self, name: str) -> None:
        """Cancels the task of that name, if there is one."""
        if (task := self._tasks.pop(name, None)) is not None:
            self._ending.add(task)
            task.cancel()

    async def aclose(self, timeout_s: float = 5.0) -> None:
        """Cancels every task and waits until they have ended, ``timeout_s`` at most."""
        import asyncio

        self._closed = True
        for name in list(self._tasks):
            self.cancel(name)
        if self._ending:
            await asyncio.wait(set(self._ending), timeout=timeout_s)

    def _forget(self, name: str, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if self._tasks.get(name) is task:
            del self._tasks[name]

    async def _run(self, name: str, work: Coroutine[Any, Any, None], before: asyncio.Task[None] | None) -> None:
        import asyncio

        if before is not None and not before.done():
            await asyncio.wait({before})
        try:
            await work
        except VPAError as error:
            self.failed.emit(error)
        except Exception:
            log.exception("The task %s failed", name)
            self.failed.emit(unexpected())


def unexpected() -> VPAError:
    """Returns the sentence for a fault of the program itself."""
    tr = QCoreApplication.translate
    return VPAError(
        tr("TaskOwner", "Something went wrong inside the program"),
        tr("TaskOwner", "The details are in the log"),
        tr("TaskOwner", "Try again; if it stays, start the program anew"),
    )


async def ask(dialog: QDialog) -> int:
    """Shows a dialog without a nested loop and returns its result; a cancelled caller closes it."""
    import asyncio

    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def settle(result: int) -> None:
        if not answer.done():
            answer.set_result(result)

    dialog.finished.connect(settle)
    dialog.open()
    try:
        return await answer
    finally:
        if dialog.isVisible():  # closing a message box again would change which button it says was clicked
            dialog.close()
        dialog.deleteLater()
