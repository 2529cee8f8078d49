"""A file in, its text with page or section positions out. Runs inside the parser process, never in the window's.

What a file is, is decided by its first bytes before its name: :func:`kind_of`. One file per family of formats does
the reading (``load_pdf``, ``load_docx``, ``load_markup``, ``load_text``). Whatever has no text gets a sentence.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from vpa_desktop.errors import DocumentUnreadable

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_TEXT_CHARS = 20 * 1024 * 1024
_HEAD_BYTES = 64 * 1024

_OFFICE_NEXT = "Save it as PDF or DOCX and add that"
_PICTURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"BM": "bitmap",
}
_OTHER_BINARY = (b"\x7fELF", b"MZ", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"Rar!", b"SQLite format 3", b"\xfd7zXZ")
_MARKDOWN_NAMES = {".md", ".markdown", ".mdown", ".mkd"}
_HTML_NAMES = {".html", ".htm", ".xhtml"}
_NAMED_KINDS = {".pdf": "a PDF", ".docx": "a Word document"}


@dataclass(frozen=True, slots=True)
class Part:
    """A run of text with one citation: a page (1-based) of a PDF, or a section with its path of headings."""

    text: str
    page: int | None = None
    section: str = ""


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """What was read of a file. ``image_only`` says why there are no parts: pages are there, but only as pictures."""

    title: str
    parts: tuple[Part, ...]
    pages: int | None = None
    image_only: bool = False


def load(path: Path) -> LoadedDocument:
    """Reads one file.

    Raises DocumentUnreadable with the sentence the person sees.
    """
    data = read_regular(path)
    kind = kind_of(data, path)
    document = _LOADERS[kind](data, path)
    if not document.parts and not document.image_only:
        raise DocumentUnreadable(f"{path.name} has no text", "Everything in it is blank or drawn")
    return document


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


def kind_of(data: bytes, path: Path) -> str:
    """Says which loader reads this: pdf, docx, html, markdown or text.

    Raises DocumentUnreadable for what is empty, not supported, or not what its name says.
    """
    if not data.strip(b"\x00 \t\r\n"):
        raise DocumentUnreadable(f"{path.name} is empty", "There is nothing in it" if not data else "It is all blank")
    head = data[:_HEAD_BYTES]
    suffix = path.suffix.lower()
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(data, path)
    _refuse_known_binary(data, path)
    if suffix in _NAMED_KINDS:
        content = "binary data" if _looks_binary(head) else "plain text"
        raise DocumentUnreadable(
            f"{path.name} is not {_NAMED_KINDS[suffix]}",
            f"Its name says so, but what is in it is {content}, or the file is damaged",
            "Open it in the program that made it and save it again, or give it the right ending",
        )
    if _looks_binary(head):
        raise DocumentUnreadable(f"{path.name} is not a text", "What is in it is binary data")
    start = head[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if suffix in _HTML_NAMES or start.startswith((b"<!doctype html", b"<html")):
        return "html"
    return "markdown" if suffix in _MARKDOWN_NAMES else "text"


def _kind_of_zip(data: bytes, path: Path) -> str:
    from vpa_desktop.rag.zipguard import names_in

    names = names_in(data, path)
    if "word/document.xml" in names:
        return "docx"
    for prefix, what in (("ppt/", "a PowerPoint presentation"), ("xl/", "an Excel workbook")):
        if any(name.startswith(prefix) for name in names):
            raise DocumentUnreadable(f"{path.name} is {what}", "That kind is not read yet", _OFFICE_NEXT)
    if "META-INF/container.xml" in names:
        raise DocumentUnreadable(f"{path.name} is an e-book", "That kind is not read yet", "Save it as PDF or HTML")
    if "mimetype" in names:
        raise DocumentUnreadable(f"{path.name} is an OpenDocument file", "That kind is not read yet", _OFFICE_NEXT)
    raise DocumentUnreadable(
        f"{path.name} is an archive", "Archives are not opened", "Unpack it and add the folder with the files"
    )


def _refuse_known_binary(data: bytes, path: Path) -> None:
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise DocumentUnreadable(
                f"{path.name} is protected with a password", "It cannot be read without it", "Save a copy without one"
            )
        raise DocumentUnreadable(
            f"{path.name} is an old Office file or an e-mail message", "That kind is not read", _OFFICE_NEXT
        )
    for magic, name in _PICTURES.items():
        if data.startswith(magic):
            raise DocumentUnreadable(f"{path.name} is a {name} picture", "There is no text in a picture to read")
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        raise DocumentUnreadable(f"{path.name} is a WebP picture", "There is no text in a picture to read")
    if data.startswith(b"{\\rtf"):
        raise DocumentUnreadable(f"{path.name} is a rich text file (RTF)", "That kind is not read yet", _OFFICE_NEXT)
    if data.startswith(_OTHER_BINARY):
        raise DocumentUnreadable(f"{path.name} is not a text", "It is a program, an archive or a database")


def _looks_binary(head: bytes) -> bool:
    """True when bytes that no text encoding of the usual ones contains are there."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    if b"\x00" in head:
        return True
    control = sum(head.count(bytes([byte])) for byte in range(32) if byte not in (9, 10, 12, 13, 27))
    return control > len(head) // 50


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
        chars += len(part.text)
        if chars > MAX_TEXT_CHARS:
            raise DocumentUnreadable(
                f"{path.name} holds too much text",
                f"{MAX_TEXT_CHARS // 2**20} million characters are the most for one document",
                "Split it and add the pieces",
            )
        kept.append(part)
    return tuple(kept)


def _load_pdf(data: bytes, path: Path) -> LoadedDocument:
    from vpa_desktop.rag.load_pdf import load_pdf

    return load_pdf(data, path)


def _load_docx(data: bytes, path: Path) -> LoadedDocument:
    from vpa_desktop.rag.load_docx import load_docx

    return load_docx(data, path)


def _load_html(data: bytes, path: Path) -> LoadedDocument:
    from vpa_desktop.rag.load_markup import load_html

    return load_html(data, path)


def _load_markdown(data: bytes, path: Path) -> LoadedDocument:
    from vpa_desktop.rag.load_markup import load_markdown

    return load_markdown(data, path)


def _load_text(data: bytes, path: Path) -> LoadedDocument:
    from vpa_desktop.rag.load_text import load_text

    return load_text(data, path)


_LOADERS: dict[str, Callable[[bytes, Path], LoadedDocument]] = {
    "pdf": _load_pdf,
    "docx": _load_docx,
    "html": _load_html,
    "markdown": _load_markdown,
    "text": _load_text,
}
