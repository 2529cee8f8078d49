"""RTF to sections: a small reader of its groups and control words. Pictures, objects and fields' codes are left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vpa_desktop.rag.load_markup import Headings, without_bare_headings
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.rtf_reader import RtfReader
from vpa_desktop.rag.tables import table_lines


def load_rtf(data: bytes, path: Path) -> LoadedDocument:
    """Reads the paragraphs, tables as rows. Raises DocumentUnreadable when the file is built to exhaust its reader."""
    reader = RtfReader(data, path)
    parts = without_bare_headings(within_limit(_sections(reader), path))
    return LoadedDocument(titled(path, reader.title), parts)


def rtf_text(data: bytes, path: Path) -> str:
    """Returns the text alone, for a message whose body is RTF."""
    return "\n".join(part.text for part in _sections(RtfReader(data, path)))


def _sections(reader: RtfReader) -> Iterator[Part]:
    headings, lines, rows = Headings(), list[str](), list[list[str]]()
    for paragraph in reader.paragraphs():
        if paragraph.cells:
            rows.append(paragraph.cells)
            continue
        lines.extend(table_lines(rows))
        rows = []
        text = paragraph.text.strip()
        if paragraph.level and text:
            yield Part("\n".join(lines), section=headings.path)
            lines = []
            headings.enter(paragraph.level, text)
        if text:
            lines.append(text)
    yield Part("\n".join([*lines, *table_lines(rows)]), section=headings.path)
