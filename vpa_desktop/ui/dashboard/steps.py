"""The steps of a drill as a list: each as tall as its words need, the last one in sight. It knows no drill."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from vpa_desktop.ui.theme import icon
from vpa_desktop.ui.widgets import theme_now

ICON_PX = 16
BESIDE_PX = 52
"""What a line has beside its words: icon, padding, and room for the scroll bar. Qt's own count leaves out padding."""

PADDING_PX = 12


class StepList(QListWidget):
    """Lines of an icon and words that wrap."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def add(self, picture: str, tone: str, text: str, *, is_title: bool = False) -> None:
        """Appends a line and makes it the current one."""
        item = QListWidgetItem(icon(picture, getattr(theme_now(), tone), ICON_PX), text)
        font = item.font()
        font.setBold(is_title)
        if is_title:
            item.setFont(font)
        self._fit(item)
        self.addItem(item)
        self.setCurrentItem(item)
        self.scrollToBottom()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wraps the words anew, and keeps the last line in sight."""
        super().resizeEvent(event)
        for row in range(self.count()):
            self._fit(self.item(row))
        if (current := self.currentItem()) is not None:
            self.scrollToItem(current)

    def _fit(self, item: QListWidgetItem) -> None:
        room = QRect(0, 0, max(80, self.viewport().width() - BESIDE_PX), 1 << 14)
        height = self.fontMetrics().boundingRect(room, int(Qt.TextFlag.TextWordWrap), item.text()).height()
        item.setSizeHint(QSize(0, max(ICON_PX, height) + PADDING_PX))
