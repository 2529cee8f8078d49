"""Large tables of web pages as rows that carry the names of their columns. Small ones, and those for layout, stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vpa_desktop.rag.tables import MAX_COLUMNS, is_header, table_lines

_MIN_CHARS = 320
_MAX_SPAN = 1_000


def write_out_tables(tree: Any) -> None:
    """Puts text in the place of every large table whose first row names its columns."""
    for table in tree.css("table"):
        if table.css_first("table table, h1, h2, h3, h4, h5, h6") is not None or _is_inside_table(table):
            continue
        if len(table.text()) < _MIN_CHARS:
            continue
        rows = list(_rows(table))
        if len(rows) > 2 and len(rows[0]) > 1 and is_header(rows[0]):
            table.replace_with("\n" + "\n".join(table_lines(rows)) + "\n")


def _is_inside_table(node: Any) -> bool:
    above = node.parent
    while above is not None:
        if above.tag == "table":
            return True
        above = above.parent
    return False


def _rows(table: Any) -> Iterator[list[str]]:
    """The cells of every row, those that reach over rows and columns written out where they reach."""
    reaching: dict[int, tuple[int, str]] = {}  # column -> how many more rows, text
    for row in table.css("tr"):
        cells: list[str] = []
        for cell in row.css("td, th"):
            _take_reaching(cells, reaching)
            text = " ".join(cell.text(separator=" ").split())
            down = _span(cell, "rowspan")
            for _ in range(min(_span(cell, "colspan"), MAX_COLUMNS - len(cells))):
                if down > 1:
                    reaching[len(cells)] = (down - 1, text)
                cells.append(text)
        _take_reaching(cells, reaching)
        yield cells


def _take_reaching(cells: list[str], reaching: dict[int, tuple[int, str]]) -> None:
    while (found := reaching.pop(len(cells), None)) is not None:
        left, text = found
        if left > 1:
            reaching[len(cells)] = (left - 1, text)
        cells.append(text)


def _span(cell: Any, name: str) -> int:
    value = (cell.attributes.get(name) or "").strip()
    return max(1, min(int(value), _MAX_SPAN)) if value.isdecimal() and len(value) < 8 else 1
