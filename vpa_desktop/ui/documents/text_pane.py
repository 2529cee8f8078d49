"""A document's text in a view of its own, with the passage marked and scrolled to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QTextBlockFormat, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QTextEdit, QWidget

from vpa_desktop.ui.chat.markdown import breakable, visible
from vpa_desktop.ui.chat.segments import SafeDocument
from vpa_desktop.ui.theme import text_font
from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from vpa_desktop.page_views import TextView

LETTERS_PX = 14
LINE_ENDS = ("\r\n", "\r", "\u2028", "\u2029")


class TextPane(QTextEdit):
    """Shows text literally; ``turned`` asks for the piece so many on."""

    turned = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.zoom = 1.0
        self._view: TextView | None = None

    def show_text(self, view: TextView) -> None:
        """Shows a piece of a document, with the marked passage a quarter down."""
        self._view = view
        theme = theme_now()
        self.setStyleSheet(f"QTextEdit {{ background: {theme.bg}; border: 0; padding: 0 12px; }}")
        document, start = _document(self, view, self.zoom)
        self.setDocument(document)
        cursor = QTextCursor(document)
        cursor.setPosition(start)
        self.setTextCursor(cursor)
        QTimer.singleShot(0, self, self._scroll_to_cursor)  # the layout is only known when it was shown

    def set_zoom(self, zoom: float) -> None:
        """Enlarges the letters."""
        self.zoom = zoom
        if self._view is not None:
            self.show_text(self._view)

    def restyle(self) -> None:
        """Shows the same in the new colours."""
        if self._view is not None:
            self.show_text(self._view)

    def _scroll_to_cursor(self) -> None:
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + self.cursorRect().top() - self.viewport().height() // 4)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scrolls by pages; at the end the next piece follows."""
        bar = self.verticalScrollBar()
        steps = {Qt.Key.Key_PageDown: 1, Qt.Key.Key_PageUp: -1}
        step = steps.get(Qt.Key(event.key()), 0)
        if step and bar.value() == (bar.maximum() if step > 0 else 0):
            self.turned.emit(step)
        elif step:
            bar.setValue(bar.value() + step * round(self.viewport().height() * 0.9))
        else:
            super().keyPressEvent(event)


def _document(owner: QWidget, view: TextView, zoom: float) -> tuple[SafeDocument, int]:
    """The text with its formats, and where the mark begins (0 where nothing is marked)."""
    theme = theme_now()
    size = round(LETTERS_PX * zoom)
    document = SafeDocument(owner)
    document.setDefaultFont(text_font(size))
    cursor = QTextCursor(document)
    lines = QTextBlockFormat()
    lines.setLineHeight(145, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    cursor.setBlockFormat(lines)
    formats = {kind: QTextCharFormat() for kind in ("heading", "text", "mark")}
    formats["text"].setForeground(QColor(theme.text))
    formats["heading"].setForeground(QColor(theme.dim))
    formats["heading"].setFontWeight(QFont.Weight.DemiBold.value)
    formats["mark"].setForeground(QColor(theme.text))
    formats["mark"].setBackground(QColor(theme.mark))
    start = 0
    for run in view.runs:
        if run.kind == "mark" and not start:
            start = cursor.position()
        cursor.insertText(plain(run.text), formats[run.kind])
    return document, start


def plain(text: str) -> str:
    """Returns the text as it can be shown: line ends of one kind, nothing invisible, long runs broken."""
    for end in LINE_ENDS:
        text = text.replace(end, "\n")
    return breakable(visible(text))
