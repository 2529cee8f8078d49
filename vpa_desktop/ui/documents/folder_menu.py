"""The folders whose files are followed, as a menu of them; choosing one asks whether to stop following it."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from vpa_desktop.ui.dialogs import confirm
from vpa_desktop.ui.widgets import MenuButton
from vpa_desktop.ui.wording import first_words, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import FollowedFolder
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner


class FolderMenu(MenuButton):
    """Hidden while no folder is followed."""

    def __init__(self, tasks: TaskOwner) -> None:
        super().__init__("folder", self.tr("Followed folders"), " ", size=14)
        self.setProperty("pill", True)
        self._tasks = tasks
        self.hide()

    def show_folders(self, backend: Backend, folders: Sequence[FollowedFolder]) -> None:
        """Offers these folders."""
        self.setVisible(bool(folders))
        self.setText(f" {whole(len(folders))}")
        self.choices.clear()
        for folder in folders:
            shown = first_words(folder.path, 60).replace("&", "&&")
            text = self.tr("{0} ({1} documents)").format(shown, whole(folder.documents))
            action = self.choices.addAction(text)
            action.setToolTip(self.tr("Stop following {0}").format(folder.path))
            action.triggered.connect(lambda _=False, folder=folder: self._ask(backend, folder))

    def _ask(self, backend: Backend, folder: FollowedFolder) -> None:
        self._tasks.spawn("forget folder", self._forget(backend, folder))

    async def _forget(self, backend: Backend, folder: FollowedFolder) -> None:
        text = self.tr("Stop following {0}?").format(PurePath(folder.path).name or folder.path)
        detail = self.tr("New and changed files in it are no longer noticed. Its documents stay until you remove them.")
        if await confirm(self, self.tr("Stop following a folder"), text, detail, self.tr("Stop following")):
            await backend.forget_folder(folder.path)
            self.show_folders(backend, await backend.list_folders())
