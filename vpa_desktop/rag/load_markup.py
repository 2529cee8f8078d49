"""Markdown and HTML to sections with their path of headings. Links, pictures and scripts are never followed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vpa_desktop.rag.html_tables import write_out_tables
from vpa_desktop.rag.load_text import decode
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.tables import table_lines

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_BLOCKS = frozenset(
    "address article aside blockquote br caption dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hr li main ol option p pre section table tbody thead tr ul".split()
)
_CELLS = frozenset(("td", "th"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_DROPPED = ["script", "style", "noscript", "template", "svg", "iframe", "object", "nav"]
# A header, the row of dashes below it, and rows, in the short lines that tables have.
_PIPE_TABLE = re.compile(
    r"^[^\n|]{0,200}\|[^\n]{0,2000}\n[ \t]*\|?[ \t]*:?-+:?[ \t]*\|[-|: \t]{0,2000}\n"
    r"(?:[^\n|]{0,2000}\|[^\n]{0,4000}(?:\n|\Z))+",
    re.MULTILINE,
)
_MAX_HEADING_CHARS = 200
_BLANKS = re.compile(r"[ \t\f\v\u00a0]+")
_BLANK_LINES = re.compile(r" ?\n[ \n]*\n ?")


class Headings:
    """The path of headings that a position stands under."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> None:
        """Goes under a heading; deeper ones and its equals are left."""
        while self._stack and self._stack[-1][0] >= level:
            self._stack.pop()
        if title := " ".join(title.split())[:_MAX_HEADING_CHARS]:
            self._stack.append((level, title))

    @property
    def path(self) -> str:
        """The headings from the top, as the citation shows them."""
        return " > ".join(title for _, title in self._stack)


def load_markdown(data: bytes, path: Path) -> LoadedDocument:
    """Reads Markdown: each heading begins a part that holds its own source text, the heading included."""
    text = decode(data, path)
    parts = within_limit(_markdown_parts(text), path)
    first = next((part.section.split(" > ")[0] for part in parts if part.section), "")
    return LoadedDocument(titled(path, first), without_bare_headings(parts))


def _markdown_parts(text: str) -> Iterator[Part]:
    for piece, section in markdown_sections(text, Headings()):
        yield Part(_with_named_rows(piece), section=section)


def markdown_sections(text: str, headings: Headings) -> Iterator[tuple[str, str]]:
    """Yields each section's source text and its path; ``headings`` are those it stands under, and goes on with them."""
    lines, fence = list[str](), ""
    for line in text.splitlines(keepends=True):
        stripped = line.rstrip("\n")
        if fence:
            if stripped.strip().startswith(fence) and not stripped.strip().strip(fence[0]):
                fence = ""
        elif opening := _FENCE.match(stripped):
            fence = opening[1]
        elif heading := _ATX.match(stripped):
            yield "".join(lines), headings.path
            lines = []
            headings.enter(len(heading[1]), heading[2])
        elif (under := _SETEXT.match(stripped)) and lines and _is_paragraph(lines[-1]):
            title = lines.pop()
            yield "".join(lines), headings.path
            lines = [title]
            headings.enter(1 if under[1][0] == "=" else 2, title)
        lines.append(line)
    yield "".join(lines), headings.path


def _with_named_rows(text: str) -> str:
    """The text with the rows of its large tables carrying the names of their columns."""
    if "|" not in text:
        return text
    return _PIPE_TABLE.sub(_table, text)


def _table(found: re.Match[str]) -> str:
    source = found[0].splitlines()
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in source]
    del rows[1]
    lines = table_lines(rows)
    return found[0] if len(lines) < 2 or not lines[1].startswith("- ") else "\n".join(lines) + "\n"


def _is_paragraph(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(("#", ">", "|", "-", "*", "+", "`"))


def without_bare_headings(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Leaves out parts that are only a heading whose words the next part carries in its path."""
    kept: list[Part] = []
    for part, following in zip_longest(parts, parts[1:]):
        bare = len(part.text.strip().splitlines()) == 1 and bool(part.section)
        if bare and following is not None and following.section.startswith(part.section + " > "):
            continue
        kept.append(part)
    return tuple(kept)


def load_html(data: bytes, path: Path) -> LoadedDocument:
    """Reads the text a browser would show, cut at its headings."""
    title, parts = html_sections(data, path)
    return LoadedDocument(titled(path, title), without_bare_headings(within_limit(parts, path)))


def html_sections(data: bytes, path: Path, charset: str = "") -> tuple[str, list[Part]]:
    """Returns a page's title and its sections; ``charset`` is what was said of it from outside."""
    from selectolax.lexbor import LexborHTMLParser

    declared = _CHARSET.search(data[:4096])
    tree = LexborHTMLParser(decode(data, path, charset or (declared[1].decode("ascii") if declared else "")))
    title_node = tree.css_first("title")
    title = title_node.text() if title_node is not None else ""
    tree.strip_tags(_DROPPED)
    write_out_tables(tree)
    return title, list(_html_parts(tree.body)) if tree.body is not None else []


def _html_parts(body: Any) -> Iterator[Part]:
    headings, pieces = Headings(), list[str]()
    for node in body.traverse(include_text=True):
        tag = node.tag
        if tag in _HEADINGS:
            yield Part(_tidy(pieces), section=headings.path)
            pieces = []
            headings.enter(_HEADINGS[tag], node.text())
        if tag == "-text":
            text = node.text_content or ""
            if not text.strip() and "\n" in text:
                text = " "
            before = node.prev
            pieces.append(("\n" if before is not None and before.tag in _BLOCKS else "") + text)
        elif tag in _BLOCKS:
            pieces.append("\n")
        elif tag in _CELLS:
            pieces.append(" | " if pieces and not pieces[-1].endswith("\n") else "")
    yield Part(_tidy(pieces), section=headings.path)


def _tidy(pieces: list[str]) -> str:
    text = _BLANKS.sub(" ", "".join(pieces))
    return _BLANK_LINES.sub("\n", text).strip()
