"""Outlook messages (MSG): the few properties that are text, by their numbers in [MS-OXPROPS], and the attachments."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.compressed_rtf import decompressed
from vpa_desktop.rag.load_mail import message_document
from vpa_desktop.rag.load_markup import html_sections
from vpa_desktop.rag.load_rtf import rtf_text
from vpa_desktop.rag.loaders import LoadedDocument, Part, Reading
from vpa_desktop.rag.olefiles import opened, read_stream
from vpa_desktop.rag.packed import Packed

_SUBJECT, _BODY, _HTML, _RTF = 0x0037, 0x1000, 0x1013, 0x1009
_TO, _CC, _SENDER, _SENDER_ADDRESS, _SENDER_SMTP = 0x0E04, 0x0E03, 0x0C1A, 0x0C1F, 0x5D01
_SENT, _RECEIVED, _CODE_PAGES = 0x0039, 0x0E06, (0x3FDE, 0x3FFD)
_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME, _DATA = 0x3707, 0x3704, 0x3001, 0x3701
_UNICODE, _BYTES_TEXT, _BINARY, _OBJECT = 0x001F, 0x001E, 0x0102, 0x000D
_TOP_HEADER_BYTES, _INNER_HEADER_BYTES = 32, 24
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MAX_NESTED = 3


def load_msg(data: bytes, path: Path, reading: Reading) -> LoadedDocument:
    """Reads a message. Raises DocumentUnreadable when it is damaged."""
    with opened(data, path) as file:
        packed = Packed(reading)
        properties = _Properties(file, ())
        body = list(_body(properties, path))
        _attach(properties, packed, path, 0)
        return message_document(path, properties.head(), body, packed)


class _Properties:
    """One message or attachment in the file, by the storage it lies in."""

    def __init__(self, file: Any, where: tuple[str, ...]) -> None:
        self.file = file
        self.where = where
        header = _INNER_HEADER_BYTES if where else _TOP_HEADER_BYTES
        table = read_stream(file, *where, "__properties_version1.0")[header:]
        self._fixed = {tag >> 16: value for tag, _, value in struct.iter_unpack("<IIQ", table[: len(table) // 16 * 16])}

    def head(self) -> list[tuple[str, str]]:
        """The lines above a message."""
        sender, address = self.text(_SENDER), self.text(_SENDER_SMTP) or self.text(_SENDER_ADDRESS)
        is_address = "@" in address and address != sender
        return [
            ("From", f"{sender} <{address}>" if is_address else sender),
            ("To", self.text(_TO)),
            ("Cc", self.text(_CC)),
            ("Date", self._time(_SENT) or self._time(_RECEIVED)),
            ("Subject", self.text(_SUBJECT)),
        ]

    def text(self, number: int) -> str:
        """A property that is text, in Unicode or in the message's code page."""
        wide = self.binary(number, _UNICODE)
        if wide:
            return wide.decode("utf-16-le", "replace").strip("\x00")
        return _from_code_page(self.binary(number, _BYTES_TEXT), self._code_page()).strip("\x00")

    def binary(self, number: int, kind: int = _BINARY) -> bytes:
        """A property's bytes; empty where it is not there."""
        return read_stream(self.file, *self.where, f"__substg1.0_{number:04X}{kind:04X}")

    def attachments(self) -> Iterator[tuple[str, ...]]:
        """The storages of what is attached."""
        depth = len(self.where)
        for entry in self.file.listdir(streams=False, storages=True):
            if len(entry) == depth + 1 and tuple(entry[:depth]) == self.where and entry[-1].startswith("__attach"):
                yield tuple(entry)

    def _code_page(self) -> str:
        number = next((self._fixed[tag] & 0xFFFF for tag in _CODE_PAGES if tag in self._fixed), 1252)
        return "utf-8" if number == 65001 else f"cp{number}"

    def _time(self, number: int) -> str:
        ticks = self._fixed.get(number, 0)
        try:
            return (_EPOCH + timedelta(microseconds=ticks // 10)).strftime("%Y-%m-%d %H:%M UTC") if ticks else ""
        except OverflowError:
            return ""


def _body(message: _Properties, path: Path) -> Iterator[Part]:
    plain = message.text(_BODY)
    if plain.strip():
        yield Part(plain.replace("\r\n", "\n").replace("\r", "\n"))
        return
    html = message.binary(_HTML) or message.text(_HTML).encode()
    if html.strip():
        yield from html_sections(html, path)[1]
    elif compressed := message.binary(_RTF):
        yield Part(rtf_text(decompressed(compressed), path))


def _attach(message: _Properties, packed: Packed, path: Path, depth: int) -> None:
    for where in message.attachments():
        attached = _Properties(message.file, where)
        name = attached.text(_LONG_NAME) or attached.text(_SHORT_NAME) or attached.text(_DISPLAY_NAME) or "attachment"
        if data := attached.binary(_DATA):
            packed.add(name, data)
        elif depth < _MAX_NESTED and message.file.exists([*where, f"__substg1.0_{_DATA:04X}{_OBJECT:04X}"]):
            inner = _Properties(message.file, (*where, f"__substg1.0_{_DATA:04X}{_OBJECT:04X}"))
            _add_message(inner, name, packed, path)
            _attach(inner, packed, path, depth + 1)


def _add_message(inner: _Properties, name: str, packed: Packed, path: Path) -> None:
    try:
        document = message_document(path, inner.head(), list(_body(inner, path)), Packed(Reading()))
    except DocumentUnreadable as unreadable:
        packed.leave_out(f"{name}: {unreadable.why}")
        return
    packed.parts.extend(
        Part(part.text, section=f"{name} > {part.section}".removesuffix(" > ")) for part in document.parts
    )


def _from_code_page(raw: bytes, code_page: str) -> str:
    try:
        return raw.decode(code_page, "replace")
    except LookupError:
        return raw.decode("cp1252", "replace")
