"""The bar of Ctrl+F: finds words in the shown conversation. It asks for places; the view brings them into sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit

from vpa_desktop.ui.widgets import IconButton, PlainLabel

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent


class FindBar(QFrame):
    """A line with the words, next, previous and close. ``sought`` carries the words and +1, -1 or 0 (typed)."""

    sought = Signal(str, int)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("top")
        self.words = QLineEdit()
        self.words.setAccessibleName(self.tr("Find in this conversation"))
        self.words.setPlaceholderText(self.tr("Find in this conversation"))
        self.words.setAcceptDrops(False)
        self.words.setMaximumWidth(360)
        self.words.textChanged.connect(lambda text: self.sought.emit(text, 0))
        self._count = PlainLabel("", "dim")
        before = IconButton("chevron-up", self.tr("Previous place"))
        before.clicked.connect(lambda: self.sought.emit(self.words.text(), -1))
        after = IconButton("chevron-down", self.tr("Next place"))
        after.clicked.connect(lambda: self.sought.emit(self.words.text(), 1))
        close = IconButton("x", self.tr("Close find"))
        close.clicked.connect(self.close_bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 6, 16, 6)
        row.addWidget(self.words, 1)
        row.addWidget(self._count)
        row.addStretch(1)
        for button in (before, after, close):
            row.addWidget(button)
        self.hide()

    def open_bar(self) -> None:
        """Shows the bar with the cursor in it."""
        self.show()
        self.words.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.words.selectAll()
        if self.words.text():
            self.sought.emit(self.words.text(), 0)

    def close_bar(self) -> None:
        """Hides the bar and forgets the words."""
        self.hide()
        self.words.clear()
        self.closed.emit()

    def step(self, by: int) -> None:
        """Goes so many places on."""
        self.sought.emit(self.words.text(), by)

    def show_place(self, place: int, places: int) -> None:
        """Says which of how many places is in sight."""
        if not self.words.text():
            self._count.setText("")
        elif not places:
            self._count.setText(self.tr("Not found"))
        else:
            self._count.setText(self.tr("{0} of {1}").format(place, places))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter goes on, Shift+Enter back, Escape closes."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            back = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self.sought.emit(self.words.text(), -1 if back else 1)
        elif event.key() == Qt.Key.Key_Escape:
            self.close_bar()
        else:
            super().keyPressEvent(event)
