"""The rows of a sheet or of a CSV file as numbered lines, each with the names of its columns."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from vpa_desktop.rag.tables import MAX_COLUMNS, is_header, is_number, named_row


class RowLines:
    """Takes rows in their order. A row that names columns is recognised at the beginning and after a blank row."""

    def __init__(self) -> None:
        self.numbers: array[int] = array("q")
        self.chars = 0
        self._lines: list[str] = []
        self._names: Sequence[str] = ()
        self._pending: tuple[int, Sequence[str]] | None = None
        self._after_blank = True

    @property
    def text(self) -> str:
        """All lines so far; the numbers of their rows are ``numbers``."""
        self._settle(None)
        return "\n".join(self._lines)

    def add(self, number: int, row: Sequence[str]) -> None:
        """Takes one row; blank ones are passed over. ``number`` is what the person sees beside it, from 1."""
        row = row[:MAX_COLUMNS]
        if not any(row):
            self._settle(None)
            self._after_blank = True
            return
        self._settle(row)
        if self._after_blank and is_header(row):
            self._pending = (number, row)
            return
        self._after_blank = self._after_blank and not self._names and sum(map(bool, row)) < 2  # a title above
        self._write(number, row)

    def _settle(self, following: Sequence[str] | None) -> None:
        """Decides whether the row that waits names columns: the first one does, a later one where values follow."""
        if self._pending is None:
            return
        (number, row), self._pending = self._pending, None
        self._after_blank = False
        if following is not None and (not self._names or _has_values(following)):
            self._names = row
            self._put(number, " | ".join(filter(None, row)))
        else:
            self._write(number, row)

    def _write(self, number: int, row: Sequence[str]) -> None:
        filled = [cell for cell in row if cell]
        if not self._names or len(filled) == 1:
            self._put(number, " | ".join(filled))
            return
        for line in named_row(self._names, row):
            self._put(number, line)

    def _put(self, number: int, line: str) -> None:
        self.numbers.append(number)
        self._lines.append(line)
        self.chars += len(line) + 1


def _has_values(row: Sequence[str]) -> bool:
    return any(is_number(cell) for cell in row if cell)
