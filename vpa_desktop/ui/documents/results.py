"""The passages a search in the documents found: where each stands, the text, and why it was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QTextLayout, QTextOption
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from vpa_desktop.ui.theme import text_font
from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from vpa_desktop.records import SearchReport, SearchResult

AnyIndex = QModelIndex | QPersistentModelIndex
RESULT_ROLE = Qt.ItemDataRole.UserRole
LINES, HEIGHT_PX = 3, 118
GAP: Final = "  ·  "


class PassageList(QListWidget):
    """A list of passages; each item reads as place, text and reason."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Passages found"))
        self.setItemDelegate(PassageDelegate(self))
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSpacing(4)

    def show_report(self, report: SearchReport) -> None:
        """Shows the passages of a report, the best first."""
        self.clear()
        for result in report.results:
            text = "\n".join((place(result), " ".join(result.text.split()), self.reason(result)))
            item = QListWidgetItem(text)
            item.setData(RESULT_ROLE, result)
            self.addItem(item)

    def reason(self, result: SearchResult) -> str:
        """Says why a passage was found, and which other documents say the same."""
        parts = []
        if result.why.keyword_rank is not None:
            parts.append(self.tr("its words: rank {0}").format(result.why.keyword_rank))
        if result.why.dense_rank is not None:
            parts.append(self.tr("its meaning: rank {0}").format(result.why.dense_rank))
        if result.why.rerank_score is not None:
            parts.append(self.tr("read again: {0:.2f}").format(result.why.rerank_score))
        found = self.tr("Found by {0}").format(", ".join(parts)) if parts else ""
        sent = result.left_out.rstrip(".") if result.left_out else self.tr("Kept for an answer")
        others = ", ".join(place.document for place in result.also_in)
        also = self.tr("Also in {0}").format(others) if others else ""
        return "  ·  ".join(part for part in (also, found, sent) if part)


def place(result: SearchResult) -> str:
    """Says where a passage stands."""
    return GAP.join(part for part in _parts(result) if part)


def place_within(result: SearchResult, metrics: QFontMetrics, width_px: int) -> str:
    """Says it in so much room: the name and the section are cut in their middle, and the page stays whole."""
    whole = place(result)
    if metrics.horizontalAdvance(whole) <= width_px:
        return whole
    name, page, section = _parts(result)
    beside_px = metrics.horizontalAdvance(GAP + page) if page else 0
    if section:
        beside_px += metrics.horizontalAdvance(GAP)
        section_px = min(metrics.horizontalAdvance(section), (width_px - beside_px) // 2)
        section = metrics.elidedText(section, Qt.TextElideMode.ElideMiddle, section_px)
        beside_px += metrics.horizontalAdvance(section)
    name = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, width_px - beside_px)
    return GAP.join(part for part in (name, page, section) if part)


def _parts(result: SearchResult) -> tuple[str, str, str]:
    page = f"p. {result.page}" if result.page is not None else ""
    section = f"§ {result.section}" if result.section[:1].isdigit() else result.section
    return result.document or result.title, page, section


class PassageDelegate(QStyledItemDelegate):
    """Paints a passage as a card: place, at most three lines of text, reason."""

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        """Every card has the same height."""
        return QSize(200, HEIGHT_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paints one card."""
        theme = theme_now()
        state: QStyle.StateFlag = option.state
        selected = bool(state & QStyle.StateFlag.State_Selected)
        card = QRectF(option.rect).adjusted(1, 1, -2, -2)
        _, text, why = [*str(index.data()).split("\n"), "", ""][:3]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.accent if selected else theme.line), 1))
        painter.setBrush(QColor(theme.soft if selected else theme.card))
        painter.drawRoundedRect(card, 10, 10)
        inner = card.adjusted(14, 10, -14, -10)
        bold = text_font(13, QFont.Weight.DemiBold)
        painter.setFont(bold)
        painter.setPen(QColor(theme.text))
        result: SearchResult = index.data(RESULT_ROLE)
        painter.drawText(inner, place_within(result, QFontMetrics(bold), int(inner.width())))
        _draw_lines(painter, text, inner.adjusted(0, 21, 0, 0))
        painter.setFont(text_font(12))
        painter.setPen(QColor(theme.faint))
        small = QFontMetrics(painter.font())
        why = small.elidedText(why, Qt.TextElideMode.ElideRight, int(inner.width()))
        painter.drawText(inner, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, why)
        painter.restore()


def _draw_lines(painter: QPainter, text: str, room: QRectF) -> None:
    font = text_font(13)
    painter.setPen(QColor(theme_now().dim))
    layout = QTextLayout(text[:1200], font)
    layout.setTextOption(QTextOption(Qt.AlignmentFlag.AlignLeft))
    layout.beginLayout()
    y = 0.0
    for _ in range(LINES):
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(room.width())
        line.setPosition(QPointF(0, y))
        y += line.height() + 1
    layout.endLayout()
    layout.draw(painter, room.topLeft())
