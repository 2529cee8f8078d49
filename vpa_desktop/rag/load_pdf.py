"""PDF to text by pdfium, page by page. Text only: nothing in the file is run, opened or followed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit

_MAX_PAGES = 20_000
_PASSWORD_ERROR = 4
# pdfium writes U+FFFE (older ones U+0002) where a line ends in a hyphen that belongs to the line, not to the word.
_LINE_HYPHEN = re.compile("[\x02\ufffe]\r?\n?")
# What word processors leave there when nobody wrote a title.
_NO_TITLES = ("microsoft word", "untitled", "powerpoint", "(anonymous)")
_SURROGATES = re.compile("[\ud800-\udfff]")


def load_pdf(data: bytes, path: Path) -> LoadedDocument:
    """Reads every page's text; a page that pdfium cannot open is left out.

    Raises DocumentUnreadable when the file needs a password or no page can be opened.
    """
    document = _opened(data, path)
    try:
        pages = len(document)
        if pages == 0:
            raise DocumentUnreadable(f"{path.name} has no pages", "The file is damaged or empty")
        if pages > _MAX_PAGES:
            raise DocumentUnreadable(f"{path.name} has {pages} pages", f"{_MAX_PAGES} are the most", "Split it")
        parts = within_limit(_pages(document, pages), path)
        title = "" if not parts else _title(document)
        image_only = not parts and _has_picture(document, pages)
    finally:
        document.close()
    return LoadedDocument(titled(path, title), parts, pages, image_only)


def _opened(data: bytes, path: Path) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as exc:
        if getattr(exc, "err_code", None) == _PASSWORD_ERROR:
            raise DocumentUnreadable(
                f"{path.name} is protected with a password", "It cannot be read without it", "Save a copy without one"
            ) from exc
        raise DocumentUnreadable(
            f"{path.name} is damaged", "It is not a PDF that can be opened", "Get the file again from where it came"
        ) from exc


def _pages(document: Any, pages: int) -> Iterator[Part]:
    import pypdfium2

    for index in range(pages):
        try:
            page = document[index]
        except pypdfium2.PdfiumError:
            continue
        try:
            text_page = page.get_textpage()
            text = text_page.get_text_range()
            text_page.close()
        except pypdfium2.PdfiumError:
            continue
        finally:
            page.close()
        yield Part(_clean(text), page=index + 1)


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


def _has_picture(document: Any, pages: int) -> bool:
    import pypdfium2

    for index in range(min(pages, 20)):
        try:
            page = document[index]
            if next(iter(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE], max_depth=4)), None) is not None:
                return True
        except pypdfium2.PdfiumError:
            continue
    return False
