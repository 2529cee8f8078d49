"""The frame of a side panel: a heading, a close button, scrolling content. What is in it comes from its subclasses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from vpa_desktop.ui.theme import LIGHT, Theme, icon

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent


PANEL_PX = 380


class SidePanel(QFrame):
    """A panel beside the transcript. Esc and its button close it; ``closed`` is emitted then."""

    closed = Signal()

    def __init__(self, heading: str, parent: QWidget | None = None, theme: Theme = LIGHT) -> None:
        super().__init__(parent)
        self.theme = theme
        self.setObjectName("panel")
        self.setMinimumWidth(300)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.heading = label(heading, title=True)
        self.close_button = QToolButton()
        self.close_button.setToolTip("Close (Esc)")
        self.close_button.clicked.connect(self.dismiss)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.head = QHBoxLayout()
        self._fill()
        self.rename(heading)
        self.set_theme(theme)

    def rename(self, heading: str) -> None:
        """Gives the panel another heading."""
        self.heading.setText(heading)
        for part in (self, self._area):
            part.setAccessibleName(heading)
        self.close_button.setAccessibleName(f"Close {heading.lower()}")

    def _fill(self) -> None:
        self.head.setContentsMargins(20, 10, 12, 6)
        self.head.addWidget(self.heading, 1)
        self.head.addWidget(self.close_button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(self.head)
        whole.addWidget(self._area, 1)

    def set_theme(self, theme: Theme) -> None:
        """Changes the colours."""
        self.theme = theme
        self.setStyleSheet(f"#panel {{ background: {theme.bg}; border: 0; border-left: 1px solid {theme.line}; }}")
        self.close_button.setIcon(icon("x", theme.dim, 18))
        self.restyle()

    def restyle(self) -> None:
        """Is called after the colours have changed."""

    def show_content(self, content: QWidget) -> None:
        """Replaces what the panel shows and opens it."""
        self._area.setWidget(content)
        content.setAutoFillBackground(False)
        self._area.viewport().setAutoFillBackground(False)
        if self.parentWidget() is not None:  # alone it would be a window of its own
            self.show()

    def wanted_px(self, room: int) -> int:
        """Returns how wide the panel would like to be, of the ``room`` it shares with the conversation."""
        return min(PANEL_PX, room)

    def dismiss(self) -> None:
        """Closes the panel."""
        self.hide()
        self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Closes the panel on Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)


def label(text: str, *, selectable: bool = False, **properties: bool) -> QLabel:
    """Returns a label that shows ``text`` literally, with the style sheet's properties set."""
    made = QLabel()
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(True)
    made.setText(text)
    for name, value in properties.items():
        made.setProperty(name, value)
    if selectable:
        made.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
    return made
