"""Bytes of any text encoding to text; plain text, source code, CSV, JSON and XML are read as they are."""

from __future__ import annotations

import codecs
from pathlib import Path

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 256 * 1024


def load_text(data: bytes, path: Path) -> LoadedDocument:
    """Reads a text file as one part."""
    return LoadedDocument(titled(path, path.name), within_limit([Part(decode(data, path))], path))


def decode(data: bytes, path: Path, hint: str = "") -> str:
    """Returns the text with ``\\n`` line ends: by its mark, as UTF-8, by the hint given in it, or by its statistics.

    Raises DocumentUnreadable when no encoding fits.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _lines(data.decode(encoding, "replace"))
    try:
        return _lines(data.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    for encoding in (hint, _guess(data)):
        try:
            if encoding:
                return _lines(data.decode(encoding, "replace"))
        except LookupError:
            continue
    raise DocumentUnreadable(
        f"{path.name} is in no known text encoding", "What is in it may be binary data", "Save it as UTF-8"
    )


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE_BYTES]).best()
    return best.encoding if best is not None else ""


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
