"""The main window: sidebar, pages, status line, keys, drops. It joins the parts; each part does its own work.

``attach`` hands it the backend when that is ready; until then the person can already write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
    QPaintEvent,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QMainWindow, QVBoxLayout, QWidget

from vpa_desktop.config import WindowSettings
from vpa_desktop.ui.chat.attach_desk import AttachDesk
from vpa_desktop.ui.chat.composer import shows_picture
from vpa_desktop.ui.chat.limit_desk import LimitDesk
from vpa_desktop.ui.chat.model_desk import ModelDesk
from vpa_desktop.ui.chat.picture_desk import PictureDesk
from vpa_desktop.ui.chat.presenter import ChatPresenter
from vpa_desktop.ui.chat.side_panels import SidePanels
from vpa_desktop.ui.chat.view import ChatView
from vpa_desktop.ui.conversation_desk import ConversationDesk
from vpa_desktop.ui.documents.ingestion import Ingestion
from vpa_desktop.ui.drop import DropOverlay, dropped_paths
from vpa_desktop.ui.import_desk import ImportDesk
from vpa_desktop.ui.keys import KEYS, KeysDialog
from vpa_desktop.ui.notice import NoticeBar
from vpa_desktop.ui.pages import CHAT, DASHBOARD, DOCUMENTS, SETTINGS, Pages
from vpa_desktop.ui.placing import USUAL
from vpa_desktop.ui.sidebar import Sidebar
from vpa_desktop.ui.status import StatusLine
from vpa_desktop.ui.tasks import TaskOwner
from vpa_desktop.ui.theme import DARK, LIGHT, Theme, apply_theme, theme_for
from vpa_desktop.ui.widgets import IconButton, theme_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from vpa_desktop.errors import VPAError
    from vpa_desktop.ui.dashboard.page import DashboardPage
    from vpa_desktop.ui.documents.page import DocumentsPage
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.settings.page import SettingsPage

NARROW_PX = 1080


class MainWindow(QMainWindow):
    """The window. ``first_painted`` comes once; ``retry_wanted`` when the person asks to start the rest again."""

    first_painted = Signal()
    retry_wanted = Signal()
    closing = Signal()

    def __init__(self, look: WindowSettings | None = None) -> None:
        super().__init__()
        self._look = look or WindowSettings()
        self._backend: Backend | None = None
        self._painted = False
        self._gave_room = False
        self.tasks = TaskOwner(self)
        self.tasks.failed.connect(self.show_error)
        self.setWindowTitle("VPA Desktop")
        self.setMinimumSize(720, 480)
        self.resize(USUAL)
        self.setAcceptDrops(True)
        self.ingestion = Ingestion(self.tasks)
        self.sidebar = Sidebar()
        self.notice = NoticeBar()
        self.status = StatusLine()
        self.chat = ChatView(self.ingestion)
        self.pages = Pages(self.chat, self.tasks, self.ingestion)
        self.setCentralWidget(self._lay_out())
        self.overlay = DropOverlay(self)
        self.presenter = ChatPresenter(self.chat, self.tasks)
        self.desk = ConversationDesk(self, self.sidebar, self.presenter, self.chat, self.tasks)
        self.imports = ImportDesk(self, self.sidebar, self.tasks)
        self.imports.changed.connect(self.desk.refresh)
        self.limits = LimitDesk(self)
        self.models = ModelDesk(self.chat.composer.picker, self.tasks)
        self.side_panels = SidePanels(self.chat, self.tasks)
        self.pictures = PictureDesk(self.chat, self.presenter, self.tasks)
        self.files = AttachDesk(
            self.chat.composer, self.ingestion, self.tasks, lambda: self.documents.collection() or ""
        )
        self._connect()
        self._add_keys()
        self._set_scale(self._look.text_scale)
        self.chat.composer.edit.enter_sends = self._look.enter_sends
        self.chat.composer.edit.setFocus()

    @property
    def documents(self) -> DocumentsPage:
        """The documents page."""
        return self.pages.documents

    @property
    def dashboard(self) -> DashboardPage:
        """The dashboard."""
        return self.pages.dashboard

    @property
    def settings(self) -> SettingsPage:
        """The settings."""
        return self.pages.settings

    def _lay_out(self) -> QWidget:
        root, right = QWidget(), QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notice)
        column.addWidget(self.pages, 1)
        column.addWidget(self.status)
        row = QHBoxLayout(root)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._make_rail())
        row.addWidget(self.sidebar)
        row.addWidget(right, 1)
        return root

    def _make_rail(self) -> QFrame:
        self._rail = QFrame()
        self._rail.setProperty("side", True)
        self._rail.setFixedWidth(52)
        column = QVBoxLayout(self._rail)
        column.setContentsMargins(8, 12, 8, 12)
        show = IconButton("panel-left", self.tr("Show the sidebar"))
        show.clicked.connect(lambda: self.show_sidebar(True))
        new = IconButton("square-pen", self.tr("New conversation"))
        new.clicked.connect(self._new)
        column.addWidget(show)
        column.addWidget(new)
        column.addStretch()
        self._rail.hide()
        return self._rail

    def _connect(self) -> None:
        side = self.sidebar
        side.tabs.currentChanged.connect(self._show_page)
        side.tabs.tabBarClicked.connect(self._show_page)
        side.collapse_wanted.connect(lambda: self.show_sidebar(False))
        side.theme_wanted.connect(self._switch_theme)
        side.help_wanted.connect(self._show_keys)
        side.new_wanted.connect(self._new)
        self.chat.panel_opened.connect(self._make_room)
        self.chat.panel_closed.connect(self._take_room)
        self.pages.room_wanted.connect(self._make_room)
        self.pages.room_given_back.connect(self._take_room)
        side.search.returnPressed.connect(side.conversations.open_first)
        self.desk.opened.connect(lambda: self.go(CHAT))
        self.presenter.turn_ended.connect(self.refresh_status)
        self.pages.documents_changed.connect(self.refresh_status)
        self.chat.welcome.add_documents_wanted.connect(lambda: self.documents.add_files())
        self.chat.welcome.add_provider_wanted.connect(self._add_provider)
        self.chat.composer.picker.add_wanted.connect(self._add_provider)
        self.pages.settings_changed.connect(self._on_settings)
        self.pages.providers_changed.connect(self._refresh_choices)
        self.notice.retry_wanted.connect(self.retry_wanted)
        QGuiApplication.styleHints().colorSchemeChanged.connect(lambda _: self._apply(chosen_theme(self._look)))

    # Backend

    def attach(self, backend: Backend) -> None:
        """Hands over the backend: from now on everything works."""
        self._backend = backend
        self.notice.hide()
        self._on_settings()
        desks = (self.presenter, self.desk, self.imports, self.limits, self.models, self.side_panels, self.pictures)
        for part in (*desks, self.ingestion, self.pages):
            part.attach(backend)
        self._refresh_choices()
        self.refresh_status()

    def show_start_failure(self, error: VPAError) -> None:
        """Says why the rest of the program could not start; the window stays, with a button to try again."""
        self.status.say(self.tr("Not started"), good=False)
        self.notice.show_error(error, retry=True)

    def show_error(self, error: VPAError) -> None:
        """Shows an error above the page until it is closed."""
        self.notice.show_error(error)

    def refresh_status(self) -> None:
        """Asks what the status line says."""
        if self._backend is not None:
            self.tasks.spawn("status", self._load_status(self._backend))

    async def _load_status(self, backend: Backend) -> None:
        status = await backend.status()
        self.status.show_status(status)
        self.chat.composer.set_money(status.spent_today_usd, status.limit_usd)

    def _refresh_choices(self) -> None:
        if self._backend is not None:
            self.tasks.spawn("choices", self._load_choices(self._backend))

    async def _load_choices(self, backend: Backend) -> None:
        choices = await backend.route_choices()
        self.chat.composer.picker.set_choices(choices)
        self.refresh_status()  # the keys are there now, and with them the route
        self.chat.welcome.show_demo(not any(c.is_ready and c.provider and not c.is_local for c in choices))

    # Pages

    def go(self, page: int) -> None:
        """Shows a page."""
        self.sidebar.tabs.setCurrentIndex(page)
        self._show_page(page)

    def _show_page(self, page: int) -> None:
        if page < 0:
            return
        self.pages.page(page)
        self.pages.setCurrentIndex(page)
        if page == CHAT:
            self.chat.composer.edit.setFocus()
        elif page == DASHBOARD:
            self.dashboard.refresh()

    def show_sidebar(self, shown: bool) -> None:
        """Shows the sidebar, or a narrow rail in its place."""
        self._gave_room = False
        self.sidebar.setVisible(shown)
        self._rail.setVisible(not shown)

    def _make_room(self) -> None:
        """Hides the sidebar where a panel beside the conversation would leave too little of it."""
        if self.width() < NARROW_PX and self.sidebar.isVisible():
            self.show_sidebar(False)
            self._gave_room = True

    def _take_room(self) -> None:
        """Brings back the sidebar that had made room for a panel."""
        if self._gave_room:
            self.show_sidebar(True)

    def _new(self) -> None:
        self.go(CHAT)
        self.presenter.start_new()

    def _add_provider(self) -> None:
        self.go(SETTINGS)
        self.settings.start_adding()

    # Keys

    def _add_keys(self) -> None:
        actions: dict[str, Callable[[], Any]] = {
            "new": self._new,
            "search": self._search,
            "find": self._find,
            "model": self._choose_model,
            "next_source": lambda: self._step_source(1),
            "previous_source": lambda: self._step_source(-1),
            "regenerate": self.presenter.regenerate,
            "export": self.desk.export_shown,
            "escape": self._escape,
            "settings": lambda: self.go(SETTINGS),
            "tab1": lambda: self.go(CHAT),
            "tab2": lambda: self.go(DOCUMENTS),
            "tab3": lambda: self.go(DASHBOARD),
            "tab4": lambda: self.go(SETTINGS),
            "larger": lambda: self._scale_by(1.1),
            "smaller": lambda: self._scale_by(1 / 1.1),
            "sidebar": lambda: self.show_sidebar(not self.sidebar.isVisible()),
            "help": self._show_keys,
            "manual": self._show_help,
        }
        for key in KEYS:
            for sequence in key.sequences:
                QShortcut(QKeySequence(sequence), self).activated.connect(actions[key.action])

    def _search(self) -> None:
        self.show_sidebar(True)
        self.sidebar.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.sidebar.search.selectAll()

    def _find(self) -> None:
        self.go(CHAT)
        self.chat.find_bar.open_bar()

    def _step_source(self, by: int) -> None:
        if self.pages.currentIndex() == DOCUMENTS:
            self.documents.step(by)
        elif self.pages.currentIndex() == CHAT and self.chat.find_bar.isVisible():
            self.chat.find_bar.step(by)
        elif self.pages.currentIndex() == CHAT:
            self.side_panels.step(by)

    def _choose_model(self) -> None:
        self.go(CHAT)
        self.chat.composer.picker.open_popup()

    def _escape(self) -> None:
        if self.pages.currentIndex() == CHAT and self.presenter.chat.busy:
            self.presenter.stop()
        elif self.notice.isVisible() and not self.notice.has_retry():
            self.notice.hide()
        elif self.pages.currentIndex() != CHAT:
            self.pages.step_back(lambda: self.go(CHAT))
        elif self.chat.find_bar.isVisible():
            self.chat.find_bar.close_bar()
        elif self.chat.panel() is not None:
            self.chat.set_panel(None)
            self.chat.composer.edit.setFocus()
        elif self.sidebar.search.text():
            self.sidebar.search.clear()

    def _show_keys(self) -> None:
        dialog = KeysDialog(self)
        dialog.manual_wanted.connect(self._show_help)
        dialog.open()

    def _show_help(self) -> None:
        from vpa_desktop.ui.help import HelpDialog
        from vpa_desktop.ui.links import follow

        dialog = HelpDialog(self)
        dialog.link_wanted.connect(lambda link: self.tasks.spawn("link", follow(dialog, link)))
        dialog.show()

    # Look

    def _on_settings(self) -> None:
        if self._backend is None:
            return
        look, self._look = self._look, self._backend.settings.window
        self.chat.composer.edit.enter_sends = self._look.enter_sends
        if look.theme != self._look.theme:
            self._apply(chosen_theme(self._look))
        self._set_scale(self._look.text_scale)
        self.refresh_status()

    def _switch_theme(self) -> None:
        theme = LIGHT if theme_now().is_dark else DARK
        self._apply(theme)
        if self._backend is not None:
            self.settings.save("window.theme", "dark" if theme.is_dark else "light")

    def _apply(self, theme: Theme) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication) and theme != theme_now():
            apply_theme(app, theme)
        self.chat.set_theme(theme)
        if (dashboard := self.pages.built_dashboard) is not None:
            dashboard.set_theme(theme)
        self.sidebar.theme_button.set_icon("sun" if theme.is_dark else "moon")

    def _scale_by(self, factor: float) -> None:
        scale = min(2.5, max(0.7, round(self._look.text_scale * factor, 2)))
        self._set_scale(scale)
        if self._backend is not None:
            self.settings.save("window.text_scale", scale)

    def _set_scale(self, scale: float) -> None:
        self.chat.transcript.set_text_scale(scale)
        self.chat.composer.edit.set_scale(scale)

    # Window

    def raise_up(self) -> None:
        """Brings the window before the others, as when the program is started again."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def open_files(self, paths: Sequence[Path]) -> None:
        """Adds what the person opened with the program to the documents."""
        if paths:
            self.ingestion.add(paths)
            self.go(DOCUMENTS)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accepts files and folders and shows where they go."""
        pictures = self.pages.currentIndex() == CHAT and shows_picture(event.mimeData())
        if pictures or dropped_paths(event.mimeData()):
            event.acceptProposedAction()
            self.overlay.tell(pictures=pictures)
            self.overlay.cover()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Hides the overlay."""
        self.overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Adds what was dropped to the documents; on the chat, pictures go to the next message."""
        self.overlay.hide()
        event.acceptProposedAction()
        if (page := self.pages.currentIndex()) == CHAT:
            self.files.take_data(event.mimeData())
        elif paths := dropped_paths(event.mimeData()):
            self.ingestion.add(paths, (self.documents.collection() or "") if page == DOCUMENTS else "")
            self.go(DOCUMENTS)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keeps the overlay over the whole window."""
        super().resizeEvent(event)
        if self.overlay.isVisible():
            self.overlay.cover()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tells of the first paint."""
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            self.first_painted.emit()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Tells the program to end; it cancels, stores and closes in order."""
        super().closeEvent(event)
        self.closing.emit()


def chosen_theme(look: WindowSettings) -> Theme:
    """Returns the theme the person chose, or the desktop's."""
    if look.theme == "system":
        return theme_for(QGuiApplication.styleHints().colorScheme())
    return DARK if look.theme == "dark" else LIGHT
