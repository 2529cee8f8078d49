"""What a file is: by its first bytes, and only then by its name. Whatever cannot be read gets its sentence here."""

from __future__ import annotations

import re
from pathlib import Path

from vpa_desktop.document_kinds import suffixes_of
from vpa_desktop.errors import DocumentUnreadable

_HEAD_BYTES = 64 * 1024
_WIDE_SAMPLE_BYTES = 4096
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PICTURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"BM": "bitmap",
}
_OTHER_BINARY = (b"\x7fELF", b"MZ", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"Rar!", b"SQLite format 3", b"\xfd7zXZ")
_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument."
_FLAT_OPEN_DOCUMENT = b"urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_MAIL_HEADER = re.compile(
    rb"(?:return-path|received|from|to|subject|date|message-id|mime-version|delivered-to|dkim-signature|"
    rb"x-[a-z-]+|reply-to|cc|content-type|content-transfer-encoding|authentication-results):[ \t]?[^\r\n]*"
    rb"(?:\r?\n[ \t]+[^\r\n]*)*\r?\n",
    re.IGNORECASE,
)
_MAIL_SURE = re.compile(rb"^(?:return-path|received|from|message-id|mime-version):", re.IGNORECASE | re.MULTILINE)
# What a file with such a name has to be. Others are often something else: .xls and .doc are written as HTML or text
# by many programs.
_NAMED_KINDS = {
    ".pdf": "a PDF",
    ".docx": "a Word document",
    ".pptx": "a PowerPoint presentation",
    ".xlsx": "an Excel workbook",
    ".odt": "an OpenDocument text",
    ".ods": "an OpenDocument sheet",
    ".odp": "an OpenDocument presentation",
    ".epub": "an e-book",
    ".msg": "an Outlook message",
    ".zip": "a ZIP archive",
} | dict.fromkeys(suffixes_of("Pictures"), "a picture")
_BY_SUFFIX = (
    dict.fromkeys(suffixes_of("Markdown"), "markdown")
    | dict.fromkeys(suffixes_of("Web pages"), "html")
    | dict.fromkeys(suffixes_of("Code"), "lines")
    | dict.fromkeys((".yaml", ".yml", ".toml", ".ini", ".cfg", ".log", ".srt", ".vtt"), "lines")
    | dict.fromkeys((".csv", ".tsv", ".tab"), "csv")
    | dict.fromkeys((".jsonl", ".ndjson"), "jsonl")
    | dict.fromkeys((".xml", ".rss", ".atom"), "xml")
    | {".json": "json", ".ipynb": "notebook", ".eml": "mail"}
)
_CODE_NAMES = frozenset(("makefile", "dockerfile", "rakefile", "gemfile", "jenkinsfile", "cmakelists.txt"))


def kind_of(data: bytes, path: Path) -> str:
    """Says which loader reads this, by a key of ``loaders.LOADERS``.

    Raises DocumentUnreadable for what is empty, not supported, or not what its name says.
    """
    if not data.strip(b"\x00 \t\r\n"):
        raise DocumentUnreadable(f"{path.name} is empty", "There is nothing in it" if not data else "It is all blank")
    head = data[:_HEAD_BYTES]
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(data, path)
    if head.startswith(_OLE):
        return _kind_of_ole(data, path)
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith(tuple(PICTURES)) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return "picture"
    _refuse_other_binary(head, path)
    return _kind_of_text(head, path)


def _kind_of_zip(data: bytes, path: Path) -> str:
    from vpa_desktop.rag.zipguard import Container

    names = Container(data, path)
    if "word/document.xml" in names:
        return "docx"
    if "ppt/presentation.xml" in names:
        return "pptx"
    if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
        return "sheet"
    if "META-INF/container.xml" in names:
        return "epub"
    if "mimetype" in names and (mimetype := names.read("mimetype")).startswith(_OPEN_DOCUMENT):
        return "sheet" if b"spreadsheet" in mimetype else "odf"
    if "content.xml" in names and "META-INF/manifest.xml" in names:
        return "odf"
    return "zip"


def _kind_of_ole(data: bytes, path: Path) -> str:
    from vpa_desktop.rag.olefiles import stream_names

    names = stream_names(data, path)
    if "EncryptedPackage" in names:
        raise password_needed(path)
    for stream, kind in (
        ("__properties_version1.0", "msg"),
        ("WordDocument", "doc"),
        ("Workbook", "sheet"),
        ("Book", "sheet"),
        ("PowerPoint Document", "ppt"),
    ):
        if stream in names:
            return kind
    raise DocumentUnreadable(
        f"{path.name} is a file of a rare Office program",
        "That kind is not read",
        "Save it as PDF or DOCX and add that",
    )


def _refuse_other_binary(head: bytes, path: Path) -> None:
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        raise DocumentUnreadable(f"{path.name} is a HEIC picture", "That kind is not read", "Save it as PNG or JPEG")
    if head.startswith(_OTHER_BINARY):
        raise DocumentUnreadable(f"{path.name} is not a text", "It is a program, an archive or a database")


def _kind_of_text(head: bytes, path: Path) -> str:
    suffix, is_binary = path.suffix.lower(), looks_binary(head)
    if suffix in _NAMED_KINDS:
        raise DocumentUnreadable(
            f"{path.name} is not {_NAMED_KINDS[suffix]}",
            f"Its name says so, but what is in it is {'binary data' if is_binary else 'plain text'}, "
            "or the file is damaged",
            "Open it in the program that made it and save it again, or give it the right ending",
        )
    if is_binary:
        raise DocumentUnreadable(f"{path.name} is not a text", "What is in it is binary data")
    start = head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if is_mail(start) and _BY_SUFFIX.get(suffix, "html") in ("html", "mail"):
        return "mail"  # a saved web page (.mht) is written like a message
    if start.startswith((b"<!doctype html", b"<html")) and suffix != ".xml":
        return "html"
    if start.startswith(b"<?xml"):
        if _FLAT_OPEN_DOCUMENT in head:
            return "odf"
        return "html" if b"<html" in start else "xml"
    known = "lines" if path.name.lower() in _CODE_NAMES or start.startswith(b"#!") else "text"
    kind = _BY_SUFFIX.get(suffix, known)
    return "text" if kind == "mail" else kind


def is_mail(start: bytes) -> bool:
    """True for bytes that begin with the head of a message: two of its lines, a telling one among them."""
    start = start.removeprefix(b"from - ").removeprefix(b">")
    first = _MAIL_HEADER.match(start)
    second = _MAIL_HEADER.match(start, first.end()) if first else None
    return second is not None and _MAIL_SURE.search(start) is not None


def looks_binary(head: bytes) -> bool:
    """True when bytes that no text encoding of the usual ones contains are there."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or wide_encoding(head):
        return False
    if b"\x00" in head:
        return True
    control = sum(head.count(bytes([byte])) for byte in range(32) if byte not in (9, 10, 12, 13, 27))
    return control > len(head) // 50


def wide_encoding(head: bytes) -> str:
    """Returns the UTF-16 that a text without a mark is in: the one in which it is text; nothing where it is none."""
    if b"\x00" not in head:
        return ""
    best, most = "", 0
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = head[:_WIDE_SAMPLE_BYTES].decode(encoding)
        except UnicodeDecodeError:
            continue
        usual = sum(char.isascii() or char in "\u3001\u3002" for char in text)
        if usual > most and all(char.isprintable() or char.isspace() for char in text):
            best, most = encoding, usual
    return best


def password_needed(path: Path) -> DocumentUnreadable:
    """The sentence for what cannot be read without its password."""
    return DocumentUnreadable(
        f"{path.name} is protected with a password", "It cannot be read without it", "Save a copy without one"
    )


def damaged(path: Path, why: str = "The text in it cannot be read") -> DocumentUnreadable:
    """The sentence for what is of a known kind and broken."""
    return DocumentUnreadable(
        f"{path.name} is damaged", why, "Open it in the program that made it and save it again, or get the file anew"
    )
