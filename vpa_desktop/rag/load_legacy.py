"""Word and PowerPoint files of 97 to 2003, by their published binary layouts ([MS-DOC], [MS-PPT]): text, no format."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from vpa_desktop.rag import ppt_records
from vpa_desktop.rag.kinds import damaged, password_needed
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit
from vpa_desktop.rag.olefiles import opened, read_stream

_MAGICS = (b"\xec\xa5", b"\xdc\xa5", b"\xdb\xa5")
_WORD_97 = 193
_ENCRYPTED, _SECOND_TABLE = 0x0100, 0x0200
_COMPRESSED = 0x40000000
# A field is its code, then what it shows; the code is left out, and a field may stand in another's code.
_FIELD_CODE = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x14\x15]*))?\x15")
_MAX_FIELD_DEPTH = 8
_SHOWN_AS = str.maketrans(
    {"\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x0e": "\n", "\x1e": "-", "\x1f": "", "\xa0": " ", "\x07": "\x07"}
    | dict.fromkeys("\x00\x01\x02\x03\x04\x05\x06\x08\x13\x14\x15", "")
)


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
            text = "".join(_pieces(word, table))
        except (struct.error, IndexError) as exc:
            raise damaged(path) from exc
        title = _title(file)
    return LoadedDocument(titled(path, title), within_limit([Part(_shown(text))], path))


def _pieces(word: bytes, table: bytes) -> Iterator[str]:
    """The text by its piece table, up to where the headers of the pages begin."""
    version = struct.unpack_from("<H", word, 2)[0]
    if version < _WORD_97:
        first, after = struct.unpack_from("<II", word, 0x18)
        yield word[first:after].decode("cp1252", "replace")
        return
    main, notes = struct.unpack_from("<ii", word, 0x4C)
    left = max(main, 0) + max(notes, 0)
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
            yield word[begin : begin + chars].decode("cp1252", "replace")
        else:
            yield word[position : position + 2 * chars].decode("utf-16-le", "replace")


def _shown(text: str) -> str:
    for _ in range(_MAX_FIELD_DEPTH):
        shorter = _FIELD_CODE.sub(lambda field: field[1] or "", text)
        if shorter == text:
            break
        text = shorter
    text = text.translate(_SHOWN_AS)
    # A cell ends with this mark, and a row with one more.
    return text.replace("\x07\x07", "\n").replace("\x07", " | ")


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
