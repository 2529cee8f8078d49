"""The left side of the window: name, new conversation, search, tabs, conversations, theme. Loads nothing itself."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from vpa_desktop.ui.conversations import ConversationList
from vpa_desktop.ui.nav import NavBar
from vpa_desktop.ui.widgets import IconButton, IconLabel, MenuButton, PlainLabel, SearchLine, theme_now

WIDTH_PX = 268
SEARCH_DELAY_MS = 150


class Sidebar(QFrame):
    """Navigation of the window. ``search_changed`` comes when the person pauses typing."""

    search_changed = Signal(str)
    new_wanted = Signal()
    collapse_wanted = Signal()
    theme_wanted = Signal()
    help_wanted = Signal()
    import_wanted = Signal()
    import_folder_wanted = Signal()
    export_all_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("side")
        self.setFixedWidth(WIDTH_PX)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(SEARCH_DELAY_MS)
        self._pause.timeout.connect(lambda: self.search_changed.emit(self.search.text().strip()))
        self.search: QLineEdit = self._make_search()
        self.tabs = NavBar(
            self.tr("Pages"),
            [
                ("message-square", self.tr("Chat")),
                ("file-text", self.tr("Documents")),
                ("chart-no-axes-column", self.tr("Dashboard")),
                ("settings", self.tr("Settings")),
            ],
        )
        self.conversations = ConversationList()
        self.nothing = PlainLabel("", "dim", wraps=True)
        self.nothing.setContentsMargins(18, 12, 18, 0)
        self.nothing.setVisible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 10)
        column.setSpacing(6)
        column.addLayout(self._header())
        column.addLayout(_inset(self.search, 14, 4))
        column.addLayout(_inset(self.tabs, 10, 0))
        column.addWidget(self.nothing)
        column.addWidget(self.conversations, 1)
        column.addLayout(self._footer())

    def _header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(18, 0, 10, 0)
        self.collapse = IconButton("panel-left", self.tr("Hide the sidebar"))
        self.collapse.clicked.connect(self.collapse_wanted)
        self.new = IconButton("square-pen", self.tr("New conversation"))
        self.new.setToolTip(self.tr("New conversation (Ctrl+N)"))
        self.new.clicked.connect(self.new_wanted)
        name = PlainLabel("VPA")
        name.setStyleSheet("font-weight: 700; font-size: 16px")
        row.addWidget(IconLabel("sparkles", 20, "accent"))
        row.addSpacing(2)
        row.addWidget(name)
        row.addStretch()
        row.addWidget(self._make_menu())
        row.addWidget(self.collapse)
        row.addWidget(self.new)
        return row

    def _make_menu(self) -> MenuButton:
        self.more = MenuButton("ellipsis", self.tr("Import and export conversations"))
        for words, wanted in (
            (self.tr("Import conversations…"), self.import_wanted),
            (self.tr("Import from a folder (Jan, Cherry Studio)…"), self.import_folder_wanted),
            (self.tr("Export all conversations…"), self.export_all_wanted),
        ):
            self.more.choices.addAction(words).triggered.connect(wanted)
        return self.more

    def _make_search(self) -> QLineEdit:
        line = SearchLine(self.tr("Search conversations"), self.tr("Search conversations"), has_icon=True)
        line.setObjectName("search")
        line.textChanged.connect(lambda _: self._pause.start())
        return line

    def _footer(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 12, 0)
        keys = IconButton("info", self.tr("Shortcuts"), self.tr("  Shortcuts"))
        keys.setToolTip(self.tr("Keyboard shortcuts (F1)"))
        keys.clicked.connect(self.help_wanted)
        self.theme_button = IconButton("sun" if theme_now().is_dark else "moon", self.tr("Switch light and dark"))
        self.theme_button.clicked.connect(self.theme_wanted)
        row.addWidget(keys)
        row.addStretch()
        row.addWidget(self.theme_button)
        return row

    def say_nothing_found(self, words: str, count: int) -> None:
        """Says in words where the list is empty."""
        self.nothing.setVisible(count == 0)
        if words:
            self.nothing.setText(self.tr("No conversation has these words."))
        else:
            self.nothing.setText(self.tr("Your conversations will be listed here."))


def _inset(widget: QWidget, sides: int, ends: int) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(sides, ends, sides, ends)
    row.addWidget(widget)
    return row
