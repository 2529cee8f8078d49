"""The records of a PowerPoint 97 stream ([MS-PPT]): which slides there are, in which order, with which text."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_DOCUMENT, _SLIDE, _NOTES = 0x03E8, 0x03EE, 0x03F0
_LIST, _PERSIST, _NOTES_ATOM = 0x0FF0, 0x03F3, 0x03F1
_TEXT_HEADER, _CHARS, _BYTES = 0x0F9F, 0x0FA0, 0x0FA8
_USER_EDIT, _DIRECTORY = 0x0FF5, 0x1772
_TITLES = (0, 6)
_NOTES_LIST = 2
_MAX_DEPTH = 32
_MAX_EDITS = 1_000

Record = tuple[int, int, int, int]
"""Type, instance, and where its content begins and ends."""
Slide = tuple[str, list[str]]
"""A slide's title and its other lines."""


def slides(stream: bytes, user: bytes) -> list[Slide]:
    """Returns the slides; all text as one slide where the stream's own directory is broken."""
    try:
        found = _by_directory(stream, user)
    except (struct.error, IndexError, KeyError):
        found = []
    if any(title or lines for title, lines in found):
        return found
    everything = [text for _, text in _texts(stream, 0, len(stream))]
    return [("", everything)] if everything else []


def _by_directory(stream: bytes, user: bytes) -> list[Slide]:
    where, document = _directory(stream, struct.unpack_from("<I", user, 16)[0])
    kind, _, begin, end = _record(stream, where[document])
    if kind != _DOCUMENT:
        return []
    found: list[Slide] = []
    numbers: dict[int, int] = {}
    notes: list[int] = []
    for kind, instance, first, after in _inside(stream, begin, end):
        if kind != _LIST:
            continue
        for inner, _, at, stop in _inside(stream, first, after):
            if inner == _PERSIST:
                reference, _, _, slide_id = struct.unpack_from("<4I", stream, at)
                if instance == _NOTES_LIST:
                    notes.append(reference)
                elif instance == 0:
                    numbers[slide_id] = len(found)
                    found.append(_drawn(stream, where.get(reference)))
            elif instance == 0 and found and inner in (_CHARS, _BYTES):
                _add_outline(found, stream, (inner, 0, at, stop))
    for reference in notes:
        _add_notes(found, numbers, stream, where.get(reference))
    return [_with_title(lines) if not title else (title, lines) for title, lines in found]


def _directory(stream: bytes, at: int) -> tuple[dict[int, int], int]:
    """Where each object lies by its number, newest edit first, and the number of the document itself."""
    where: dict[int, int] = {}
    document = 0
    for _ in range(_MAX_EDITS):
        kind, _, begin, _ = _record(stream, at)
        if kind != _USER_EDIT:
            break
        last, directory, reference = struct.unpack_from("<3I", stream, begin + 8)
        document = document or reference
        kind, _, first, after = _record(stream, directory)
        while kind == _DIRECTORY and first + 4 <= after:
            packed = struct.unpack_from("<I", stream, first)[0]
            number, count = packed & 0xFFFFF, packed >> 20
            for offset, position in enumerate(struct.unpack_from(f"<{count}I", stream, first + 4)):
                where.setdefault(number + offset, position)
            first += 4 + 4 * count
        if not last or last >= at:
            break
        at = last
    return where, document


def _drawn(stream: bytes, at: int | None) -> Slide:
    """The text in a slide's own drawing: what was typed into placeholders stands in the outline instead."""
    if at is None:
        return "", []
    kind, _, begin, end = _record(stream, at)
    texts = list(_texts(stream, begin, end)) if kind in (_SLIDE, _NOTES) else []
    title = next((text for kind, text in texts if kind in _TITLES), "")
    return title, [text for kind, text in texts if text != title]


def _add_outline(found: list[Slide], stream: bytes, record: Record) -> None:
    """Puts a text of the outline before what is drawn on the slide; the first is mostly its title."""
    kind, _, begin, end = record
    title, lines = found[-1]
    text = _decoded(stream[begin:end], kind)
    if text and text not in lines and text != title:
        found[-1] = (title, [text, *lines]) if title else (" ".join(text.split()), lines)


def _add_notes(found: list[Slide], numbers: dict[int, int], stream: bytes, at: int | None) -> None:
    if at is None:
        return
    kind, _, begin, end = _record(stream, at)
    if kind != _NOTES:
        return
    atom = next((r for r in _inside(stream, begin, end) if r[0] == _NOTES_ATOM), None)
    number = numbers.get(struct.unpack_from("<I", stream, atom[2])[0]) if atom else None
    lines = [text for _, text in _texts(stream, begin, end) if text.strip("* \n")]
    if number is not None and lines:
        found[number][1].extend(["Notes:", *lines])


def _with_title(lines: list[str]) -> Slide:
    first = lines[0] if lines else ""
    return (first, lines[1:]) if first and "\n" not in first and len(first) < 120 else ("", lines)


def _texts(stream: bytes, begin: int, end: int, depth: int = 0) -> Iterator[tuple[int, str]]:
    """Yields every text with its kind (0 and 6 are titles, -1 unknown)."""
    kind = -1
    for record, _, first, after in _inside(stream, begin, end):
        if record == _TEXT_HEADER and after - first >= 4:
            kind = struct.unpack_from("<I", stream, first)[0]
        elif record in (_CHARS, _BYTES):
            if text := _decoded(stream[first:after], record):
                yield kind, text
        elif record < 0 and depth < _MAX_DEPTH:
            yield from _texts(stream, first, after, depth + 1)


def _inside(stream: bytes, begin: int, end: int) -> Iterator[Record]:
    """Yields the records between two places; a container other than those named here has -1 as its type."""
    while begin + 8 <= end:
        kind, instance, first, after = _record(stream, begin)
        is_named = kind in (_LIST, _NOTES_ATOM, _PERSIST, _TEXT_HEADER, _CHARS, _BYTES)
        is_container = stream[begin] & 0xF == 0xF
        yield (kind if is_named or not is_container else -1), instance, first, min(after, end)
        begin = after


def _record(stream: bytes, at: int) -> Record:
    head, kind, length = struct.unpack_from("<HHI", stream, at)
    return kind, head >> 4, at + 8, at + 8 + length


def _decoded(raw: bytes, kind: int) -> str:
    text = raw.decode("utf-16-le" if kind == _CHARS else "latin-1", "replace")
    return text.replace("\r", "\n").replace("\x0b", "\n").replace("\x00", "").strip()
