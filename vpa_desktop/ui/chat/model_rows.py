"""The rows of the provider-and-model picker: a searchable list model and its painter. Chooses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from vpa_desktop.ui.chat.model_wording import abilities, ending_mark, title
from vpa_desktop.ui.painted_rows import GROUP_PX, paint_ground, row_rect
from vpa_desktop.ui.theme import icon_pixmap, text_font
from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import RouteChoice

AnyIndex = QModelIndex | QPersistentModelIndex
GROUP_ROLE = Qt.ItemDataRole.UserRole
NOTE_ROLE = Qt.ItemDataRole.UserRole + 1
ENDING_ROLE = Qt.ItemDataRole.UserRole + 2
CHOSEN_ROLE = Qt.ItemDataRole.UserRole + 3
ROW_PX = 46


class ModelRows(QAbstractListModel):
    """The choices that contain the words sought. The first of each provider carries its name under GROUP_ROLE."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._all: list[tuple[str, RouteChoice]] = []
        self._rows: list[RouteChoice] = []
        self._words: list[str] = []
        self._chosen: RouteChoice | None = None

    def set_choices(self, choices: Sequence[RouteChoice], chosen: RouteChoice | None) -> None:
        """Shows these choices, with a mark at the one in force."""
        self._all = [(f"{c.label} {c.provider} {c.info.name if c.info else ''}".lower(), c) for c in choices]
        self._chosen = chosen
        self._filter()

    def seek(self, words: str) -> None:
        """Shows the choices that contain all these words."""
        self._words = words.lower().split()
        self._filter()

    def _filter(self) -> None:
        self.beginResetModel()
        self._rows = [choice for text, choice in self._all if all(word in text for word in self._words)]
        self.endResetModel()

    def choice(self, index: AnyIndex) -> RouteChoice | None:
        """Returns the choice of a row."""
        return self._rows[index.row()] if index.isValid() and index.row() < len(self._rows) else None

    def index_of(self, choice: RouteChoice | None) -> QModelIndex:
        """Returns the row of a choice, an invalid index where it is not shown."""
        return self.index(self._rows.index(choice)) if choice in self._rows else QModelIndex()

    def first_ready(self) -> QModelIndex:
        """Returns the first row that can be chosen."""
        row = next((n for n, choice in enumerate(self._rows) if choice.is_ready), None)
        return QModelIndex() if row is None else self.index(row)

    def rowCount(self, parent: AnyIndex | None = None) -> int:
        """The number of choices shown."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """A choice that is not ready can be read, not chosen."""
        choice = self.choice(index)
        return super().flags(index) if choice and choice.is_ready else Qt.ItemFlag.ItemNeverHasChildren

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Title, provider, what the model can do and when it ends; the whole in words for a screen reader."""
        choice = self.choice(index)
        if choice is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return title(choice)
        if role == GROUP_ROLE:
            before = self._rows[index.row() - 1].provider if index.row() else ""
            return choice.provider if choice.provider != before else ""
        if role == NOTE_ROLE:
            return self._note(choice)
        if role == ENDING_ROLE:
            return ending_mark(choice) if choice.provider else ("", "")
        if role == CHOSEN_ROLE:
            return choice == self._chosen
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            parts = (title(choice), choice.provider, self._note(choice), ending_mark(choice)[0])
            return ", ".join(part for part in parts if part)
        return None

    def _note(self, choice: RouteChoice) -> str:
        note = choice.note or ("" if choice.is_ready else self.tr("not ready"))
        return " · ".join(" ".join(part.split()) for part in (note, abilities(choice)) if part)


class ModelDelegate(QStyledItemDelegate):
    """Paints a model in two lines: its name, and what it can do; when it ends stands at the right, in warning."""

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        """A row, and the height of the provider's name where there is one."""
        return QSize(80, ROW_PX + (GROUP_PX if index.data(GROUP_ROLE) else 0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paints one row."""
        group, theme = index.data(GROUP_ROLE), theme_now()
        row = row_rect(option, group)
        ready = bool(index.flags() & Qt.ItemFlag.ItemIsEnabled)
        chosen = bool(index.data(CHOSEN_ROLE))
        painter.save()
        paint_ground(painter, option, row, group)
        inner = row.adjusted(10, 5, -10, -5)
        if chosen:
            at = inner.topRight().toPoint()
            painter.drawPixmap(at.x() - 16, round(row.center().y()) - 8, icon_pixmap("check", theme.accent, 16))
            inner.setRight(inner.right() - 24)
        name_font = text_font(13, QFont.Weight.Medium if chosen else QFont.Weight.Normal)
        note, (mark, state) = str(index.data(NOTE_ROLE)), index.data(ENDING_ROLE)
        upper, lower = QRectF(inner), QRectF(inner)
        upper.setHeight(inner.height() / 2 if note or mark else inner.height())
        lower.setTop(inner.center().y())
        self._line(painter, upper, str(index.data()), name_font, theme.text if ready else theme.faint)
        if mark:
            colour = theme.danger if state == "ended" else theme.warn
            width = self._line(painter, lower, mark, text_font(11, QFont.Weight.Medium), colour, at_right=True)
            lower.setRight(lower.right() - width - 10)
        self._line(painter, lower, note, text_font(11), theme.dim if ready else theme.faint)
        painter.restore()

    def _line(
        self, painter: QPainter, place: QRectF, text: str, font: QFont, colour: str, *, at_right: bool = False
    ) -> int:
        """Paints one line of text, cut where it is too long, and returns its width."""
        metrics = QFontMetrics(font)
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, int(place.width()))
        painter.setFont(font)
        painter.setPen(QColor(colour))
        side = Qt.AlignmentFlag.AlignRight if at_right else Qt.AlignmentFlag.AlignLeft
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | side | Qt.TextFlag.TextSingleLine, shown)
        return metrics.horizontalAdvance(shown)
