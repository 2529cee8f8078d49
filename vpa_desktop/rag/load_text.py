"""Bytes of any text encoding to text: plain texts, and code and logs with the numbers of their lines."""

from __future__ import annotations

import codecs
import html
import re
from pathlib import Path

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.kinds import wide_encoding
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings of seven bits, which UTF-8 takes for its own.
_ESCAPES = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp_2"), (b"\x1b(J", "iso2022_jp_2"))
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_TAG = re.compile(r"<[!?/A-Za-z][^<>]{0,4000}>")
_BLANK_RUNS = re.compile(r"\s{2,}")
_SAMPLE_BYTES = 256 * 1024


def load_text(data: bytes, path: Path) -> LoadedDocument:
    """Reads a text file as one part."""
    return LoadedDocument(titled(path, path.name), within_limit([Part(decode(data, path))], path))


def load_lines(data: bytes, path: Path) -> LoadedDocument:
    """Reads code, a log or a settings file: a citation says from which line to which."""
    return LoadedDocument(titled(path, path.name), within_limit([numbered_lines(decode(data, path))], path))


def numbered_lines(text: str) -> Part:
    """Returns a text whose passages end at line ends and know their lines."""
    return Part(text, numbers=range(1, text.count("\n") + 2))


def decode(data: bytes, path: Path, hint: str = "") -> str:
    """Returns the text with ``\\n`` line ends: by its mark, as UTF-8, by the hint given in it, or by its statistics.

    Raises DocumentUnreadable when no encoding fits.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _lines(data.decode(encoding, "replace"))
    for encoding in (wide_encoding(data), *(name for escape, name in _ESCAPES if escape in data), "utf-8"):
        try:
            if encoding:
                return _lines(data.decode(encoding))
        except UnicodeDecodeError:
            continue
    for encoding in (hint, _guess(data)):
        try:
            if encoding:
                return _lines(data.decode(encoding, "replace"))
        except LookupError:
            continue
    raise DocumentUnreadable(
        f"{path.name} is in no known text encoding", "What is in it may be binary data", "Save it as UTF-8"
    )


def without_tags(text: str) -> str:
    """The text between the tags, those inside CDATA and entities too; all of it where the words are in attributes."""
    bare = _TAG.sub(" ", _CDATA.sub("", text))
    bare = _TAG.sub(" ", html.unescape(bare)) if "&lt;" in bare or "&amp;" in bare else html.unescape(bare)
    bare = _BLANK_RUNS.sub(lambda run: "\n" if "\n" in run[0] else " ", bare).strip()
    return bare if len(bare) * 10 > len(text) else text


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE_BYTES]).best()
    return best.encoding if best is not None else ""


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
