"""A share (0 to 1) on each of several days as a small chart, read day by day with mouse, keys and screen reader.

Drawn by hand: it is small, and there are several of them, where a chart library would cost half a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from vpa_desktop.ui.announcing import announce
from vpa_desktop.ui.theme import text_font
from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QFocusEvent

HEIGHT_PX: Final = 84
LETTERS_PX: Final = 11
DOT_PX, CHOSEN_PX = 2.5, 4.5
STEPS: Final = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class TrendLine(QWidget):
    """Draws ``values`` from left (the oldest) to right; None leaves a gap. ``words`` say each day that has a value."""

    def __init__(self, name: str, values: Sequence[float | None], words: Sequence[str], ends: tuple[str, str]) -> None:
        super().__init__()
        self._values, self._words, self._ends = tuple(values), tuple(words), ends
        self._days = [n for n, value in enumerate(values) if value is not None]
        self.chosen = -1
        self.setAccessibleName(name)
        self.setAccessibleDescription("; ".join(words[n] for n in self._days))
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if self._days else Qt.FocusPolicy.NoFocus)

    def sizeHint(self) -> QSize:
        """As wide as a few words."""
        return QSize(180, HEIGHT_PX)

    def plot(self) -> QRectF:
        """Returns where the line is drawn: under 100 %, over the days."""
        metrics = QFontMetrics(text_font(LETTERS_PX))
        left = metrics.horizontalAdvance("100 %") + 8
        return QRectF(left, 8, max(1, self.width() - left - 8), max(1, self.height() - 8 - metrics.height() - 6))

    def point(self, number: int) -> QPointF:
        """Returns where a day is drawn."""
        plot, value = self.plot(), self._values[number] or 0.0
        x = plot.left() + plot.width() * number / max(1, len(self._values) - 1)
        return QPointF(x, plot.bottom() - plot.height() * min(1.0, max(0.0, value)))

    def said(self) -> str:
        """Returns the day that is chosen, in words."""
        return self._words[self.chosen] if self.chosen >= 0 else ""

    # What the person does

    def choose(self, number: int) -> None:
        """Marks a day; -1 marks none."""
        if number != self.chosen:
            self.chosen = number
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Goes from day to day with the arrow keys, Home and End; each is told."""
        key = Qt.Key(event.key())
        at = self._days.index(self.chosen) if self.chosen in self._days else len(self._days)
        wanted = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: len(self._days) - 1}.get(key, at + STEPS.get(key, 0))
        if key not in (Qt.Key.Key_Home, Qt.Key.Key_End, *STEPS) or not self._days:
            super().keyPressEvent(event)
            return
        self.choose(self._days[min(len(self._days) - 1, max(0, wanted))])
        announce(self, self.said())
        QToolTip.showText(self.mapToGlobal(self.point(self.chosen).toPoint()), self.said(), self)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Marks the day under the mouse."""
        x = event.position().x()
        self.choose(min(self._days, key=lambda n: abs(self.point(n).x() - x), default=-1))

    def leaveEvent(self, event: QEvent) -> None:
        """Marks no day any more."""
        self.choose(-1)
        super().leaveEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Marks no day any more."""
        self.choose(-1)
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        """Says the marked day beside the mouse."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.said(), self)
            return True
        return super().event(event)

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draws the scale, the line and the days."""
        theme = theme_now()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(text_font(LETTERS_PX))
        self._draw_scale(painter, QColor(theme.line), QColor(theme.dim))
        color = QColor(theme.accent)
        painter.setPen(QPen(color, 1.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.drawPolyline([self.point(n) for n in self._days])
        painter.setBrush(color)
        for number in self._days:
            size = CHOSEN_PX if number == self.chosen else DOT_PX
            painter.drawEllipse(self.point(number), size, size)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
        painter.end()

    def _draw_scale(self, painter: QPainter, line: QColor, words: QColor) -> None:
        plot = self.plot()
        left = QRectF(0, 0, plot.left() - 8, 16)
        for share in (0.0, 0.5, 1.0):
            y = plot.bottom() - plot.height() * share
            painter.setPen(QPen(line, 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(words)
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            if share != 0.5:
                painter.drawText(left.translated(0, y - 8), side, f"{share:.0%}".replace("%", " %"))
        foot = QRectF(plot.left(), plot.bottom() + 4, plot.width(), self.height() - plot.bottom() - 4)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, self._ends[0])
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, self._ends[1])
