"""PDF to text by pdfium, page by page. Text only: nothing in the file is run, opened or followed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.kinds import password_needed
from vpa_desktop.rag.load_markup import Headings
from vpa_desktop.rag.loaders import LoadedDocument, Part, Reading, Recogniser, titled, within_limit
from vpa_desktop.rag.recognition import OutOfTime

_MAX_PAGES = 20_000
_MAX_BOOKMARKS = 10_000
_RECOGNITION_DPI = 250
_LONGEST_SIDE_DOTS = 5_000
_MAX_OBJECTS = 1_000_000
_PASSWORD_ERROR = 4
_CATALOGUE = re.compile(
    rb"(\d{1,9})\s{1,9}(\d{1,5})\s{1,9}obj\b(?:(?!endobj).){0,2000}?/Type\s{0,9}/Catalog\b", re.DOTALL
)
# pdfium writes U+FFFE (older ones U+0002) where a line ends in a hyphen that belongs to the line, not to the word.
_LINE_HYPHEN = re.compile("[\x02\ufffe]\r?\n?")
# What word processors leave there when nobody wrote a title.
_NO_TITLES = ("microsoft word", "untitled", "powerpoint", "(anonymous)")
_SURROGATES = re.compile("[\ud800-\udfff]")


def load_pdf(data: bytes, path: Path, reading: Reading | None = None) -> LoadedDocument:
    """Reads every page's text; a page that pdfium cannot open is left out, one that is a picture is recognised.

    Raises DocumentUnreadable when the file needs a password or no page can be opened.
    """
    document = _opened(data, path)
    try:
        pages = len(document)
        if pages == 0:
            raise DocumentUnreadable(f"{path.name} has no pages", "The file is damaged or empty")
        if pages > _MAX_PAGES:
            raise DocumentUnreadable(f"{path.name} has {pages} pages", f"{_MAX_PAGES} are the most", "Split it")
        pictures = _Pictures(reading.recognise if reading else None)
        sections = _sections(document, pages)
        parts = within_limit(_pages(document, sections, pictures), path)
        title = "" if not parts else _title(document)
    finally:
        document.close()
    image_only = not parts and pictures.unread > 0
    return LoadedDocument(titled(path, title), parts, pages, image_only, pictures.unread)


def _opened(data: bytes, path: Path) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as exc:
        if getattr(exc, "err_code", None) == _PASSWORD_ERROR:
            raise password_needed(path) from exc
        if (repaired := _with_trailer(data)) is not None:
            return repaired
        raise DocumentUnreadable(
            f"{path.name} is damaged", "It is not a PDF that can be opened", "Get the file again from where it came"
        ) from exc


def _with_trailer(data: bytes) -> Any | None:
    """Opens a file whose end is lost: pdfium finds its objects again, once it is told which is the catalogue."""
    import pypdfium2

    catalogue = max(_CATALOGUE.finditer(data), key=lambda found: found.start(), default=None)
    if catalogue is None or b"/Encrypt" in data:
        return None
    trailer = b"\ntrailer\n<</Root %b %b R /Size %d>>\nstartxref\n0\n%%%%EOF\n"
    try:
        return pypdfium2.PdfDocument(data + trailer % (catalogue[1], catalogue[2], _MAX_OBJECTS))
    except pypdfium2.PdfiumError:
        return None


def _sections(document: Any, pages: int) -> list[str]:
    """The path of bookmarks each page stands under, its own first one included; nothing where there are none."""
    import pypdfium2

    marks: dict[int, list[tuple[int, str]]] = {}
    try:
        for mark in itertools.islice(document.get_toc(), _MAX_BOOKMARKS):
            where = mark.get_dest()
            index = where.get_index() if where is not None else None
            if index is not None:
                marks.setdefault(index, []).append((mark.level + 1, _clean(mark.get_title())))
    except (pypdfium2.PdfiumError, UnicodeDecodeError):
        return [""] * pages
    headings, paths = Headings(), list[str]()
    for index in range(pages):
        first, *others = marks.get(index, [(0, "")])
        if first[0]:
            headings.enter(*first)
        paths.append(headings.path)
        for level, title in others:
            headings.enter(level, title)
    return paths


def _pages(document: Any, sections: list[str], pictures: _Pictures) -> Iterator[Part]:
    import pypdfium2

    for index, section in enumerate(sections):
        try:
            page = document[index]
        except pypdfium2.PdfiumError:
            continue
        try:
            text_page = page.get_textpage()
            text = _clean(text_page.get_text_range())
            text_page.close()
            if not text.strip():
                text = pictures.text_of(page)
        except pypdfium2.PdfiumError:
            continue
        finally:
            page.close()
        yield Part(text, index + 1, section)


class _Pictures:
    """The pages that are pictures: counted, and read where text is recognised."""

    def __init__(self, recognise: Recogniser | None) -> None:
        self.unread = 0
        self._recognise = recognise

    def text_of(self, page: Any) -> str:
        """What is written on a page without text; counts it where nothing could be read."""
        if not _has_picture(page):
            return ""
        text = ""
        if self._recognise is not None:
            try:
                text = self._recognise(_drawn(page))
            except OutOfTime:
                self._recognise = None
        self.unread += not text
        return text


def _drawn(page: Any) -> Any:
    """The page as a grey picture, of a size in which letters can be told apart."""
    longest = max(*page.get_size(), 1.0)
    scale = min(_RECOGNITION_DPI / 72, _LONGEST_SIDE_DOTS / longest)
    return page.render(scale=scale, grayscale=True, draw_annots=False).to_pil()


def _clean(text: str) -> str:
    text = _LINE_HYPHEN.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return _SURROGATES.sub("\ufffd", text)


def _title(document: Any) -> str:
    import pypdfium2

    try:
        title = str(document.get_metadata_value("Title"))
    except (pypdfium2.PdfiumError, UnicodeDecodeError):
        return ""
    return "" if title.lower().startswith(_NO_TITLES) else _clean(title)


def _has_picture(page: Any) -> bool:
    import pypdfium2

    found = page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE], max_depth=4)
    return next(iter(found), None) is not None
