"""CSV and TSV: what separates the cells is found out, each row becomes a line with the names of its columns."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from vpa_desktop.rag.load_text import decode, numbered_lines
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.row_lines import RowLines

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_CHARS = 64 * 1024
_SAMPLE_ROWS = 50


def load_csv(data: bytes, path: Path) -> LoadedDocument:
    """Reads a table; as plain lines where it is none."""
    text = decode(data, path)
    delimiter = _delimiter(text)
    part = _rows(text, delimiter) if delimiter else None
    return LoadedDocument(titled(path, path.name), within_limit([part or numbered_lines(text)], path))


def _rows(text: str, delimiter: str) -> Part | None:
    lines = RowLines()
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    number = 1
    try:
        for row in reader:
            lines.add(number, [" ".join(cell.split()) for cell in row])
            number = reader.line_num + 1
    except csv.Error:  # a cell of more than 128 kB, mostly a quote that nobody closed
        return None
    return Part(lines.text, numbers=lines.numbers, numbered="line")


def _delimiter(text: str) -> str:
    """The character that cuts the first rows into the same number of cells, the more cells the better."""
    sample = text[:_SAMPLE_CHARS]
    if len(sample) < len(text):
        sample = sample.rpartition("\n")[0] or sample
    best, best_score = "", 0.0
    for delimiter in _DELIMITERS:
        widths = _widths(sample, delimiter)
        if not widths:
            continue
        usual = max(set(widths), key=widths.count)
        score = widths.count(usual) / len(widths) * min(usual, 20)
        if usual > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _widths(sample: str, delimiter: str) -> list[int]:
    widths = []
    try:
        for row in csv.reader(io.StringIO(sample), delimiter=delimiter):
            if any(row):
                widths.append(len(row))
            if len(widths) == _SAMPLE_ROWS:
                break
    except csv.Error:
        return []
    return widths
