"""The coroutine beside the viewer: fetches the page that is wanted, drawn at the width it is shown in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.ui.documents.viewer import ViewerPanel

if TYPE_CHECKING:
    from vpa_desktop.page_views import Place
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner


class ViewerDesk(QObject):
    """Opens viewers in one part of the window, one at a time; ``name`` keeps its tasks apart from another part's."""

    def __init__(self, tasks: TaskOwner, name: str) -> None:
        super().__init__(tasks)
        self._tasks, self._task = tasks, f"view in {name}"
        self._backend: Backend | None = None

    def attach(self, backend: Backend) -> None:
        """From now on documents can be opened."""
        self._backend = backend

    def open(self, place: Place, heading: str, *, from_sources: bool = False) -> ViewerPanel:
        """Returns a viewer that opens at the place."""
        panel = ViewerPanel(place, heading, from_sources=from_sources)
        panel.page_wanted.connect(lambda number: self._fetch(panel, number))
        panel.redraw_wanted.connect(lambda: self._fetch(panel, panel.view.number if panel.view else None))
        panel.closed.connect(lambda: self._tasks.cancel(self._task))
        return panel

    def fetch(self, panel: ViewerPanel) -> None:
        """Fetches the place the panel was made for; called when the panel has its size."""
        self._fetch(panel, None)

    def _fetch(self, panel: ViewerPanel, number: int | None) -> None:
        if self._backend is not None:
            self._tasks.spawn(self._task, self._load(self._backend, panel, number))

    async def _load(self, backend: Backend, panel: ViewerPanel, number: int | None) -> None:
        import asyncio

        await asyncio.sleep(0)  # until the panel has been laid out, and its width is known
        try:
            view = await backend.viewer.show(panel.place, number, panel.canvas.paper_px())
        except KnowledgeError as error:
            panel.show_only(panel.place.passage, str(error))
        else:
            panel.show_view(view)
