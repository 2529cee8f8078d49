"""A line of times as small as a word: the last answers of a provider. No axis and no figures; its name says them."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from vpa_desktop.ui.widgets import theme_now

SIZE = QSize(132, 30)
INSET = 3.0


class Sparkline(QWidget):
    """Draws values from left (the oldest) to right, the largest at the top; a dot marks the last one."""

    def __init__(self, values: tuple[float, ...], name: str) -> None:
        super().__init__()
        self._values = values
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """As wide as two words."""
        return SIZE

    def points(self) -> list[QPointF]:
        """Returns where the values are drawn."""
        values = self._values
        top = max(values, default=0.0)
        if not top:
            return []
        width, height = self.width() - 2 * INSET, self.height() - 2 * INSET
        step = width / max(1, len(values) - 1)
        return [QPointF(INSET + n * step, INSET + height * (1 - value / top)) for n, value in enumerate(values)]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draws the line."""
        points = self.points()
        if not points:
            return
        color = QColor(theme_now().accent)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color, 1.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.drawPolyline(points)
        painter.setBrush(color)
        painter.drawEllipse(points[-1], 2.0, 2.0)
        painter.end()
