"""Word and PowerPoint files of 97 to 2003, by their published layouts ([MS-DOC], [MS-PPT]): text and headings."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from vpa_desktop.rag import ppt_records
from vpa_desktop.rag.doc_text import paragraphs
from vpa_desktop.rag.kinds import damaged, password_needed
from vpa_desktop.rag.load_markup import Headings, without_bare_headings
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.olefiles import opened, read_stream
from vpa_desktop.rag.tables import table_lines

_MAGICS = (b"\xec\xa5", b"\xdc\xa5", b"\xdb\xa5")
_ENCRYPTED, _SECOND_TABLE = 0x0100, 0x0200


def load_doc(data: bytes, path: Path) -> LoadedDocument:
    """Reads the body and the footnotes. Raises DocumentUnreadable when it is damaged or protected with a password."""
    with opened(data, path) as file:
        word = read_stream(file, "WordDocument")
        if word[:2] not in _MAGICS:
            raise damaged(path)
        flags = struct.unpack_from("<H", word, 0x0A)[0]
        if flags & _ENCRYPTED:
            raise password_needed(path)
        table = read_stream(file, "1Table" if flags & _SECOND_TABLE else "0Table")
        try:
            parts = within_limit(_sections(word, table), path)
        except (struct.error, IndexError) as exc:
            raise damaged(path) from exc
        title = _title(file)
    return LoadedDocument(titled(path, title), without_bare_headings(parts))


def _sections(word: bytes, table: bytes) -> Iterator[Part]:
    headings, lines, rows = Headings(), list[str](), list[list[str]]()
    for level, cells in paragraphs(word, table):
        if len(cells) > 1:
            rows.append(cells)
            continue
        lines.extend(table_lines(rows))
        rows = []
        text = cells[0].strip()
        if level and text:
            yield Part("\n".join(lines), section=headings.path)
            lines = []
            headings.enter(level, text)
        if text:
            lines.append(text)
    yield Part("\n".join([*lines, *table_lines(rows)]), section=headings.path)


def load_ppt(data: bytes, path: Path) -> LoadedDocument:
    """Reads the slides in their order, with their notes. Raises DocumentUnreadable: damaged, or a password."""
    with opened(data, path) as file:
        if file.exists("EncryptedSummary"):
            raise password_needed(path)
        stream, user = read_stream(file, "PowerPoint Document"), read_stream(file, "Current User")
        title = _title(file)
    slides = ppt_records.slides(stream, user)
    parts = within_limit(
        (
            Part("\n".join(filter(None, (heading, *lines))), page=number, section=heading)
            for number, (heading, lines) in enumerate(slides, 1)
        ),
        path,
    )
    return LoadedDocument(titled(path, title), parts, len(slides) or None)


def _title(file: object) -> str:
    raw = getattr(file.get_metadata(), "title", None)  # type: ignore[attr-defined]
    if isinstance(raw, bytes):
        return raw.decode("utf-8" if _is_utf8(raw) else "cp1252", "replace").strip("\x00")
    return str(raw or "")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
