"""Adding files to the documents, as the chat and the documents tab both do it: one after the other, cancellable.

What the program does by itself in followed folders is told through the same signals, unless an addition runs.

The coroutine beside the widgets; it reads no file and knows no widget.
"""

from __future__ import annotations

from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from vpa_desktop.errors import VPAError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vpa_desktop.records import IngestProgress, IngestReport
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner

TASK = "ingest"


class Ingestion(QObject):
    """Runs the additions; a second one waits for the first.

    ``started`` carries how many paths were given, 0 where it is followed folders that are read. ``followed`` comes
    after each change in those, whether it was shown or not.
    """

    started = Signal(int)
    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    followed = Signal()
    paused = Signal(bool)
    read = Signal()
    """The person has read what came of it, on whichever page."""

    def __init__(self, tasks: TaskOwner) -> None:
        super().__init__(tasks)
        self._tasks = tasks
        self._backend: Backend | None = None
        self._queue: deque[tuple[tuple[Path, ...], str]] = deque()
        self._shows_followed = False

    def attach(self, backend: Backend) -> None:
        """From now on additions are done; the ones asked for before start."""
        self._backend = backend
        backend.hear_of_documents(self._hear)
        self._start()

    def add(self, paths: Sequence[Path], collection: str = "") -> None:
        """Adds files and folders to a collection."""
        if paths:
            self._queue.append((tuple(paths), collection))
            self._start()

    def cancel(self) -> None:
        """Stops what runs and forgets what waits; what was added stays."""
        self._queue.clear()
        if self._tasks.running(TASK):
            self._tasks.cancel(TASK)
            self.cancelled.emit()

    def pause(self, paused: bool) -> None:
        """Holds all work on documents, also what was not asked for here, or lets it go on."""
        if self._backend is not None:
            self._backend.pause_documents(paused)
            self.paused.emit(paused)

    def _hear(self, step: IngestProgress | IngestReport) -> None:
        """Shows what is done in followed folders; an addition of the person's own goes first."""
        from vpa_desktop.records import IngestReport

        is_done = isinstance(step, IngestReport)
        if not self._tasks.running(TASK):
            if not self._shows_followed:
                self.started.emit(0)
            self._shows_followed = not is_done
            self._tell(step)
        if is_done:
            self.followed.emit()

    def _start(self) -> None:
        if self._backend is not None and self._queue and not self._tasks.running(TASK):
            self._tasks.spawn(TASK, self._work(self._backend))

    async def _work(self, backend: Backend) -> None:
        while self._queue:
            paths, collection = self._queue.popleft()
            self._shows_followed = False
            self.started.emit(len(paths))
            try:
                async with aclosing(backend.add_documents(paths, collection)) as steps:
                    async for step in steps:
                        self._tell(step)
            except VPAError as error:
                self.failed.emit(error)

    def _tell(self, step: IngestProgress | IngestReport) -> None:
        from vpa_desktop.records import IngestReport

        if isinstance(step, IngestReport):
            self.finished.emit(step)
        else:
            self.progressed.emit(step)
