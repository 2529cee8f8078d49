"""Files and folders dragged onto the window: which of them count, and the overlay that says so."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vpa_desktop.ui.widgets import IconLabel, PlainLabel, theme_now


def dropped_paths(data: QMimeData) -> list[Path]:
    """Returns the local files and folders in a drag; links to elsewhere are left out."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile() and url.toLocalFile()]


class DropOverlay(QWidget):
    """Covers the window while files are dragged over it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        column = QVBoxLayout(self)
        column.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.setSpacing(10)
        column.addWidget(IconLabel("file-plus", 44, "accent"), 0, Qt.AlignmentFlag.AlignHCenter)
        self._title, self._note = PlainLabel("", "heading"), PlainLabel()
        column.addWidget(self._title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self._note, 0, Qt.AlignmentFlag.AlignHCenter)
        self.tell(pictures=False)
        self.hide()

    def tell(self, *, pictures: bool) -> None:
        """Says where it goes what is dragged: pictures to the next message, all else to the documents."""
        title = self.tr("Drop to attach to your message") if pictures else self.tr("Drop to add to your documents")
        self._title.setText(title)
        self.setAccessibleName(title)
        self._note.setText(
            self.tr("Pictures go along with your next message. Other files are added to your documents.")
            if pictures
            else self.tr(
                "PDF, Office files, e-books, e-mail, web pages, text, code, or a whole folder. "
                "They stay on this computer."
            )
        )

    def cover(self) -> None:
        """Shows the overlay over the whole parent."""
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints a veil and a dashed frame."""
        theme = theme_now()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(theme.bg)
        veil.setAlpha(235)
        painter.fillRect(self.rect(), veil)
        pen = QPen(QColor(theme.accent), 2, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(QColor(theme.soft))
        painter.setOpacity(0.75)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(20, 20, -20, -20), 18, 18)
        painter.end()
