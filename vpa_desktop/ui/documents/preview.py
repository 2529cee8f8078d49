"""A document beside the list or the passages found: opens, moves on to another one, closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QSplitter, QWidget

from vpa_desktop.page_views import Place
from vpa_desktop.ui.documents.viewer import ViewerPanel
from vpa_desktop.ui.documents.viewer_desk import ViewerDesk
from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from vpa_desktop.records import DocumentRecord, SearchResult
    from vpa_desktop.ui.chat.panel import SidePanel
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner


class Preview(QObject):
    """Holds the splitter with what is looked through on the left and the open document on the right."""

    opened = Signal()
    closed = Signal()
    step_wanted = Signal(int)

    def __init__(self, left: QWidget, tasks: TaskOwner) -> None:
        super().__init__(tasks)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(1)
        self.split.addWidget(left)
        self.panel: SidePanel | None = None
        self._left = left
        self._desk = ViewerDesk(tasks, "documents")

    def attach(self, backend: Backend) -> None:
        """From now on documents can be opened."""
        self._desk.attach(backend)

    def open_document(self, record: DocumentRecord) -> None:
        """Opens a document at its beginning."""
        self._show(Place(record.id), record.name, record.collection)

    def open_passage(self, result: SearchResult, position: int = 1, count: int = 1) -> None:
        """Opens a document at a passage, which is one of ``count`` that were found."""
        place = Place(result.document_id, result.page, result.chunk_id, result.text, result.start, result.end)
        page = self.tr("Page {0}").format(result.page) if result.page is not None else ""
        self._show(place, result.document or result.title, page, result.section, steps=(position, count))

    def close(self) -> bool:
        """Closes what is open; False where nothing is."""
        if self.panel is None:
            return False
        self._drop()
        self.closed.emit()
        self._left.setFocus(Qt.FocusReason.OtherFocusReason)
        return True

    def restyle(self) -> None:
        """Takes the theme that the application has now."""
        if self.panel is not None:
            self.panel.set_theme(theme_now())

    def _show(self, place: Place, name: str, *where: str, steps: tuple[int, int] = (1, 1)) -> None:
        viewer, heading = self.panel, self.tr("Preview")
        if isinstance(viewer, ViewerPanel) and steps[1] > 1:
            viewer.move_to(place, heading)
        else:
            viewer = self._desk.open(place, heading)
            viewer.step_wanted.connect(self.step_wanted)
            self.show(viewer)
        viewer.say_place(name, *where)
        viewer.stepper.show_place(*steps)
        self._desk.fetch(viewer)

    def show(self, panel: SidePanel) -> None:
        """Shows a panel in the place of the one before."""
        is_first = self.panel is None
        self._drop()
        self.panel = panel
        self.panel.closed.connect(self.close)
        if is_first:
            self.opened.emit()
        self.split.addWidget(self.panel)
        self.split.setStretchFactor(0, 1)
        self.split.setStretchFactor(1, 1)
        wide = self.panel.wanted_px(self.split.width())
        self.split.setSizes([max(280, self.split.width() - wide), wide])

    def _drop(self) -> None:
        panel, self.panel = self.panel, None
        if panel is not None:
            panel.hide()
            panel.setParent(None)
            panel.deleteLater()
