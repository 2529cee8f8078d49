"""Workbooks (XLSX, XLSM, XLSB, XLS, ODS) by calamine: each sheet a section, each row a line with its column's names."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.kinds import damaged, password_needed
from vpa_desktop.rag.loaders import MAX_TEXT_CHARS, LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.row_lines import RowLines

_MAX_SHEETS = 1_000
_MAX_CELLS = 20_000_000


def load_sheet(data: bytes, path: Path) -> LoadedDocument:
    """Reads the values of every sheet, hidden ones too. Raises DocumentUnreadable: damaged, protected or too large."""
    import python_calamine

    try:
        with python_calamine.load_workbook(io.BytesIO(data)) as book:
            parts = within_limit(_sheets(book, path), path)
    except python_calamine.PasswordError as exc:
        raise password_needed(path) from exc
    except python_calamine.CalamineError as exc:
        raise damaged(path, "It is not a workbook that can be opened") from exc
    return LoadedDocument(titled(path, ""), parts)


def _sheets(book: Any, path: Path) -> Iterator[Part]:
    import python_calamine

    opened = 0
    for name in book.sheet_names[:_MAX_SHEETS]:
        try:
            sheet = book.get_sheet_by_name(name)
        except python_calamine.CalamineError:
            continue  # one sheet that is a chart or broken; the others are read
        opened += 1
        if sheet.height * sheet.width > _MAX_CELLS:
            raise DocumentUnreadable(
                f"{path.name} holds too much", f"{name} alone has {sheet.height * sheet.width} cells", "Split it"
            )
        yield _sheet(name, sheet)
    if not opened:
        raise damaged(path, "None of its sheets can be opened")


def _sheet(name: str, sheet: Any) -> Part:
    lines = RowLines()
    number = sheet.start[0] if sheet.start else 0
    for row in sheet.iter_rows():
        number += 1
        # A stray cell far down makes a million blank rows, which are told in one step each.
        lines.add(number, [] if row.count("") == len(row) else [_shown(cell) for cell in row])
        if lines.chars > MAX_TEXT_CHARS:
            break
    return Part(lines.text, section=" ".join(name.split()), numbers=lines.numbers, numbered="row")


def _shown(cell: object) -> str:
    """A cell's value as a person writes it: no .0 behind whole numbers, no midnight behind days."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.12g}"
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(" ", "seconds")
    return " ".join(str(cell).split())
