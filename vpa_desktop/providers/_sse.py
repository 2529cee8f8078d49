"""Server-sent events from bytes, as the WHATWG standard says and as real servers need. Pure: no network, no JSON.

Lines end at CR, LF or CRLF and nowhere else (U+2028, U+0085 and form feed are ordinary characters), a line is
decoded as UTF-8 only once it is whole, and an event is dispatched at the blank line. Beyond the standard, an event
that the end of the stream left without its blank line is handed out marked ``whole=False``: the caller decides
whether its data makes sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BOM: Final = b"\xef\xbb\xbf"
DATA: Final = b"data: "


class LineTooLong(ValueError):
    """A line or the data of one event passed the limit."""


@dataclass(frozen=True, slots=True)
class SSEEvent:
    """One event; ``whole`` is False where the stream ended before the event's blank line."""

    data: str
    event: str = ""
    whole: bool = True


class SSEDecoder:
    """Turns pieces of bytes, cut anywhere, into events. ``lines`` counts the complete lines seen, comments included."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.lines = 0
        self._limit = limit
        self._pieces: list[bytes] = []
        self._pending = 0
        self._skip_lf = False
        self._data: list[str] = []
        self._data_size = 0
        self._event = ""

    def feed(self, chunk: bytes) -> list[SSEEvent]:
        """Return the events that ``chunk`` completes; raises LineTooLong."""
        if chunk[:6] == DATA and chunk[-2:] == b"\n\n" and self._is_between_events() and b"\r" not in chunk:
            blocks = chunk[6:-2].split(b"\n\ndata: ")
            if max(map(len, blocks)) <= self._limit - len(DATA) and not any(b"\n" in block for block in blocks):
                self.lines += 2 * len(blocks)
                return [SSEEvent(block.decode("utf-8", errors="replace")) for block in blocks]
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        events: list[SSEEvent] = []
        for part in chunk.splitlines(keepends=True):  # bytes split at CR, LF and CRLF only
            line = part.rstrip(b"\r\n")
            self._pending += len(line)
            if self._pending > self._limit:
                raise LineTooLong(f"a line of more than {self._limit} bytes")
            if len(line) == len(part):
                self._pieces.append(part)
                continue
            if self._pieces:
                self._pieces.append(line)
                line = b"".join(self._pieces)
                self._pieces.clear()
            self._pending = 0
            event = self._line(line)
            if event is not None:
                events.append(event)
        self._skip_lf = chunk.endswith(b"\r") or (self._skip_lf and not chunk)
        return events

    def finish(self) -> list[SSEEvent]:
        """Return what the end of the stream left undispatched, if there is data in it."""
        if self._pieces:
            line = b"".join(self._pieces)
            self._pieces.clear()
            self._line(line)
        event = self._dispatch(whole=False)
        return [event] if event is not None else []

    def _is_between_events(self) -> bool:
        """True where nothing of an event is pending: what servers send most, whole events, then needs no lines."""
        return not (self._pieces or self._data or self._event or self._skip_lf)

    def _line(self, line: bytes) -> SSEEvent | None:
        if self.lines == 0 and line.startswith(BOM):
            line = line[len(BOM) :]
        self.lines += 1
        if not line:
            return self._dispatch(whole=True)
        name, _, raw = line.partition(b":")
        if name not in (b"data", b"event"):  # a comment has an empty name; id and retry are not needed
            return None
        value = raw.removeprefix(b" ").decode("utf-8", errors="replace")
        if name == b"event":
            self._event = value
            return None
        self._data_size += len(raw)
        if self._data_size > self._limit:
            raise LineTooLong(f"an event of more than {self._limit} bytes")
        self._data.append(value)
        return None

    def _dispatch(self, *, whole: bool) -> SSEEvent | None:
        data, event = self._data, self._event
        self._data, self._data_size, self._event = [], 0, ""
        if not data:
            return None
        return SSEEvent("\n".join(data), event, whole)
