"""The coroutine behind "Import conversations": asks for the file, has it taken in, and tells how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from vpa_desktop.errors import VPAError
from vpa_desktop.ui.dialogs import choose_export, choose_folder
from vpa_desktop.ui.import_dialog import ImportDialog

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtWidgets import QWidget

    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.sidebar import Sidebar
    from vpa_desktop.ui.tasks import TaskOwner

TASK = "import"


class ImportDesk(QObject):
    """Takes in one export at a time. ``changed`` comes when there may be new conversations, also after a stop."""

    changed = Signal()

    def __init__(self, window: QWidget, sidebar: Sidebar, tasks: TaskOwner) -> None:
        super().__init__(window)
        self._window, self._tasks = window, tasks
        self._backend: Backend | None = None
        sidebar.import_wanted.connect(lambda: self._start(folder=False))
        sidebar.import_folder_wanted.connect(lambda: self._start(folder=True))

    def attach(self, backend: Backend) -> None:
        """From now on conversations can be taken in."""
        self._backend = backend

    def _start(self, *, folder: bool) -> None:
        if self._backend is not None and not self._tasks.running(TASK):
            self._tasks.spawn(TASK, self._choose(self._backend, folder=folder))

    async def _choose(self, backend: Backend, *, folder: bool) -> None:
        title = self.tr("Import conversations")
        chosen = await (choose_folder(self._window, title) if folder else choose_export(self._window, title))
        for path in chosen:
            await self._take_in(backend, path)

    async def _take_in(self, backend: Backend, path: Path) -> None:
        dialog = ImportDialog(self._window, path.name)
        dialog.stop_wanted.connect(lambda: self._tasks.cancel(TASK))
        dialog.open()
        try:
            done = await backend.archive.take_in(path, dialog.show_progress)
        except VPAError as error:
            dialog.show_error(error)
        else:
            dialog.show_result(done)
        finally:
            self.changed.emit()
