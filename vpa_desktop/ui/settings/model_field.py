"""The field for a model's name: typed, or chosen from the provider's list once it was loaded. It asks nobody itself."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QCompleter,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from vpa_desktop.ui.widgets import IconButton, PlainLabel, theme_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from vpa_desktop.catalog import ModelInfo

POPUP_PX = 320
"""The list's least width: a narrow window has a narrow line, but the facts need their room."""

FACTS = Qt.ItemDataRole.UserRole + 1


def tokens_words(tokens: int) -> str:
    """Returns a window's size in few letters: 128k, 1M."""
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.1f}".removesuffix(".0") + "M"
    return f"{round(tokens / 1000)}k" if tokens >= 1000 else str(tokens)


def facts_words(info: ModelInfo) -> list[str]:
    """Returns what is known of a model, each fact in a word or two; what is not known is left out."""
    tr = QCoreApplication.translate
    words = []
    if info.context_tokens:
        words.append(tr("ModelField", "{0} tokens").format(tokens_words(info.context_tokens)))
    for able, word in (
        (info.images, tr("ModelField", "images")),
        (info.tools, tr("ModelField", "tools")),
        (info.reasoning, tr("ModelField", "thinking")),
    ):
        if able:
            words.append(word)
    if info.input_cost_per_million is not None and info.output_cost_per_million is not None:
        price_in, price_out = _dollars(info.input_cost_per_million), _dollars(info.output_cost_per_million)
        words.append(tr("ModelField", "{0} in, {1} out per million").format(price_in, price_out))
    if info.retires_on:
        ended = info.retires_on <= date.today().isoformat()
        ends = tr("ModelField", "ended {0}") if ended else tr("ModelField", "ends {0}")
        words.append(ends.format(info.retires_on))
    return words


def _dollars(amount: Decimal) -> str:
    return f"${amount.normalize():f}" if amount != amount.to_integral_value() else f"${amount:.0f}"


class ModelField(QWidget):
    """A line with its list; ``load_wanted`` asks for the list."""

    load_wanted = Signal()

    def __init__(self, name: str, usual: str) -> None:
        super().__init__()
        self._facts: dict[str, ModelInfo] = {}
        self.line = QLineEdit()
        self.line.setAccessibleName(name)
        self.line.setPlaceholderText(usual)
        self.line.setAcceptDrops(False)
        self.line.textChanged.connect(self._show_facts)
        self.open = IconButton("chevron-down", self.tr("Load models"), size=16)
        self.open.clicked.connect(self._open)
        self.load = IconButton("refresh-cw", self.tr("Load the models again"), size=16)
        self.load.clicked.connect(self.load_wanted)
        self.load.hide()
        self._known = PlainLabel("", "dim", wraps=True)
        self._known.hide()
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.line, 1)
        row.addWidget(self.open)
        row.addWidget(self.load)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self._known)
        self.setFocusProxy(self.line)

    def offer(self, models: Sequence[ModelInfo]) -> None:
        """Puts models into the list; those that do not answer in text stay out."""
        answering = [info for info in models if info.chat is not False] or list(models)
        self._facts = {info.id: info for info in answering}
        rows = QStandardItemModel(self)
        for info in answering:
            facts = " · ".join(facts_words(info))
            item = QStandardItem(info.id)
            item.setData(facts, FACTS)
            item.setData(f"{info.id}, {facts}" if facts else info.id, Qt.ItemDataRole.AccessibleTextRole)
            item.setToolTip(info.name if info.name != info.id else "")
            rows.appendRow(item)
        completer = QCompleter(rows, self.line)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setMaxVisibleItems(10)
        popup = QListView()
        popup.setProperty("popup", True)
        popup.setMinimumWidth(POPUP_PX)
        popup.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        popup.setAccessibleName(self.tr("Models"))
        completer.setPopup(popup)
        popup.setItemDelegate(_ModelRow(popup))
        self.line.setCompleter(completer)
        self.load.setVisible(bool(answering))
        self._call_it(self.tr("Show the models") if answering else self.tr("Load models"))
        self._show_facts()

    def forget(self) -> None:
        """Empties the list: the address it came from is another one now."""
        if self._facts:
            self.offer(())

    def _call_it(self, name: str) -> None:
        self.open.setAccessibleName(name)
        self.open.setToolTip(name)

    def _open(self) -> None:
        if self._facts:
            self.show_list()
        else:
            self.load_wanted.emit()

    def show_list(self) -> None:
        """Opens the whole list."""
        completer = self.line.completer()
        if completer is not None:
            self.line.setFocus()
            completer.setCompletionPrefix("")
            completer.complete()

    def set_busy(self, busy: bool) -> None:
        """Says that the list is on its way."""
        for button in (self.open, self.load):
            button.setEnabled(not busy)
        self.open.set_icon("clock" if busy else "chevron-down")

    def _show_facts(self) -> None:
        info = self._facts.get(self.line.text().strip())
        words = " · ".join(facts_words(info)) if info is not None else ""
        self._known.setText(words)
        self._known.setVisible(bool(words))


class _ModelRow(QStyledItemDelegate):
    """Paints a model's name and, dim at the right, what is known of it."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        theme = theme_now()
        rect = option.rect.adjusted(8, 0, -8, 0)
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, QColor(theme.sel))
        metrics = option.fontMetrics
        facts = str(index.data(FACTS) or "")
        wanted = metrics.horizontalAdvance(facts) if facts else 0
        name = str(index.data())
        room = rect.width() - min(metrics.horizontalAdvance(name), rect.width()) - 16
        painter.setPen(QColor(theme.text))
        align = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rect, align, metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, rect.width()))
        if room > 60 and wanted:
            painter.setPen(QColor(theme.dim))
            cut = metrics.elidedText(facts, Qt.TextElideMode.ElideRight, room)
            painter.drawText(rect, align | Qt.AlignmentFlag.AlignRight, cut)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, 32)
