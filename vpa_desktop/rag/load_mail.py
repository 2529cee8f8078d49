"""E-mail messages (EML) and saved web pages (MHT): the head, the body, then what is attached, by its own kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email import policy
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.parser import BytesParser
from pathlib import Path

from vpa_desktop.rag.kinds import damaged
from vpa_desktop.rag.load_markup import html_sections
from vpa_desktop.rag.load_text import decode
from vpa_desktop.rag.loaders import LoadedDocument, Part, Reading, titled, within_limit
from vpa_desktop.rag.packed import Packed

_SHOWN_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_MAX_HEADER_CHARS = 2_000
_MAX_PARTS = 2_000


def load_mail(data: bytes, path: Path, reading: Reading) -> LoadedDocument:
    """Reads a message. Raises DocumentUnreadable when its head or its parts are broken beyond reading."""
    try:
        message = BytesParser(policy=policy.default).parsebytes(data.lstrip())
        packed = Packed(reading)
        body = list(_body(message, path))
        _attach(message, packed)
        head = [(name, str(message.get(name, ""))) for name in _SHOWN_HEADERS]
    # The parser of the standard library meets hostile heads with these.
    except (MessageError, LookupError, ValueError, AttributeError, TypeError, RecursionError) as exc:
        raise damaged(path, "It is not a message that can be read") from exc
    return message_document(path, head, body, packed)


def message_document(path: Path, head: Iterable[tuple[str, str]], body: list[Part], packed: Packed) -> LoadedDocument:
    """Puts a message together: its head before the first part of the body, then the attachments."""
    shown = {name: " ".join(value.split())[:_MAX_HEADER_CHARS] for name, value in head if value.strip()}
    lines = "\n".join(f"{name}: {value}" for name, value in shown.items())
    if body and not body[0].section:
        first = Part(f"{lines}\n\n{body[0].text.strip()}")
        body = [first, *body[1:]]
    else:
        body = [Part(lines), *body]
    parts = within_limit([*body, *packed.parts], path)
    title = titled(path, shown.get("Subject", ""))
    return LoadedDocument(title, parts, pictures=packed.pictures, remarks=packed.remarks)


def _body(message: EmailMessage, path: Path) -> Iterable[Part]:
    part = message.get_body(("plain", "html"))
    if part is None:
        return
    raw = _payload(part)
    charset = part.get_content_charset("") or ""
    if part.get_content_type() == "text/html":
        yield from html_sections(raw, path, charset)[1]
    else:
        yield Part(decode(raw, path, charset))


def _attach(message: EmailMessage, packed: Packed) -> None:
    body = message.get_body(("plain", "html"))
    for number, part in enumerate(_leaves(message)):
        if number > _MAX_PARTS:
            packed.leave_out(f"It has more than {_MAX_PARTS} parts")
            return
        name = part.get_filename() or ""
        if part.get_content_type() == "message/rfc822":
            for inner in _inside(part):
                packed.add(name or f"{inner.get('Subject', 'message')}.eml", inner.as_bytes())
        elif part is not body and (name or part.get_content_disposition() == "attachment"):
            packed.add(name or f"attachment{_suffix(part)}", _payload(part))


def _leaves(message: Message) -> Iterator[Message]:
    """The parts in their order; a message inside is one part."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if part.is_multipart() and part.get_content_type() != "message/rfc822":
            waiting.extend(reversed(_inside(part)))
        else:
            yield part


def _inside(part: Message) -> list[Message]:
    inner = part.get_payload()
    return [each for each in inner if isinstance(each, Message)] if isinstance(inner, list) else []


def _payload(part: Message) -> bytes:
    raw = part.get_payload(decode=True)
    return raw if isinstance(raw, bytes) else b""


def _suffix(part: Message) -> str:
    return {"text/html": ".html", "text/csv": ".csv", "application/pdf": ".pdf"}.get(part.get_content_type(), "")
