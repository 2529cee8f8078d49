"""DOCX to sections, by an event reader that holds one paragraph at a time. Macros and links are never followed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.load_markup import Headings, without_bare_headings
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.tables import table_lines
from vpa_desktop.rag.xmlguard import events
from vpa_desktop.rag.zipguard import Container

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_HEADING_NAME = re.compile(r"heading\s*([1-9])$", re.IGNORECASE)
_CONTENT = ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml")


def load_docx(data: bytes, path: Path) -> LoadedDocument:
    """Reads the body, tables as rows, text boxes where they stand, then the notes.

    Raises DocumentUnreadable when the container or its XML is damaged, encrypted or built to blow up.
    """
    container = Container(data, path)
    levels = _heading_levels(container.find("word/styles.xml"), path)
    sections: list[Part] = []
    for name in _CONTENT:
        content = container.find(name)
        if content is not None:
            sections.extend(_Body(levels).parts(content, path))
    return LoadedDocument(
        titled(path, _core_title(container, path)), without_bare_headings(within_limit(sections, path))
    )


def _events(content: bytes, path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    return events(content.replace(_STRICT[1:-1].encode(), _W[1:-1].encode()), path, wanted)


def _heading_levels(styles: bytes | None, path: Path) -> dict[str, int]:
    """Style id to heading level, by the style's outline level or its English name."""
    levels: dict[str, int] = {}
    if styles is None:
        return levels
    for _, style in _events(styles, path, ("end",)):
        if style.tag != f"{_W}style":
            continue
        name = style.find(f"{_W}name")
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        named = _HEADING_NAME.match(name.get(f"{_W}val", "")) if name is not None else None
        if named is not None:
            levels[style.get(f"{_W}styleId", "")] = int(named[1])
        elif outline is not None and outline.get(f"{_W}val", "9") in "012345678":
            levels[style.get(f"{_W}styleId", "")] = int(outline.get(f"{_W}val")) + 1
        style.clear()
    return levels


class _Body:
    """Collects paragraphs into parts while the XML goes by."""

    def __init__(self, levels: dict[str, int]) -> None:
        self._levels = levels
        self._headings = Headings()
        self._lines: list[str] = []
        self._open: list[list[str]] = []
        self._levels_open: list[int] = []
        self._tables: list[list[list[str]]] = []
        self._cells: list[list[str]] = []
        self._cell_lines: list[list[str]] = []
        self._skip = 0

    def parts(self, content: bytes, path: Path) -> Iterator[Part]:
        for event, element in _events(content, path, ("start", "end")):
            tag = element.tag
            if tag == _FALLBACK:
                self._skip += 1 if event == "start" else -1
            elif not self._skip:
                if event == "start":
                    self._begin(tag)
                else:
                    yield from self._finish(tag, element)
            if event == "end" and tag == f"{_W}p":
                element.clear()
        yield self._part()

    def _begin(self, tag: str) -> None:
        if tag == f"{_W}p":
            self._open.append([])
            self._levels_open.append(0)
        elif tag == f"{_W}tbl":
            self._tables.append([])
        elif tag == f"{_W}tr":
            self._cells.append([])
        elif tag == f"{_W}tc":
            self._cell_lines.append([])

    def _finish(self, tag: str, element: Any) -> Iterator[Part]:
        if tag in (f"{_W}t", _MATH_TEXT):
            self._write(element.text or "")
        elif tag == f"{_W}tab":
            if element.getparent().tag != f"{_W}tabs":
                self._write("\t")
        elif tag in (f"{_W}br", f"{_W}cr"):
            self._write("\n")
        elif tag == f"{_W}noBreakHyphen":
            self._write("-")
        elif tag in (f"{_W}pStyle", f"{_W}outlineLvl"):
            self._style(tag, element.get(f"{_W}val", ""))
        elif tag == f"{_W}tc" and self._cell_lines and self._cells:
            self._cells[-1].append(" ".join(self._cell_lines.pop()))
        elif tag == f"{_W}tr" and self._cells and self._tables:
            self._tables[-1].append(self._cells.pop())
        elif tag == f"{_W}tbl" and self._tables:
            for line in table_lines(self._tables.pop()):
                self._line(line)
        elif tag == f"{_W}p" and self._open:
            yield from self._end_paragraph()

    def _write(self, text: str) -> None:
        if self._open:
            self._open[-1].append(text)

    def _style(self, tag: str, value: str) -> None:
        if not self._levels_open:
            return
        if tag.endswith("pStyle"):
            self._levels_open[-1] = self._levels.get(value, 0)
        elif value in tuple("012345678"):
            self._levels_open[-1] = int(value) + 1

    def _end_paragraph(self) -> Iterator[Part]:
        text, level = "".join(self._open.pop()), self._levels_open.pop()
        if level and text.strip() and not self._cells and not self._open:
            yield self._part()
            self._headings.enter(level, text)
        self._line(text)

    def _line(self, text: str) -> None:
        target = self._cell_lines[-1] if self._cell_lines else self._lines
        if text.strip():
            target.append(text.strip())

    def _part(self) -> Part:
        text, self._lines = "\n".join(self._lines), []
        return Part(text, section=self._headings.path)


def _core_title(container: Container, path: Path) -> str:
    content = container.find("docProps/core.xml")
    if content is None:
        return ""
    try:
        return next(
            (element.text or "" for _, element in _events(content, path, ("end",)) if element.tag == _TITLE), ""
        )
    except DocumentUnreadable:
        return ""  # a broken title is no reason to lose the text
