"""A file in, its text with page or section positions out. Runs inside the parser process, never in the window's.

What a file is, ``kinds`` decides. One file per family of formats does the reading (``load_pdf``, ``load_docx``, ...).
Whatever has no text gets a sentence.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.kinds import kind_of

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_TEXT_CHARS = 20 * 1024 * 1024
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_DEPTH = 3

Recogniser = Callable[[Any], str]
"""Reads what is written in a picture (an image of PIL)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of text with one citation: a page or slide (from 1), or a section with its path of headings.

    ``numbers`` says which line or row (``numbered``) of the file each line of the text is. Where it is given, the
    text is cut at line ends and its passages say from which to which they go.
    """

    text: str
    page: int | None = None
    section: str = ""
    numbers: Sequence[int] = ()
    numbered: str = "line"


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """What was read of a file. ``image_only`` says why there are no parts: pages are there, but only as pictures.

    ``pictures`` counts the pages that are pictures without text behind; ``remarks`` are sentences about what was left
    out of a file that could be read.
    """

    title: str
    parts: tuple[Part, ...]
    pages: int | None = None
    image_only: bool = False
    pictures: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class Reading:
    """How much may still come out of a file, and whether pictures are read: for a file and all that is packed in it."""

    recognise: Recogniser | None = None
    bytes_left: int = MAX_UNPACKED_BYTES
    depth: int = 0


def load(path: Path, reading: Reading | None = None) -> LoadedDocument:
    """Reads one file.

    Raises DocumentUnreadable with the sentence the person sees.
    """
    document = load_bytes(read_regular(path), path, reading or Reading())
    if not document.parts and not document.image_only:
        raise DocumentUnreadable(
            f"{path.name} has no text", "; ".join(document.remarks[:3]) or "Everything in it is blank or drawn"
        )
    return document


def load_bytes(data: bytes, path: Path, reading: Reading) -> LoadedDocument:
    """Reads what is in a file of that name. Raises DocumentUnreadable."""
    loader = LOADERS[kind_of(data, path)]
    module = import_module(f"vpa_desktop.rag.{loader.module}")
    function: Callable[..., LoadedDocument] = getattr(module, loader.function)
    return function(data, path, reading) if loader.knows_reading else function(data, path)


class _Loader(NamedTuple):
    """What reads a kind of files, imported on first use; some want to know of the reading they are part of."""

    module: str
    function: str
    knows_reading: bool = False


LOADERS = {
    "pdf": _Loader("load_pdf", "load_pdf", knows_reading=True),
    "docx": _Loader("load_docx", "load_docx"),
    "pptx": _Loader("load_pptx", "load_pptx"),
    "odf": _Loader("load_odf", "load_odf"),
    "sheet": _Loader("load_sheet", "load_sheet"),
    "epub": _Loader("load_epub", "load_epub"),
    "rtf": _Loader("load_rtf", "load_rtf"),
    "doc": _Loader("load_legacy", "load_doc"),
    "ppt": _Loader("load_legacy", "load_ppt"),
    "mail": _Loader("load_mail", "load_mail", knows_reading=True),
    "msg": _Loader("load_msg", "load_msg", knows_reading=True),
    "html": _Loader("load_markup", "load_html"),
    "markdown": _Loader("load_markup", "load_markdown"),
    "csv": _Loader("load_csv", "load_csv"),
    "json": _Loader("load_data", "load_json"),
    "jsonl": _Loader("load_data", "load_json_lines"),
    "xml": _Loader("load_xml", "load_xml"),
    "notebook": _Loader("load_notebook", "load_notebook"),
    "lines": _Loader("load_text", "load_lines"),
    "text": _Loader("load_text", "load_text"),
    "picture": _Loader("load_picture", "load_picture", knows_reading=True),
    "zip": _Loader("load_zip", "load_zip", knows_reading=True),
}
"""Kind -> what reads it."""


def read_regular(path: Path) -> bytes:
    """Reads a regular file of an allowed size; a device, a pipe or a folder is refused without opening it for long."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    try:
        handle = os.open(path, flags)
    except OSError as exc:
        raise unreadable_because(path, exc) from exc
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        os.close(handle)
        raise DocumentUnreadable(f"{path.name} is not a file", "It is a folder, a device or a pipe")
    with os.fdopen(handle, "rb") as file:
        if facts.st_size > MAX_FILE_BYTES:
            raise DocumentUnreadable(
                f"{path.name} is too large",
                f"It has {facts.st_size // 2**20} MB and {MAX_FILE_BYTES // 2**20} MB is the most",
                "Split it and add the pieces",
            )
        try:
            return file.read(MAX_FILE_BYTES + 1)
        except OSError as exc:
            raise unreadable_because(path, exc) from exc


def unreadable_because(path: Path, exc: OSError) -> DocumentUnreadable:
    """Turns what the operating system said about a file into the sentence the person sees."""
    if isinstance(exc, FileNotFoundError):
        return DocumentUnreadable(f"{path.name} is not there", f"There is no {path}", "Check the path")
    if isinstance(exc, PermissionError):
        return DocumentUnreadable(f"{path.name} may not be read", "You have no right to it", "Change its permissions")
    reason = exc.strerror or type(exc).__name__
    return DocumentUnreadable(f"{path.name} could not be read", f"The system says: {reason}")


def titled(path: Path, title: str) -> str:
    """Returns a document's own title on one line, or the file's name without its ending."""
    return " ".join(title.split())[:200] or path.stem


def within_limit(parts: Iterable[Part], path: Path) -> tuple[Part, ...]:
    """Collects parts that have text; raises DocumentUnreadable when there is more than one document may hold."""
    kept: list[Part] = []
    chars = 0
    for part in parts:
        if not part.text.strip():
            continue
        part = _clean(part)
        chars += len(part.text)
        if chars > MAX_TEXT_CHARS:
            raise DocumentUnreadable(
                f"{path.name} holds too much text",
                f"{MAX_TEXT_CHARS // 2**20} million characters are the most for one document",
                "Split it and add the pieces",
            )
        kept.append(part)
    return tuple(kept)


def _clean(part: Part) -> Part:
    """Without what no database takes: zero bytes, and halves of characters."""
    text = part.text.replace("\x00", "")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    section = part.section.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
    return part if (text, section) == (part.text, part.section) else replace(part, text=text, section=section)
