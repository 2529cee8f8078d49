"""OpenDocument texts and presentations, packed or flat: headings, lists, tables as rows, slides with their notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpa_desktop.rag.kinds import damaged, password_needed
from vpa_desktop.rag.load_markup import Headings, without_bare_headings
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.tables import MAX_COLUMNS, table_lines
from vpa_desktop.rag.xmlguard import attribute, local, tree
from vpa_desktop.rag.zipguard import Container

# Text that was deleted, what only lays out, and what stands on every slide.
_PASSED_OVER = frozenset(
    (
        "tracked-changes",
        "annotation",
        "sequence-decls",
        "forms",
        "script",
        "event-listeners",
        "desc",
        "title",
        "page-number",
    )
)
_MAX_BLANKS = 100
_MAX_REPEATED = 200


def load_odf(data: bytes, path: Path) -> LoadedDocument:
    """Reads the body. Raises DocumentUnreadable when the file is damaged or protected with a password."""
    if data.startswith(b"PK"):
        container = Container(data, path)
        if b"encryption-data" in (container.find("META-INF/manifest.xml") or b""):
            raise password_needed(path)
        content, meta = container.find("content.xml"), container.find("meta.xml")
    else:
        content, meta = data, data
    if content is None:
        raise damaged(path)
    root = tree(content, path)
    body = next(root.iter("{*}body"), None)
    pages = list(body.iter("{*}page")) if body is not None else []
    if pages:
        parts = within_limit((_slide(page, number) for number, page in enumerate(pages, 1)), path)
    else:
        parts = without_bare_headings(within_limit(_Body().parts(body), path)) if body is not None else ()
    title = next(tree(meta, path).iter("{http://purl.org/dc/elements/1.1/}title"), None) if meta else None
    first = next((part.section.split(" > ")[0] for part in parts if part.section), "")
    return LoadedDocument(titled(path, (title.text or "") if title is not None else first), parts, len(pages) or None)


def _slide(page: Any, number: int) -> Part:
    title, lines, notes = "", list[str](), list[str]()
    for shape in page:
        if local(shape) == "notes":
            notes.extend(_Body().lines(shape))
        elif attribute(shape, "class") == "title" and not title:
            title = " ".join(" ".join(_Body().lines(shape)).split())
        else:
            lines.extend(_Body().lines(shape))
    if notes:
        lines += ["Notes:", *notes]
    return Part("\n".join(filter(None, (title, *lines))), page=number, section=title)


class _Body:
    """Walks an element and collects its lines under their headings. libxml2 allows no deeper nesting than this may."""

    def __init__(self) -> None:
        self._headings = Headings()
        self._lines: list[str] = []

    def parts(self, body: Any) -> Iterator[Part]:
        yield from self._walk(body)
        yield self._part()

    def lines(self, element: Any) -> list[str]:
        """The lines of an element, its headings among them."""
        return [line for part in self.parts(element) for line in part.text.split("\n") if line]

    def _walk(self, element: Any) -> Iterator[Part]:
        for node in element:
            name = local(node)
            if name in _PASSED_OVER or not name:
                continue
            if name == "h":
                yield self._part()
                text = _text(node)
                self._headings.enter(_level(node), text)
                self._add(text)
            elif name == "p":
                self._add(_text(node))
                for frame in node.iter("{*}text-box"):
                    yield from self._walk(frame)
            elif name == "table":
                self._lines.extend(table_lines(list(_rows(node))))
            else:
                yield from self._walk(node)

    def _add(self, text: str) -> None:
        if text.strip():
            self._lines.append(text.strip())

    def _part(self) -> Part:
        text, self._lines = "\n".join(self._lines), []
        return Part(text, section=self._headings.path)


def _level(heading: Any) -> int:
    level = attribute(heading, "outline-level")
    return int(level) if level in tuple("123456789") else 1


def _rows(table: Any) -> Iterator[list[str]]:
    for row in table.iter("{*}table-row"):
        cells: list[str] = []
        for cell in row:
            if local(cell) == "table-cell" and len(cells) < MAX_COLUMNS:
                text = " ".join(_text(paragraph) for paragraph in cell.iter("{*}p", "{*}h"))
                times = attribute(cell, "number-columns-repeated")
                cells.extend([text] * (min(int(times), _MAX_REPEATED) if text and times.isdigit() else 1))
        yield cells


def _text(paragraph: Any) -> str:
    """The text of a paragraph as it is shown: blanks, tabs and breaks written out, frames and remarks left out."""
    pieces = [paragraph.text or ""]
    for node in paragraph:
        name = local(node)
        if name == "s":
            times = attribute(node, "c")
            pieces.append(" " * (min(int(times), _MAX_BLANKS) if times.isdigit() else 1))
        elif name == "tab":
            pieces.append("\t")
        elif name == "line-break":
            pieces.append("\n")
        elif name and name not in _PASSED_OVER and name not in ("frame", "custom-shape"):
            pieces.append(_text(node))
        pieces.append(node.tail or "")
    return "".join(pieces)
