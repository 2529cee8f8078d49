"""The table behind the documents list: one row a document. Loads nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from vpa_desktop.ui.theme import icon
from vpa_desktop.ui.widgets import theme_now
from vpa_desktop.ui.wording import day_and_time, reason_alone, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import DocumentRecord

AnyIndex = QModelIndex | QPersistentModelIndex
NAME, STATE, PASSAGES, PAGES, COLLECTION, ADDED = range(6)


class DocumentModel(QAbstractTableModel):
    """Name, state in words, passages, pages, collection, when it was added."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._records: list[DocumentRecord] = []
        self._heads = (
            self.tr("Name"),
            self.tr("State"),
            self.tr("Passages"),
            self.tr("Pages"),
            self.tr("Collection"),
            self.tr("Added"),
        )

    def set_records(self, records: Sequence[DocumentRecord]) -> None:
        """Shows these documents, by name."""
        self.beginResetModel()
        self._records = sorted(records, key=lambda record: record.name.lower())
        self.endResetModel()

    def record(self, row: int) -> DocumentRecord:
        """Returns the document of a row."""
        return self._records[row]

    def rowCount(self, parent: AnyIndex | None = None) -> int:
        """The number of documents."""
        return 0 if parent is not None and parent.isValid() else len(self._records)

    def columnCount(self, parent: AnyIndex | None = None) -> int:
        """The number of columns."""
        return len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The names of the columns."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._heads[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(section)
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """What a cell shows."""
        if not index.isValid():
            return None
        record, column = self._records[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(record, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(column)
        if role == Qt.ItemDataRole.DecorationRole and column == NAME:
            name = "file-x" if record.state == "failed" else "file-text"
            return icon(name, theme_now().danger if record.state == "failed" else theme_now().dim, 16)
        if role == Qt.ItemDataRole.ForegroundRole and column == STATE:
            tones = {"failed": "danger", "image_only": "warn", "ready": "ok"}
            return QColor(getattr(theme_now(), tones.get(record.state, "dim")))
        return None

    def _text(self, record: DocumentRecord, column: int) -> str:
        if column == NAME:
            return record.name
        if column == STATE:
            return self.state_words(record)
        if column == PASSAGES:
            return whole(record.chunks) if record.chunks else "–"
        if column == PAGES:
            return whole(record.pages) if record.pages is not None else "–"
        return record.collection or "–" if column == COLLECTION else day_and_time(record.added_at)

    def state_words(self, record: DocumentRecord) -> str:
        """Says the state of a document, with the reason where there is one."""
        words = {
            "pending": self.tr("Waiting"),
            "indexing": self.tr("Being read"),
            "ready": self.tr("Ready"),
            "image_only": self.tr("Pictures only, no text"),
            "failed": self.tr("Could not be read"),
        }[record.state]
        return f"{words}: {reason_alone(record.reason, record.name)}" if record.reason else words


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in (PASSAGES, PAGES) else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
