"""One page of a PDF as pixels, and the rectangles of a passage on it. Runs inside the drawing process, never elsewhere.

Nothing in the file is run, opened or followed: no form is filled, no script known.
"""

from __future__ import annotations

from ctypes import byref, c_double, c_int
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.locate import find_passage
from vpa_desktop.page_views import Mark

MAX_SIDE_PX = 6_000
MAX_PIXELS = 24_000_000
_PASSWORD_ERROR = 4
_SAME_LINE = 0.5
_FINE = 1_000_000


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page: rows of ``stride`` bytes with four bytes a pixel, and what is marked on it."""

    pages: int
    width: int
    height: int
    stride: int
    pixels: bytes
    marks: tuple[Mark, ...]
    text: str


def draw_page(path: Path, number: int, width_px: int, passage: str = "", start: int = 0) -> DrawnPage:
    """Draws page ``number`` (from 1) so many pixels wide, less where it would be too large.

    Raises DocumentUnreadable where the file or the page cannot be opened.
    """
    import pypdfium2

    document = _opened(path)
    try:
        pages = len(document)
        if not 1 <= number <= pages:
            raise DocumentUnreadable(f"{path.name} has no page {number}", f"It has {pages} pages")
        try:
            page = document[number - 1]
        except pypdfium2.PdfiumError as exc:
            raise _damaged(path, number) from exc
        text, marks = _text_and_marks(page, passage, start)
        bitmap = page.render(scale=_scale(page, width_px), may_draw_forms=False, prefer_bgrx=True)
        pixels = bytes(bitmap.buffer)
        return DrawnPage(pages, bitmap.width, bitmap.height, bitmap.stride, pixels, marks, text)
    except pypdfium2.PdfiumError as exc:
        raise _damaged(path, number) from exc
    finally:
        document.close()


def _opened(path: Path) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(path)
    except FileNotFoundError as exc:
        raise DocumentUnreadable(f"{path.name} is not there any more", "It was moved or deleted") from exc
    except pypdfium2.PdfiumError as exc:
        if getattr(exc, "err_code", None) == _PASSWORD_ERROR:
            raise DocumentUnreadable(f"{path.name} is protected with a password") from exc
        raise DocumentUnreadable(f"{path.name} is damaged", "It cannot be opened as a PDF") from exc


def _damaged(path: Path, number: int) -> DocumentUnreadable:
    return DocumentUnreadable(f"Page {number} of {path.name} cannot be drawn", "It is damaged")


def _scale(page: Any, width_px: int) -> float:
    width, height = (max(side, 1.0) for side in page.get_size())
    wanted = max(width_px, 1) / width
    most = min(MAX_SIDE_PX / max(width, height), (MAX_PIXELS / (width * height)) ** 0.5)
    return float(min(wanted, most))


def _text_and_marks(page: Any, passage: str, start: int) -> tuple[str, tuple[Mark, ...]]:
    """The page's text, and the lines of the passage as rectangles, as the page is seen (turned and cut)."""
    text_page = page.get_textpage()
    try:
        text: str = text_page.get_text_range()
        ranges = find_passage(text, passage, start) if passage else []
        boxes = [box for first, last in ranges for box in _boxes(text_page, first, last)]
    finally:
        text_page.close()
    return text, tuple(_joined_lines([_seen(page, box) for box in boxes]))


def _boxes(text_page: Any, first: int, last: int) -> list[tuple[float, float, float, float]]:
    from pypdfium2 import raw

    begin = raw.FPDFText_GetCharIndexFromTextIndex(text_page.raw, first)
    end = raw.FPDFText_GetCharIndexFromTextIndex(text_page.raw, last - 1) + 1
    if begin < 0 or end <= begin:
        return []
    return [text_page.get_rect(n) for n in range(text_page.count_rects(begin, end - begin))]


def _seen(page: Any, box: tuple[float, float, float, float]) -> Mark:
    corners = [_to_share(page, box[0], box[1]), _to_share(page, box[2], box[3])]
    left, right = sorted(max(0.0, min(1.0, x)) for x, _ in corners)
    top, bottom = sorted(max(0.0, min(1.0, y)) for _, y in corners)
    return Mark(left, top, right - left, bottom - top)


def _to_share(page: Any, x: float, y: float) -> tuple[float, float]:
    from pypdfium2 import raw

    at_x, at_y = c_int(), c_int()
    raw.FPDF_PageToDevice(page.raw, 0, 0, _FINE, _FINE, 0, c_double(x), c_double(y), byref(at_x), byref(at_y))
    return at_x.value / _FINE, at_y.value / _FINE


def _joined_lines(marks: list[Mark]) -> list[Mark]:
    """Words of one line as one rectangle: pdfium gives a rectangle for each run of one font."""
    lines: list[Mark] = []
    for mark in (m for m in marks if m.width > 0 and m.height > 0):
        before = lines[-1] if lines else None
        if before is not None and _share_line(before, mark):
            left, top = min(before.left, mark.left), min(before.top, mark.top)
            right = max(before.left + before.width, mark.left + mark.width)
            bottom = max(before.top + before.height, mark.top + mark.height)
            lines[-1] = Mark(left, top, right - left, bottom - top)
        else:
            lines.append(mark)
    return lines


def _share_line(one: Mark, other: Mark) -> bool:
    overlap = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    near = max(one.left, other.left) - min(one.left + one.width, other.left + other.width) < 2 * max(
        one.height, other.height
    )
    return near and overlap >= _SAME_LINE * min(one.height, other.height)
