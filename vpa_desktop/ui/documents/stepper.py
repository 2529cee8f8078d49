"""The buttons that lead from one source to the next, and which of how many is shown. It asks; others do it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from vpa_desktop.ui.widgets import IconButton, PlainLabel


class Stepper(QWidget):
    """``stepped`` asks for the source so many on; after the last one the first follows."""

    stepped = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.previous = IconButton("arrow-up", self.tr("Previous source"), size=16)
        self.previous.setToolTip(self.tr("Previous source (Shift+F3)"))
        self.previous.clicked.connect(lambda: self.stepped.emit(-1))
        self.next = IconButton("arrow-down", self.tr("Next source"), size=16)
        self.next.setToolTip(self.tr("Next source (F3)"))
        self.next.clicked.connect(lambda: self.stepped.emit(1))
        self._where = PlainLabel("", "dim")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (self._where, self.previous, self.next):
            row.addWidget(widget)
        self.hide()

    def show_place(self, position: int, count: int) -> None:
        """Says which of how many sources is shown, from 1; a single one needs no buttons."""
        self._where.setText(self.tr("{0} of {1}").format(position, count))
        self.setVisible(count > 1)

    def place(self) -> str:
        """Returns which of how many is shown, in words; empty where there is only one."""
        return "" if self.isHidden() else self._where.text()
