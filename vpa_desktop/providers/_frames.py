"""JSON objects from bytes that are not server-sent events: lines, an array in pieces, or one document. No network.

Objects are found by their braces and not by line ends, so that it does not matter which of the three a server (or
something between it and us) chose, nor where the bytes are cut: U+0085 inside a string is an ordinary character, and
blank lines, commas and the array's own brackets are nothing.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from vpa_desktop.providers._sse import BOM, LineTooLong, SSEDecoder, SSEEvent

OUTSIDE: Final = re.compile(rb"[^\s,\[\]]")
MARKS: Final = re.compile(rb'["{}\[\]]')
IN_STRING: Final = re.compile(rb'["\\]')


class Framing(Protocol):
    """What turns pieces of bytes into events; ``lines`` grows whenever something whole came."""

    lines: int

    def feed(self, chunk: bytes) -> list[SSEEvent]:
        """Return the events that ``chunk`` completes; raises LineTooLong."""

    def finish(self) -> list[SSEEvent]:
        """Return what the end of the stream left incomplete."""


class JSONFrames:
    """Turns pieces of bytes, cut anywhere, into one event for each object at the top level or in a top-level array."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.lines = 0
        self._limit = limit
        self._pending = bytearray()
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._started = False

    def feed(self, chunk: bytes) -> list[SSEEvent]:
        """Return the objects that ``chunk`` completes; raises LineTooLong."""
        self.lines += chunk.count(b"\n")
        events: list[SSEEvent] = []
        at = 0
        while at < len(chunk):
            at = self._inside(chunk, at, events) if self._depth else self._outside(chunk, at, events)
            if len(self._pending) > self._limit:
                raise LineTooLong(f"an object of more than {self._limit} bytes")
        self.lines += len(events)
        return events

    def finish(self) -> list[SSEEvent]:
        """Return what is left: half an object marked ``whole=False``, or text that is no JSON."""
        cut = self._depth > 0
        event = self._take(whole=not cut)
        self._depth = 0
        return [event] if event is not None else []

    def _outside(self, chunk: bytes, at: int, events: list[SSEEvent]) -> int:
        """Skip what stands between objects; anything else is an event of its own, for the reader to refuse."""
        if not self._started and BOM.startswith(bytes(self._pending + chunk[at : at + 1])):
            self._pending += chunk[at : at + 1]
            if bytes(self._pending) == BOM:
                self._pending.clear()
                self._started = True
            return at + 1
        self._started = True
        if self._pending:
            end = next((i for i in range(at, len(chunk)) if chunk[i] in b"\n{,]"), len(chunk))
            self._pending += chunk[at:end]
            if end < len(chunk):
                events += [event for event in (self._take(whole=True),) if event is not None]
            return end
        found = OUTSIDE.search(chunk, at)
        if found is None:
            return len(chunk)
        self._pending += found[0]
        self._depth = 1 if found[0] == b"{" else 0
        return found.end()

    def _inside(self, chunk: bytes, at: int, events: list[SSEEvent]) -> int:
        """Go on to the next byte that matters and take everything up to it."""
        if self._escaped:
            self._escaped = False
            self._pending += chunk[at : at + 1]
            return at + 1
        found = (IN_STRING if self._in_string else MARKS).search(chunk, at)
        end = len(chunk) if found is None else found.end()
        self._pending += chunk[at:end]
        mark = b"" if found is None else found[0]
        if mark == b"\\":
            self._escaped = True
        elif mark == b'"':
            self._in_string = not self._in_string
        elif mark:
            self._depth += 1 if mark in b"{[" else -1
            if not self._depth:
                events += [event for event in (self._take(whole=True),) if event is not None]
        return end

    def _take(self, *, whole: bool) -> SSEEvent | None:
        data = bytes(self._pending).decode("utf-8", errors="replace").strip()
        self._pending.clear()
        self._in_string = self._escaped = False
        return SSEEvent(data, whole=whole) if data else None


class SSEOrJSON(SSEDecoder):
    """Server-sent events among which a bare JSON object may stand, as Google writes an error into a running stream."""

    def __init__(self, limit: int = 1 << 20) -> None:
        super().__init__(limit)
        self._bare_limit = limit
        self._bare: JSONFrames | None = None

    def finish(self) -> list[SSEEvent]:
        """Return what the end of the stream left, bare JSON included."""
        events = super().finish()
        bare, self._bare = self._bare, None
        return events + (bare.finish() if bare is not None else [])

    def _line(self, line: bytes) -> SSEEvent | None:
        if self._bare is None and line.lstrip()[:1] in (b"{", b"[") and not self._data:
            self._bare = JSONFrames(self._bare_limit)
        elif line.startswith(b"data:"):
            self._bare = None
        if self._bare is None:
            return super()._line(line)
        self.lines += 1
        events = self._bare.feed(line + b"\n")
        if not events:
            return None
        self._bare = None
        return events[0]
