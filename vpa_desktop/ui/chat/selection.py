"""The selection across messages: two places, and the text between them. Paints nothing, hears no event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QTextCursor, QTextTable, QTextTableCell

from vpa_desktop.ui.chat.markdown import ZERO_WIDTH_BREAK
from vpa_desktop.ui.chat.markup import PADDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vpa_desktop.records import MessageRecord
    from vpa_desktop.ui.chat.rows import Row
    from vpa_desktop.ui.chat.segments import Segment


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A character: the message's number, the segment's number in it, and the position in that segment."""

    row: int
    segment: int = 0
    position: int = 0


THE_END = 2**31
MOST_LAID_OUT = 100
TABLE_CELL = "\ufdd0"


class Selection:
    """Two places, anchor and end. Empty while they are the same."""

    def __init__(self) -> None:
        self.anchor: Place | None = None
        self.end: Place | None = None

    def clear(self) -> None:
        """Selects nothing."""
        self.anchor = self.end = None

    def start(self, place: Place) -> None:
        """Begins a new selection at ``place``."""
        self.anchor = self.end = place

    def extend(self, place: Place) -> None:
        """Moves the end to ``place``."""
        self.end = place

    def select(self, anchor: Place, end: Place) -> None:
        """Selects what is between two places."""
        self.anchor, self.end = anchor, end

    @property
    def bounds(self) -> tuple[Place, Place] | None:
        """The first and the last place, or None for an empty selection."""
        if self.anchor is None or self.end is None or self.anchor == self.end:
            return None
        first, last = sorted((self.anchor, self.end))
        return first, last

    def cursor(self, row: int, number: int, segment: Segment) -> QTextCursor | None:
        """Returns what is selected in a segment, or None."""
        bounds = self.bounds
        if bounds is None:
            return None
        first, last = bounds
        here = (row, number)
        if not (first.row, first.segment) <= here <= (last.row, last.segment):
            return None
        start = first.position if here == (first.row, first.segment) else 0
        stop = last.position if here == (last.row, last.segment) else segment.last_position
        cursor = QTextCursor(segment.document)
        cursor.setPosition(min(start, segment.last_position))
        cursor.setPosition(min(stop, segment.last_position), QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def text(self, messages: list[MessageRecord], row_of: Callable[[int], Row]) -> str:
        """Returns the selected text as it is shown; Select all and very long selections give the messages' sources.

        Those are not laid out for it: 10,000 messages would take seconds.
        """
        bounds = self.bounds
        if bounds is None:
            return ""
        first, last = bounds
        parts = []
        for number in range(first.row, min(last.row, len(messages) - 1) + 1):
            is_inside = first <= Place(number) and (number < last.row or last.segment == THE_END)
            from_source = is_inside and (last.segment == THE_END or last.row - first.row > MOST_LAID_OUT)
            parts.append(messages[number].content if from_source else self._row_text(number, row_of(number)))
        return "\n\n".join(part for part in parts if part)

    def _row_text(self, number: int, row: Row) -> str:
        cursors = (self.cursor(number, place, segment) for place, segment in enumerate(row.segments))
        return "\n".join(_chosen(cursor) for cursor in cursors if cursor is not None)


def _chosen(cursor: QTextCursor) -> str:
    # Qt separates paragraphs and lines of a selection with U+2029 and U+2028, and a table's cells with U+FDD0.
    text = cursor.selectedText()
    if TABLE_CELL in text:
        text = "\n".join(_cells(cursor))
    text = text.replace("\u2029", "\n").replace("\u2028", "\n")
    return text.replace(ZERO_WIDTH_BREAK, "").replace(PADDING, "")


def _cells(cursor: QTextCursor) -> Iterator[str]:
    """Gives the touched rows of a table, their cells separated by tabs as spreadsheets like them."""
    place = QTextCursor(cursor.document())
    place.setPosition(min(cursor.selectionStart() + 1, cursor.document().characterCount() - 1))
    table: QTextTable | None = place.currentTable()
    if table is None:
        yield cursor.selection().toPlainText()
        return
    for row in range(table.rows()):
        cells = [table.cellAt(row, column) for column in range(table.columns())]
        first, last = cells[0].firstPosition(), cells[-1].lastPosition()
        if last >= cursor.selectionStart() and first <= cursor.selectionEnd():
            yield "\t".join(_cell_text(cell) for cell in cells)


def _cell_text(cell: QTextTableCell) -> str:
    cursor = cell.firstCursorPosition()
    cursor.setPosition(cell.lastPosition(), QTextCursor.MoveMode.KeepAnchor)
    return cursor.selectedText()
