"""Bytes of any text encoding to text. Code, CSV and JSON are read as they are, XML without tags, notebooks by cells."""

from __future__ import annotations

import codecs
import html
import json
import re
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.loaders import LoadedDocument, Part, titled, within_limit

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_TAG = re.compile(r"<[!?/A-Za-z][^<>]{0,4000}>")
_BLANK_RUNS = re.compile(r"\s{2,}")
_SAMPLE_BYTES = 256 * 1024


def load_text(data: bytes, path: Path) -> LoadedDocument:
    """Reads a text file as one part."""
    text = decode(data, path)
    if text.lstrip().startswith("<?xml") or path.suffix.lower() in (".xml", ".rss"):
        text = _without_tags(text)
    elif path.suffix.lower() == ".ipynb":
        text = _cells(text)
    return LoadedDocument(titled(path, path.name), within_limit([Part(text)], path))


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


def _without_tags(text: str) -> str:
    """The text between the tags, those inside CDATA and entities too; all of it where the words are in attributes."""
    bare = _TAG.sub(" ", _CDATA.sub("", text))
    bare = _TAG.sub(" ", html.unescape(bare)) if "&lt;" in bare or "&amp;" in bare else html.unescape(bare)
    bare = _BLANK_RUNS.sub(lambda run: "\n" if "\n" in run[0] else " ", bare).strip()
    return bare if len(bare) * 10 > len(text) else text


def _cells(text: str) -> str:
    """A notebook's sources and printed results; the file as it is where it is no notebook."""
    try:
        cells: list[dict[str, Any]] = json.loads(text)["cells"]
        pieces = [_joined(cell["source"]) for cell in cells]
        for output in (output for cell in cells for output in cell.get("outputs", ())):
            pieces.append(_joined(output.get("text") or output.get("data", {}).get("text/plain", "")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return text
    return "\n\n".join(piece for piece in pieces if piece.strip())


def _joined(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE_BYTES]).best()
    return best.encoding if best is not None else ""


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
