"""The list of conversations in the sidebar: titles grouped by age, renamed in place. Loads nothing itself."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QFont, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from vpa_desktop.ui.painted_rows import GROUP_PX, is_selected, paint_ground, row_rect
from vpa_desktop.ui.theme import text_font
from vpa_desktop.ui.widgets import theme_now
from vpa_desktop.ui.wording import age_group, first_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import ConversationRecord

AnyIndex = QModelIndex | QPersistentModelIndex
ID_ROLE = Qt.ItemDataRole.UserRole
GROUP_ROLE = Qt.ItemDataRole.UserRole + 1
ROW_PX = 34


class ConversationModel(QAbstractListModel):
    """Conversations, newest first. The first of each group carries the group's name under GROUP_ROLE."""

    renamed = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._records: list[ConversationRecord] = []
        self._groups: list[str] = []

    def set_records(self, records: Sequence[ConversationRecord]) -> None:
        """Shows these conversations."""
        self.beginResetModel()
        self._records = list(records)
        today = date.today()
        names = [age_group(record.updated_at, today) for record in self._records]
        self._groups = [name if n == 0 or names[n - 1] != name else "" for n, name in enumerate(names)]
        self.endResetModel()

    def record(self, index: AnyIndex) -> ConversationRecord | None:
        """Returns the conversation of a row."""
        return self._records[index.row()] if index.isValid() and index.row() < len(self._records) else None

    def row_of(self, conversation_id: str | None) -> QModelIndex:
        """Returns the index of a conversation, an invalid one where it is not listed."""
        for row, record in enumerate(self._records):
            if record.id == conversation_id:
                return self.index(row)
        return QModelIndex()

    def rowCount(self, parent: AnyIndex | None = None) -> int:
        """The number of conversations."""
        return 0 if parent is not None and parent.isValid() else len(self._records)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The title, the id and the group of a row."""
        record = self.record(index)
        if record is None:
            return None
        title = record.title or self.tr("New conversation")
        if role in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.EditRole,
            Qt.ItemDataRole.AccessibleTextRole,
        ):
            return title
        return {ID_ROLE: record.id, GROUP_ROLE: self._groups[index.row()]}.get(role)

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Every title can be edited."""
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable

    def setData(self, index: AnyIndex, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Announces a new title; the row changes when it has been stored."""
        record, title = self.record(index), first_words(str(value), 120)
        if record is None or not title or title == record.title:
            return False
        self.renamed.emit(record.id, title)
        return True


class ConversationDelegate(QStyledItemDelegate):
    """Paints a title, with the group's name above the first of a group."""

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        """A row, and the height of the group's name where there is one."""
        return QSize(80, ROW_PX + (GROUP_PX if index.data(GROUP_ROLE) else 0))

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """The editor covers the title alone."""
        editor.setGeometry(self._row(option, index).adjusted(2, 0, -2, 0).toRect())

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: AnyIndex) -> QWidget:
        """A line edit with an accessible name."""
        editor = QLineEdit(parent)
        editor.setAccessibleName(self.tr("Title of the conversation"))
        editor.setMaxLength(120)
        return editor

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paints one row."""
        theme, row = theme_now(), self._row(option, index)
        selected = is_selected(option)
        painter.save()
        paint_ground(painter, option, row, index.data(GROUP_ROLE))
        font = text_font(13, QFont.Weight.Medium if selected else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(theme.text if selected else theme.dim))
        title = QFontMetrics(font).elidedText(str(index.data()), Qt.TextElideMode.ElideRight, int(row.width() - 20))
        painter.drawText(row.adjusted(10, 0, -10, 0), Qt.AlignmentFlag.AlignVCenter, title)
        painter.restore()

    def _row(self, option: QStyleOptionViewItem, index: AnyIndex) -> QRectF:
        return row_rect(option, index.data(GROUP_ROLE))


class ConversationList(QListView):
    """The list named "Conversations". Signals carry the id of the conversation."""

    opened = Signal(str)
    renamed = Signal(str, str)
    export_wanted = Signal(str)
    delete_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Conversations"))
        self._model = ConversationModel(self)
        self._model.renamed.connect(self.renamed)
        self.setModel(self._model)
        self.setItemDelegate(ConversationDelegate(self))
        self.setMouseTracking(True)
        self.setUniformItemSizes(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._menu)
        self._filling = False
        self.selectionModel().currentChanged.connect(self._changed)
        self.clicked.connect(self._open)
        self.activated.connect(self._open)

    def set_records(self, records: Sequence[ConversationRecord], current: str | None) -> None:
        """Shows these conversations, the current one selected."""
        self._filling = True
        self._model.set_records(records)
        self.select(current)
        self._filling = False

    def select(self, conversation_id: str | None) -> None:
        """Selects a conversation without opening it."""
        was, self._filling = self._filling, True
        index = self._model.row_of(conversation_id)
        if index.isValid():
            self.setCurrentIndex(index)
        else:
            self.clearSelection()
            self.setCurrentIndex(QModelIndex())
        self._filling = was

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete asks to delete; the rest is the list's own."""
        record = self._model.record(self.currentIndex())
        if event.key() == Qt.Key.Key_Delete and record is not None:
            self.delete_wanted.emit(record.id)
            return
        super().keyPressEvent(event)

    def _changed(self, current: QModelIndex, before: QModelIndex) -> None:
        if not self._filling:
            self._open(current)

    def open_first(self) -> None:
        """Opens the first of what is listed, as Return in the search line does."""
        if self.model().rowCount() > 0:
            self._open(self.model().index(0, 0))

    def _open(self, index: QModelIndex) -> None:
        if (record := self._model.record(index)) is not None:
            self.opened.emit(record.id)

    def _menu(self, at: QPoint) -> None:
        index = self.indexAt(at)
        if (record := self._model.record(index)) is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rename = QAction(self.tr("Rename"), menu)
        rename.setShortcut("F2")
        rename.triggered.connect(lambda: self.edit(index))
        export = QAction(self.tr("Export…"), menu)
        export.triggered.connect(lambda: self.export_wanted.emit(record.id))
        delete = QAction(self.tr("Delete…"), menu)
        delete.setShortcut("Del")
        delete.triggered.connect(lambda: self.delete_wanted.emit(record.id))
        menu.addActions([rename, export, delete])
        menu.popup(self.viewport().mapToGlobal(at))
