"""A vertical bar of tabs with an icon and a text each, as the sidebar and the settings use it. Knows no pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QTabBar

from vpa_desktop.ui import nav_accessible
from vpa_desktop.ui.theme import icon_pixmap
from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW_PX = 38


class NavBar(QTabBar):
    """Real tabs (their accessible role is page tab), painted as a column of rows."""

    def __init__(self, name: str, entries: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        nav_accessible.install()
        self._icons = [icon_name for icon_name, _ in entries]
        self._hovered = -1
        self.setAccessibleName(name)
        self.setShape(QTabBar.Shape.RoundedWest)
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setUsesScrollButtons(False)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for _, text in entries:
            self.addTab(text)

    def tabSizeHint(self, index: int) -> QSize:
        """Each row is as wide as the bar."""
        return QSize(max(self.width(), 150), ROW_PX)

    def minimumSizeHint(self) -> QSize:
        """The bar needs the height of its rows."""
        return QSize(150, ROW_PX * self.count())

    def sizeHint(self) -> QSize:
        """The bar wants the height of its rows."""
        return QSize(220, ROW_PX * self.count())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Marks the row under the pointer."""
        super().mouseMoveEvent(event)
        self._hover(self.tabAt(event.position().toPoint()))

    def leaveEvent(self, event: QEvent) -> None:
        """Unmarks the row the pointer left."""
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for index in range(self.count()):
            self._paint_row(painter, index)
        painter.end()

    def _paint_row(self, painter: QPainter, index: int) -> None:
        theme = theme_now()
        rect = QRectF(self.tabRect(index)).adjusted(1, 1, -1, -1)
        rect.setWidth(self.width() - 2)
        current = index == self.currentIndex()
        painter.setPen(QPen(QColor(theme.accent), 2) if current and self.hasFocus() else Qt.PenStyle.NoPen)
        shade = theme.sel if current else theme.hover
        painter.setBrush(QColor(shade) if current or index == self._hovered else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect, 8, 8)
        middle = rect.center().y()
        tint = theme.accent if current else theme.dim
        painter.drawPixmap(QPointF(rect.x() + 10, middle - 9), icon_pixmap(self._icons[index], tint, 18))
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold if current else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(theme.text))
        painter.drawText(rect.adjusted(40, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter, self.tabText(index))
