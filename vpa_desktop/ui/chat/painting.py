"""Paints a laid-out row. Decides no place and handles no event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QTextCharFormat,
    QTextCursor,
)

from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.highlight import language_name
from vpa_desktop.ui.chat.rows import INDENT, Line, Row, Zone
from vpa_desktop.ui.chat.segments import CODE_HEAD, CODE_PAD, Segment
from vpa_desktop.ui.theme import Theme, icon_pixmap, text_font

if TYPE_CHECKING:
    from collections.abc import Callable

LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
CHIP_GAP = 8
CENTRE = Qt.AlignmentFlag.AlignCenter
_ICONS = {"copy": "copy", "regenerate": "refresh-cw", "sources": "quote", "receipt": "route"}


@dataclass(frozen=True, slots=True)
class RowState:
    """What a row's picture depends on besides its layout. ``clip`` is the visible part, in the row's coordinates."""

    clip: QRectF
    palette: QPalette
    selection: Callable[[Segment], QTextCursor | None]
    hot: Zone | None = None
    done: Zone | None = None
    focused: Zone | None = None
    is_current: bool = False
    caret_on: bool = True


class RowPainter:
    """Paints rows of one theme with a QPainter whose origin is the row's top left corner."""

    def __init__(self, painter: QPainter, theme: Theme) -> None:
        self._p = painter
        self._t = theme

    def paint(self, row: Row, state: RowState) -> None:
        """Paints the row."""
        if row.is_user:
            self._fill(row.bubble, self._t.bubble, 18)
        else:
            self._header(row)
            self._bar(row.thoughts_rect)
        for segment in row.segments:
            if segment.rect.intersects(state.clip):
                self._segment(row, segment, state)
        for line in row.lines:
            self._line(row, line)
        for zone in row.zones:
            self._zone(row, zone, state)
        if row.foot.height() and row.has_buttons:
            self._write(row.foot, wording.cost(row.record), row.font(12), self._t.faint, LEFT)
        if row.record.state == "streaming" and row.body and state.caret_on:
            self._caret(row.body[-1])
        if state.is_current:
            self._ring(row)

    def _header(self, row: Row) -> None:
        disc = QRectF(row.head.left(), 0, 30, 30)
        self._ellipse(disc, self._t.soft)
        self._p.drawPixmap(disc.topLeft() + QPointF(7, 7), icon_pixmap("sparkles", self._t.accent, 16))
        name_font = row.font(13, QFont.Weight.DemiBold)
        place = row.head.adjusted(INDENT, 0, 0, 0)
        self._write(place, "Assistant", name_font, self._t.text, LEFT)
        after = QFontMetricsF(name_font).horizontalAdvance("Assistant") + 10
        self._write(place.adjusted(after, 0, 0, 0), wording.origin(row.record), row.font(12), self._t.faint, LEFT)

    def _bar(self, rect: QRectF) -> None:
        if rect.height() > 0:
            self._fill(QRectF(rect.left(), rect.top(), 3, rect.height()), self._t.line, 1.5)

    def _segment(self, row: Row, segment: Segment, state: RowState) -> None:
        if segment.kind == "code":
            self._card(row, segment)
        elif segment.kind == "quote":
            self._bar(segment.rect)
        elif segment.kind == "rule":
            middle = round(segment.rect.center().y())
            self._fill(QRectF(segment.rect.left(), middle, segment.rect.width(), 1), self._t.line, 0)
        context = QAbstractTextDocumentLayout.PaintContext()
        context.palette = state.palette
        context.clip = state.clip.translated(-segment.origin)
        chosen = state.selection(segment)
        if chosen is not None:
            context.selections = [_selected(chosen, state.palette)]
        self._p.save()
        self._p.translate(segment.origin)
        segment.document.documentLayout().draw(self._p, context)
        self._p.restore()

    def _card(self, row: Row, segment: Segment) -> None:
        rect = segment.rect.adjusted(0.5, 0.5, -0.5, -0.5)
        path = QPainterPath()
        path.addRoundedRect(rect, 12, 12)
        self._p.fillPath(path, QColor(self._t.code_bg))
        self._p.save()
        self._p.setClipPath(path)
        self._p.fillRect(QRectF(rect.left(), rect.top(), rect.width(), CODE_HEAD), QColor(self._t.code_head))
        self._p.restore()
        self._outline(rect, self._t.line, 12)
        head = QRectF(rect.left() + CODE_PAD + 2, rect.top(), rect.width() - 120, CODE_HEAD)
        label = language_name(segment.block.language)
        self._write(head, label, row.font(12, QFont.Weight.Medium), self._t.dim, LEFT)

    def _line(self, row: Row, line: Line) -> None:
        look = {
            "seam": ("route", self._t.dim),
            "state": ("info", self._t.dim),
            "error": ("triangle-alert", self._t.danger),
            "warning": ("triangle-alert", self._t.warn),
        }
        name, colour = look[line.kind]
        pad = 0.0
        if line.kind == "error":
            self._fill(line.rect, self._t.danger_soft, 10)
            pad = 12.0
        if line.text.endswith("…") and line.kind == "state":
            name, colour = "sparkles", self._t.accent
        self._p.drawPixmap(
            line.rect.topLeft() + QPointF(pad, pad + (4 if not pad else 1)), icon_pixmap(name, colour, 15)
        )
        place = line.rect.adjusted(pad + 24, pad or 4, -pad, 0)
        ink = colour if line.kind in ("error", "warning") else self._t.dim
        flags = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        self._write(place, line.text, row.font(13), ink, flags)

    def _zone(self, row: Row, zone: Zone, state: RowState) -> None:
        is_hot, is_done = zone == state.hot, zone == state.done
        if zone.action == "cite":
            self._chip(row, zone, is_hot)
        elif zone.action == "code":
            self._code_button(row, zone, is_hot, is_done)
        elif zone.action == "reasoning":
            self._reasoning(row, zone, is_hot)
        elif zone.action == "picture":
            self._picture(row, zone, is_hot)
        else:
            self._button(row, zone, is_hot, is_done)
        if zone == state.focused:
            self._outline(zone.rect.adjusted(-1, -1, 1, 1), self._t.accent, 9, 2)

    def _button(self, row: Row, zone: Zone, is_hot: bool, is_done: bool) -> None:
        if zone.action == "sources" and not (row.record.citations or row.record.evidence.left_out):
            colour = self._t.edge
        else:
            colour = self._t.text if is_hot else self._t.faint
        if is_hot:
            self._fill(zone.rect, self._t.hover, 8)
        name, colour = ("check", self._t.ok) if is_done else (_ICONS[zone.action], colour)
        corner = zone.rect.center() - QPointF(7.5, 7.5)
        self._p.drawPixmap(QPointF(round(corner.x()), round(corner.y())), icon_pixmap(name, colour, 15))

    def _code_button(self, row: Row, zone: Zone, is_hot: bool, is_done: bool) -> None:
        colour = self._t.ok if is_done else self._t.text if is_hot else self._t.dim
        font = row.font(12, QFont.Weight.Medium)
        label = "Copied" if is_done else "Copy"
        right = zone.rect.adjusted(0, 0, -12, 0)
        self._write(right, label, font, colour, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
        x = right.right() - QFontMetricsF(font).horizontalAdvance(label) - 21
        pixmap = icon_pixmap("check" if is_done else "copy", colour, 14)
        self._p.drawPixmap(QPointF(round(x), round(zone.rect.center().y() - 7)), pixmap)

    def _reasoning(self, row: Row, zone: Zone, is_hot: bool) -> None:
        colour = self._t.text if is_hot else self._t.dim
        name = "chevron-down" if row.show_thoughts else "chevron-right"
        corner = QPointF(zone.rect.left(), round(zone.rect.center().y() - 7))
        self._p.drawPixmap(corner, icon_pixmap(name, colour, 14))
        self._write(zone.rect.adjusted(20, 0, 0, 0), zone.label, row.font(12), colour, LEFT)

    def _picture(self, row: Row, zone: Zone, is_hot: bool) -> None:
        path = QPainterPath()
        path.addRoundedRect(zone.rect, 10, 10)
        self._p.fillPath(path, QColor(self._t.soft))
        if zone.number < len(row.thumbs) and not row.thumbs[zone.number].isNull():
            self._p.save()
            self._p.setClipPath(path)
            self._p.drawImage(zone.rect, row.thumbs[zone.number])
            self._p.restore()
        else:
            self._p.drawPixmap(zone.rect.center() - QPointF(10, 10), icon_pixmap("paperclip", self._t.faint, 20))
        self._outline(zone.rect.adjusted(0.5, 0.5, -0.5, -0.5), self._t.accent if is_hot else self._t.line, 10)

    def _chip(self, row: Row, zone: Zone, is_hot: bool) -> None:
        rect = zone.rect.adjusted(0.5, 0.5, -0.5, -0.5)
        self._fill(rect, self._t.hover if is_hot else self._t.chip, 14)
        self._outline(rect, self._t.accent if is_hot else self._t.line, 14)
        disc = QRectF(rect.left() + 6.5, rect.top() + 4.5, 18, 18)
        self._ellipse(disc, self._t.accent)
        self._write(disc, str(zone.number), row.font(10, QFont.Weight.Bold), self._t.on_accent, CENTRE)
        citation = next((each for each in row.record.citations if each.n == zone.number), None)
        if citation is None:
            return
        name, where = wording.chip(citation)
        font = row.font(12, QFont.Weight.Medium)
        place, metrics = rect.adjusted(32.5, 0, -10, 0), QFontMetricsF(font)
        name, where = within(name, where, metrics, place.width())
        self._write(place, name, font, self._t.text, LEFT)
        after = metrics.horizontalAdvance(name) + CHIP_GAP
        self._write(place.adjusted(after, 0, 0, 0), where, font, self._t.faint, LEFT)

    def _caret(self, segment: Segment) -> None:
        document = segment.document
        block = document.lastBlock()
        rect = document.documentLayout().blockBoundingRect(block)
        layout = block.layout()
        count = layout.lineCount()
        if not count:
            return
        line = layout.lineAt(count - 1)
        x = rect.left() + line.naturalTextRect().right() + 3
        y = rect.top() + line.y() + line.height() - line.descent() - line.ascent()
        corner = segment.origin + QPointF(x, y + 1)
        self._fill(QRectF(corner.x(), corner.y(), 3, line.ascent()), self._t.accent, 1.5)

    def _ring(self, row: Row) -> None:
        if row.is_user:
            self._outline(row.bubble.adjusted(-2, -2, 2, 2), self._t.accent, 20, 2)
        else:
            area = QRectF(row.head.left() - 10, -7, row.head.width() + 20, row.height - 6)
            self._outline(area, self._t.accent, 12, 2)

    def _write(self, rect: QRectF, text: str, font: QFont, colour: str, flags: int | Qt.AlignmentFlag) -> None:
        self._p.setFont(font)
        self._p.setPen(QColor(colour))
        self._p.drawText(rect, int(flags), text)

    def _fill(self, rect: QRectF, colour: str, radius: float) -> None:
        self._p.setPen(Qt.PenStyle.NoPen)
        self._p.setBrush(QColor(colour))
        self._p.drawRoundedRect(rect, radius, radius)

    def _ellipse(self, rect: QRectF, colour: str) -> None:
        self._p.setPen(Qt.PenStyle.NoPen)
        self._p.setBrush(QColor(colour))
        self._p.drawEllipse(rect)

    def _outline(self, rect: QRectF, colour: str, radius: float, width: float = 1) -> None:
        self._p.setPen(QPen(QColor(colour), width))
        self._p.setBrush(Qt.BrushStyle.NoBrush)
        self._p.drawRoundedRect(rect, radius, radius)


def paint_empty(painter: QPainter, theme: Theme, scale: float, column: QRectF, text: str) -> None:
    """Paints the start screen: an icon, the text's first line as a heading, and the rest under it."""
    heading, _, rest = text.partition("\n")
    flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)
    middle = column.center()
    disc = QRectF(middle.x() - 28, middle.y() - 120, 56, 56)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.soft))
    painter.drawEllipse(disc)
    painter.drawPixmap(disc.topLeft() + QPointF(14, 14), icon_pixmap("sparkles", theme.accent, 28))
    painter.setPen(QColor(theme.text))
    painter.setFont(text_font(22 * scale, QFont.Weight.DemiBold))
    painter.drawText(QRectF(column.left(), disc.bottom() + 18, column.width(), 60 * scale), flags, heading)
    painter.setPen(QColor(theme.dim))
    painter.setFont(text_font(14 * scale))
    below = disc.bottom() + 18 + 42 * scale
    painter.drawText(QRectF(column.left(), below, column.width(), column.bottom() - below), flags, rest.strip())


def _selected(cursor: QTextCursor, palette: QPalette) -> QAbstractTextDocumentLayout.Selection:
    marked = QAbstractTextDocumentLayout.Selection()
    look = QTextCharFormat()
    look.setBackground(palette.highlight())
    look.setForeground(palette.highlightedText())
    marked.cursor = cursor
    marked.format = look
    return marked


def within(name: str, where: str, metrics: QFontMetricsF, room: float) -> tuple[str, str]:
    """Returns a source's name and place in so much room: a short place stays whole, and the name keeps its ending."""
    if not where:
        return metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room), where
    if metrics.horizontalAdvance(name) + CHIP_GAP + metrics.horizontalAdvance(where) <= room:
        return name, where
    least = min(metrics.horizontalAdvance(where), room / 3)
    name = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room - least - CHIP_GAP)
    rest = room - metrics.horizontalAdvance(name) - CHIP_GAP
    return name, metrics.elidedText(where, Qt.TextElideMode.ElideRight, rest)
