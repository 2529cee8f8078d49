"""The line above a conversation: its title, its figures, find and the rest in a menu. Does nothing itself."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout

from vpa_desktop.ui.widgets import ElidedLabel, IconButton, MenuButton, PlainLabel


class ChatHeader(QFrame):
    """Title at the left, actions at the right."""

    find_wanted = Signal()
    rename_wanted = Signal()
    export_wanted = Signal()
    delete_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("top")
        self.setFixedHeight(52)
        self._title = ElidedLabel(self.tr("New conversation"), "title")
        self._figures = PlainLabel("", "dim")
        find = IconButton("search", self.tr("Find in this conversation"))
        find.setToolTip(self.tr("Find in this conversation (Ctrl+F)"))
        find.clicked.connect(self.find_wanted)
        self._more = MenuButton("ellipsis", self.tr("More"))
        self._more.choices.addAction(self.tr("Rename…")).triggered.connect(self.rename_wanted)
        self._more.choices.addAction(self.tr("Export…")).triggered.connect(self.export_wanted)
        self._more.choices.addAction(self.tr("Delete…")).triggered.connect(self.delete_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 0, 16, 0)
        row.setSpacing(8)
        row.addWidget(self._title, 1)
        row.addWidget(self._figures)
        row.addSpacing(4)
        row.addWidget(find)
        row.addWidget(self._more)
        self.set_stored(False)

    def set_title(self, title: str) -> None:
        """Shows the title of the conversation."""
        self._title.set_whole(title or self.tr("New conversation"))

    def title(self) -> str:
        """Returns the title shown."""
        return self._title.whole()

    def set_figures(self, text: str) -> None:
        """Shows the figures of the conversation."""
        self._figures.setText(text)

    def set_stored(self, stored: bool) -> None:
        """Allows what needs a stored conversation."""
        self._more.setEnabled(stored)
