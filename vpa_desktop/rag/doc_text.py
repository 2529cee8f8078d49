"""The text of a Word file of 97 to 2003 by its piece table, and which of its paragraphs are headings ([MS-DOC])."""

from __future__ import annotations

import bisect
import re
import struct
from collections.abc import Iterator

_WORD_97 = 193
_COMPRESSED = 0x40000000
_PAGE_BYTES = 512
_PAGE_NUMBER = 0x3FFFFF
_MAX_PAGES = 100_000
# The first nine styles after the normal one are the headings, in every file and every language.
_HEADING_STYLES = range(1, 10)
# A field is its code, then what it shows; the code is left out, and a field may stand in another's code.
_FIELD_CODE = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x14\x15]*))?\x15")
# A cell ends with this mark, and a row with one more.
_CELL_END, _ROW_END = "\x07", "\x07\x07"
_MAX_FIELD_DEPTH = 8
_SHOWN_AS = str.maketrans(
    {"\x0b": "\n", "\x0c": "\n", "\x0e": "\n", "\x1e": "-", "\x1f": "", "\xa0": " "}
    | dict.fromkeys("\x00\x01\x02\x03\x04\x05\x06\x08\x13\x14\x15", "")
)


def paragraphs(word: bytes, table: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yields each paragraph with its level of heading, 0 for none, and each row of cells: the body and the footnotes.

    Raises struct.error or IndexError when the file is damaged.
    """
    levels = _Levels(word, table)
    text: list[str] = []
    marks: list[int] = []
    for piece, begin, width in _pieces(word, table):
        text.append(piece)
        marks.extend(levels.at(begin + width * found.start()) for found in re.finditer("\r", piece))
    for level, shown in zip([*marks, 0], _shown("".join(text)).split("\r"), strict=False):
        *rows, last = shown.split(_ROW_END)
        yield from ((0, row.split(_CELL_END)) for row in rows)
        yield level, last.split(_CELL_END)


def _pieces(word: bytes, table: bytes) -> Iterator[tuple[str, int, int]]:
    """The text in its order, where each piece lies in the stream, and how many bytes a character has there."""
    version = struct.unpack_from("<H", word, 2)[0]
    if version < _WORD_97:
        first, after = struct.unpack_from("<II", word, 0x18)
        yield word[first:after].decode("cp1252", "replace"), first, 1
        return
    main, notes = struct.unpack_from("<ii", word, 0x4C)
    left = max(main, 0) + max(notes, 0)  # up to where the headers of the pages begin
    at, size = struct.unpack_from("<II", word, 0x01A2)
    clx = table[at : at + size]
    at = 0
    while clx[at] == 1:  # formatting that is shared by pieces
        at += 3 + int(struct.unpack_from("<H", clx, at + 1)[0])
    count = (struct.unpack_from("<I", clx, at + 1)[0] - 4) // 12
    ends = struct.unpack_from(f"<{count + 1}I", clx, at + 5)
    for number in range(count):
        position = struct.unpack_from("<I", clx, at + 5 + 4 * (count + 1) + 8 * number + 2)[0]
        chars = min(ends[number + 1] - ends[number], left)
        if chars <= 0:
            return
        left -= chars
        if position & _COMPRESSED:
            begin = (position & ~_COMPRESSED) // 2
            yield word[begin : begin + chars].decode("cp1252", "replace"), begin, 1
        else:
            yield word[position : position + 2 * chars].decode("utf-16-le", "replace"), position, 2


class _Levels:
    """The level of heading at a place of the stream; 0 everywhere where the table of paragraphs is broken."""

    def __init__(self, word: bytes, table: bytes) -> None:
        self._starts: list[int] = []
        self._levels: list[int] = []
        if struct.unpack_from("<H", word, 2)[0] < _WORD_97:
            return
        try:
            found = sorted(_styles(word, table))
        except (struct.error, IndexError):
            return
        self._starts = [start for start, _ in found]
        self._levels = [style if style in _HEADING_STYLES else 0 for _, style in found]

    def at(self, place: int) -> int:
        """The level of the paragraph whose mark stands there."""
        number = bisect.bisect_right(self._starts, place) - 1
        return self._levels[number] if number >= 0 else 0


def _styles(word: bytes, table: bytes) -> Iterator[tuple[int, int]]:
    """Where each run of paragraphs begins in the stream, and the number of its style."""
    at, size = struct.unpack_from("<II", word, 0x0102)
    count = min((size - 4) // 8, _MAX_PAGES)
    for number in struct.unpack_from(f"<{max(count, 0)}I", table, at + 4 * (count + 1)):
        begin = (number & _PAGE_NUMBER) * _PAGE_BYTES
        page = word[begin : begin + _PAGE_BYTES]
        runs = page[_PAGE_BYTES - 1]
        starts = struct.unpack_from(f"<{runs}I", page, 0)
        for run, start in enumerate(starts):
            offset = page[4 * (runs + 1) + 13 * run] * 2
            if offset:
                offset += 1 if page[offset] else 2
                yield start, struct.unpack_from("<H", page, offset)[0]
            else:
                yield start, 0


def _shown(text: str) -> str:
    """The text as it is read, fields without their codes. Paragraphs, cells and rows still end with their marks."""
    for _ in range(_MAX_FIELD_DEPTH):
        shorter = _FIELD_CODE.sub(_without_code, text)
        if shorter == text:
            break
        text = shorter
    return text.translate(_SHOWN_AS)


def _without_code(field: re.Match[str]) -> str:
    """What a field shows. A paragraph mark in its code is kept, since marks are counted."""
    shown = field[1] or ""
    return "\r" * (field[0].count("\r") - shown.count("\r")) + shown
