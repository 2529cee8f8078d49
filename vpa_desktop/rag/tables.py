"""Rows of cells to lines of text that still say which column a value stands in, wherever the text is cut.

A small table stays a table: cells with bars between them, the header once. In a larger one every row carries the
names of its columns, ``Region: North; Year: 2024``, since a passage that begins in its middle has no header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MAX_COLUMNS = 16_384
_SMALL_TABLE_CHARS = 320
_LONG_ROW_CHARS = 480
_LONGEST_NAME_CHARS = 80
_NUMBER = re.compile(r"[-+(]?[\s$€£¥]*\d[\d\s.,:/'%-]*[)%€£¥]?")

Row = Sequence[str]


def table_lines(rows: Sequence[Row]) -> list[str]:
    """Returns a table inside a text as lines; those of a large one begin with a dash, as a list's do."""
    filled = [tidied for row in rows if any(tidied := [_on_one_line(cell) for cell in row[:MAX_COLUMNS]])]
    bars = [" | ".join(row) for row in filled]
    if len(filled) < 2 or sum(map(len, bars)) <= _SMALL_TABLE_CHARS or not is_header(filled[0]):
        return bars
    names = filled[0]
    return [bars[0], *(f"- {line}" for row in filled[1:] for line in named_row(names, row))]


def is_header(row: Row) -> bool:
    """True for a first row that names columns: at least two different short names, and no number among them."""
    names = [cell for cell in row if cell]
    return (
        len(names) > 1
        and len(set(names)) * 2 > len(names)
        and all(len(name) <= _LONGEST_NAME_CHARS and not is_number(name) for name in names)
    )


def is_number(cell: str) -> bool:
    """True for a number, an amount, a share or a date in figures."""
    return bool(_NUMBER.fullmatch(cell.strip()))


def named_row(names: Row, row: Row) -> Iterator[str]:
    """Yields a row as ``Column: value; Column: value``; a long one on several lines that all begin with its key."""
    pairs = [f"{name}: {cell}" if name else cell for name, cell in _paired(names, row) if cell]
    key, line = (pairs[0], "") if pairs else ("", "")
    for pair in pairs:
        if line and len(line) + len(pair) > _LONG_ROW_CHARS:
            yield line
            line = key[:_LONGEST_NAME_CHARS]
        line = f"{line}; {pair}" if line else pair
    if line:
        yield line


def _paired(names: Row, row: Row) -> Iterator[tuple[str, str]]:
    for at, cell in enumerate(row[:MAX_COLUMNS]):
        yield (names[at][:_LONGEST_NAME_CHARS] if at < len(names) else ""), cell


def _on_one_line(cell: str) -> str:
    return " ".join(cell.split())
