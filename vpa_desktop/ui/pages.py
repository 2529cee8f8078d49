"""The pages of the window, each built when it is first needed: the conversation at the start, the others after it.

Not what a page shows. What is built late is also handed the backend late; ``build_rest`` builds what nobody has
asked for yet, one page at a time, so that the window answers in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpa_desktop.ui.dashboard.page import DashboardPage
    from vpa_desktop.ui.documents.ingestion import Ingestion
    from vpa_desktop.ui.documents.page import DocumentsPage
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.settings.page import SettingsPage
    from vpa_desktop.ui.tasks import TaskOwner

CHAT, DOCUMENTS, DASHBOARD, SETTINGS = range(4)


class Pages(QStackedWidget):
    """The stack. ``documents``, ``dashboard`` and ``settings`` are built by asking for them."""

    documents_changed = Signal()
    settings_changed = Signal()
    providers_changed = Signal()
    room_wanted = Signal()
    room_given_back = Signal()

    def __init__(self, chat: QWidget, tasks: TaskOwner, ingestion: Ingestion) -> None:
        super().__init__()
        self._tasks = tasks
        self._ingestion = ingestion
        self._backend: Backend | None = None
        self._documents: DocumentsPage | None = None
        self._dashboard: DashboardPage | None = None
        self._settings: SettingsPage | None = None
        self._chat = chat
        self.addWidget(chat)
        for _ in (DOCUMENTS, DASHBOARD, SETTINGS):
            self.addWidget(QWidget())

    @property
    def documents(self) -> DocumentsPage:
        """The documents page."""
        if self._documents is None:
            from vpa_desktop.ui.documents.page import DocumentsPage

            self._documents = DocumentsPage(self._tasks, self._ingestion)
            self._documents.changed.connect(self.documents_changed)
            self._documents.preview_opened.connect(self.room_wanted)
            self._documents.preview_closed.connect(self.room_given_back)
            self._put(DOCUMENTS, self._documents)
            if self._backend is not None:
                self._documents.attach(self._backend)
        return self._documents

    @property
    def dashboard(self) -> DashboardPage:
        """The dashboard."""
        if self._dashboard is None:
            from vpa_desktop.ui.dashboard.page import DashboardPage

            self._dashboard = DashboardPage(self._tasks)
            self._put(DASHBOARD, self._dashboard)
            if self._backend is not None:
                self._dashboard.attach(self._backend)
        return self._dashboard

    @property
    def settings(self) -> SettingsPage:
        """The settings."""
        if self._settings is None:
            from vpa_desktop.ui.settings.page import SettingsPage

            self._settings = SettingsPage(self._tasks)
            self._settings.changed.connect(self.settings_changed)
            self._settings.providers_changed.connect(self.providers_changed)
            self._put(SETTINGS, self._settings)
            if self._backend is not None:
                self._settings.attach(self._backend)
        return self._settings

    @property
    def built_dashboard(self) -> DashboardPage | None:
        """The dashboard, if it was built."""
        return self._dashboard

    def attach(self, backend: Backend) -> None:
        """Hands the backend to the pages that are there, and to the others when they are built."""
        self._backend = backend
        for page in (self._documents, self._dashboard, self._settings):
            if page is not None:
                page.attach(backend)
        self.build_rest()

    def build_rest(self) -> None:
        """Builds the pages nobody has asked for yet, each in a turn of the loop of its own."""
        builders: list[Callable[[], QWidget]] = [
            lambda: self.documents,
            lambda: self.settings,
            lambda: self.dashboard,
        ]
        self._build_next(builders)

    def _build_next(self, builders: list[Callable[[], QWidget]]) -> None:
        if builders:
            builders.pop(0)()
            QTimer.singleShot(50, self, lambda: self._build_next(builders))

    def page(self, index: int) -> QWidget:
        """Returns a page, built if it was not."""
        if index == CHAT:
            return self._chat
        found = {DOCUMENTS: lambda: self.documents, DASHBOARD: lambda: self.dashboard, SETTINGS: lambda: self.settings}
        builder: Callable[[], QWidget] = found[index]
        return builder()

    def step_back(self, otherwise: Callable[[], None]) -> None:
        """Closes what is open inside the page that is shown; where nothing is, the window decides."""
        shown = {DOCUMENTS: self._documents, DASHBOARD: self._dashboard}.get(self.currentIndex())
        if shown is None or not shown.step_back():
            otherwise()

    def _put(self, index: int, page: QWidget) -> None:
        placeholder = self.widget(index)
        shown = self.currentIndex() == index
        if placeholder is not None:
            self.removeWidget(placeholder)
            placeholder.deleteLater()
        self.insertWidget(index, page)
        if shown:
            self.setCurrentIndex(index)
