"""A reply as it is read: in pieces, within its time and size limits. Knows no library of HTTP and no vendor."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final

from vpa_desktop.errors import ProviderError
from vpa_desktop.providers._broken import endless, lost, malformed, silent
from vpa_desktop.providers._failures import Peer, Problem, read_problem, request_id
from vpa_desktop.providers._frames import Framing
from vpa_desktop.providers._sse import LineTooLong, SSEDecoder, SSEEvent

ERROR_BODY_S: Final = 10.0
AFTER_END_S: Final = 0.05
LINE_BYTES: Final = 16 << 20
"""The last event of an answer may repeat all of it, with the reasoning in encrypted form."""

ERROR_BYTES: Final = 256 << 10
WHOLE_BYTES: Final = 16 << 20
"""The most an answer in one piece may have: it is kept, while a stream is not."""

STREAM_BYTES: Final = 64 << 20
WANTS_TLS: Final = re.compile(rb"plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled")
"""How nginx and Apache answer http:// where they want https://."""

FIELDS: Final = b"deir:"
"""With one of these a line of an event stream begins (data, event, id, retry, a comment), and no object or array."""

SILENCE_FACTOR: Final = 10
"""Comments alone keep a stream alive for this many timeouts, not for ever."""


class Reply:
    """A response whose status and headers are there; the body is read in one of three ways.

    ``pieces`` raises one of ``broken`` when the connection fails. ``deadline`` is the loop's time by which the whole
    answer must be there.
    """

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        pieces: AsyncIterator[bytes],
        peer: Peer,
        *,
        deadline: float,
        broken: tuple[type[Exception], ...],
    ) -> None:
        self.status = status
        self.headers = headers
        self.request_id = request_id(headers)
        self._peer = peer
        self._pieces = pieces
        self._broken = broken
        self._first: bytes | None = None
        self._size = 0
        self._allowed_s = self._budget_s = peer.timeout_s
        self._thinks_s = 0.0
        self._waited_s = 0.0
        self._left_s = math.inf
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()

    async def shape(self) -> str:
        """Say what the body is: "sse", "json" or "html". Its first byte counts more than a header that is wrong."""
        kind = self.headers.get("content-type", "").lower()
        if "html" in kind:
            return "html"
        if self._first is None:
            self._first = await self._next()
        first = (self._first or b"").lstrip()[:1]
        if first and first in FIELDS:
            return "sse"
        label = "json" if "json" in kind and "event-stream" not in kind else "sse"
        return {b"{": "json", b"[": "json", b"<": "html"}.get(first, label)

    async def events(self, decoder: Framing | None = None) -> AsyncGenerator[SSEEvent, None]:
        """Yield the events of a stream; raises when it is silent too long, breaks off, or is beyond all bounds."""
        decoder = decoder or SSEDecoder(LINE_BYTES)
        quiet_s = 0.0
        while (chunk := await self._next()) is not None:
            lines = decoder.lines
            try:
                events = [event for event in decoder.feed(chunk) if event.data and not event.data.isspace()]
            except LineTooLong as exc:
                raise malformed(self._peer, f"It sent {exc}", status=self.status) from exc
            quiet_s = 0.0 if events else quiet_s + self._waited_s
            if quiet_s > SILENCE_FACTOR * self._allowed_s:
                raise silent(self._peer, quiet_s, midstream=True)
            if events:
                self._allowed_s = max(self._peer.idle_s, self._thinks_s)
            if decoder.lines != lines:  # a comment counts: only whole lines show that somebody is there
                self._budget_s = self._allowed_s
            for event in events:
                yield event
        for event in decoder.finish():
            if event.data.strip():
                yield event

    def let_think(self, seconds: float) -> None:
        """Allow this much silence until the answer's first word; 0 from that word on."""
        self._thinks_s = seconds
        self._allowed_s = max(self._peer.timeout_s if seconds else self._peer.idle_s, seconds)
        self._budget_s = self._allowed_s

    async def json(self, limit: int = WHOLE_BYTES) -> Any:
        """Return the whole body, of at most ``limit`` bytes, as JSON; raises BadReply."""
        body = await self._read(limit)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as exc:
            why = "It is not JSON" if body.strip() else "It is empty"
            raise malformed(self._peer, why, status=self.status) from exc

    async def problem(self) -> Problem:
        """Read the body of a refusal, within narrow limits, and say what it was."""
        try:
            async with asyncio.timeout(ERROR_BODY_S):
                body = await self._read(ERROR_BYTES)
        except (ProviderError, TimeoutError):
            body = b""  # the status alone must do
        try:
            return read_problem(json.loads(body), self.status, self.headers)
        except (ValueError, RecursionError):
            is_html = "html" in self.headers.get("content-type", "") or body.lstrip()[:1] == b"<"
            found = replace(read_problem(None, self.status, self.headers), is_html=is_html)
            if self.status == 400 and WANTS_TLS.search(body):
                return replace(found, code="wants_https", should_retry=False)
            return found

    async def drain(self) -> None:
        """Give the rest of a finished answer a moment, so that the connection can be used again."""
        self.hurry(AFTER_END_S)
        try:
            while await self._next() is not None:
                pass
        except ProviderError:
            return  # leaving the block closes the connection instead

    def hurry(self, seconds: float, *, anew: bool = False) -> None:
        """Wait at most this long for all that follows, comments or not: the answer is complete but for its usage."""
        self._left_s = seconds if anew else min(seconds, self._left_s)

    async def _read(self, limit: int) -> bytes:
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise self._too_long(limit)
        parts: list[bytes] = []
        while (chunk := await self._next()) is not None:
            parts.append(chunk)
            self._budget_s = self._allowed_s
            if self._size > limit:
                raise self._too_long(limit)
        return b"".join(parts)

    async def _next(self) -> bytes | None:
        """The next bytes or None at the end. Only time spent waiting here counts, not what the reader does."""
        if self._first is not None:
            chunk, self._first = self._first, None
            return chunk
        if self._size == 0 and self.headers.get("content-encoding", "identity").lower() != "identity":
            raise malformed(self._peer, "It is compressed, which was not asked for", status=self.status)
        started = self._loop.time()
        until = min(started + min(self._budget_s, self._left_s), self._deadline)
        if until <= started:
            raise self._late(started)
        try:
            async with asyncio.timeout_at(until):
                chunk = await anext(self._pieces)
        except StopAsyncIteration:
            return None
        except TimeoutError as exc:
            raise self._late(self._loop.time()) from exc
        except self._broken as exc:
            raise lost(self._peer, self.status) from exc
        self._waited_s = self._loop.time() - started
        self._budget_s -= self._waited_s
        self._left_s -= self._waited_s
        self._size += len(chunk)
        if self._size > STREAM_BYTES:
            raise self._too_long(STREAM_BYTES)
        return chunk

    def _too_long(self, limit: int) -> ProviderError:
        return malformed(self._peer, f"It sent more than {limit >> 10} KiB", status=self.status)

    def _late(self, now: float) -> ProviderError:
        if now >= self._deadline:
            return endless(self._peer)
        return silent(self._peer, self._allowed_s, midstream=True)
