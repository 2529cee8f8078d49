"""What painted lists of rows have in common: the name of a group above its first row, and the ground of a row."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from vpa_desktop.ui.theme import text_font
from vpa_desktop.ui.widgets import theme_now

GROUP_PX = 28


def row_rect(option: QStyleOptionViewItem, group: object) -> QRectF:
    """Returns where the row itself is, below the group's name where there is one."""
    return QRectF(option.rect).adjusted(8, GROUP_PX if group else 0, -8, 0)


def is_selected(option: QStyleOptionViewItem) -> bool:
    """True for the current row."""
    return bool(option.state & QStyle.StateFlag.State_Selected)


def paint_ground(painter: QPainter, option: QStyleOptionViewItem, row: QRectF, group: object) -> None:
    """Paints the group's name, and the ground of a row that is selected or under the mouse."""
    theme, state = theme_now(), option.state
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if group:
        painter.setFont(text_font(11, QFont.Weight.DemiBold))
        painter.setPen(QColor(theme.faint))
        name = QRectF(row.left() + 10, row.top() - 17, row.width() - 20, 20)
        painter.drawText(name, Qt.AlignmentFlag.AlignVCenter, str(group))
    selected = is_selected(option)
    if selected or state & QStyle.StateFlag.State_MouseOver:
        focused = selected and bool(state & QStyle.StateFlag.State_HasFocus)
        painter.setPen(QPen(QColor(theme.accent), 2) if focused else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.sel if selected else theme.hover))
        painter.drawRoundedRect(row.adjusted(1, 1, -1, -1), 8, 8)
