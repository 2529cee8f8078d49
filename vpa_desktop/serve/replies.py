"""One answer on its way to a client: whole or in chunks, and what happens when either side stops.

A status is only sent with the first piece of the answer: until then every failure is an HTTP error. After it a
failure is an event with an error, no ``[DONE]``, and a connection that breaks: a cut answer never ends like a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from vpa_desktop.errors import BadReply, StreamInterrupted, VPAError
from vpa_desktop.messages import (
    GatewayEvent,
    LLMResponse,
    ReasoningDelta,
    RouteDone,
    RouteStarted,
    Seam,
    TextDelta,
)
from vpa_desktop.serve.call_memory import CallMemory
from vpa_desktop.serve.door import COMMON, JSON, Receive, Send, refuse
from vpa_desktop.serve.reading import Asked
from vpa_desktop.serve.refusals import Header, Refusal, refusal_of
from vpa_desktop.serve.shapes import Chunks, new_id, whole

STUCK_S: Final = 60.0
"""A client that takes nothing for so long is gone."""

ASKED: Final = ("ok", "failed", "interrupted", "cancelled")
"""Outcomes of attempts at which a provider was asked."""

EVENTS: Final[Header] = (b"content-type", b"text/event-stream; charset=utf-8")
CANNOT_TAKE_BACK: Final = StreamInterrupted(
    "The answer broke off and could not be continued",
    "Another provider would begin anew, and what was streamed cannot be taken back",
    "Ask again, or ask without streaming",
)


@dataclass(slots=True)
class Outcome:
    """How a request ended, for the audit: no word of it."""

    provider: str = ""
    model: str = ""
    attempts: int = 0
    cached: bool = False
    result: str = "cancelled"
    response: LLMResponse | None = None


class NobodyReads(Exception):
    """The client is there but takes nothing any more. Stays in this file."""


class Reply:
    """One answer. ``run`` once; ``outcome`` is what became of it."""

    def __init__(
        self, events: AsyncGenerator[GatewayEvent, None], asked: Asked, memory: CallMemory, send: Send
    ) -> None:
        self._events = events
        self._asked = asked
        self._memory = memory
        self._send = send
        self._id = new_id("chatcmpl-")
        self.request_id = new_id("req_")
        self.has_begun = False
        self.is_over = False
        self.outcome = Outcome()

    async def run(self) -> None:
        """Answer; what goes wrong is told to the client."""
        try:
            async with aclosing(self._events) as events:
                await self._answer(events)
        except VPAError as exc:
            with suppress(NobodyReads):
                await self.fail(refusal_of(exc))
        except NobodyReads:
            self.outcome.result = "cancelled"

    async def _answer(self, events: AsyncGenerator[GatewayEvent, None]) -> None:
        """Send the answer as one document."""
        async for event in events:
            self._note(event)
            if isinstance(event, RouteDone):
                response = self._kept(event.response)
                body = whole(self._id, response, self._asked.ignored)
                await self._start([JSON, (b"content-length", str(len(body)).encode())], response)
                await self._put(body, more=False)
                self.outcome.result = "ok"  # read on to the end: what is kept of the answer is kept after it
        if not self.is_over:
            raise BadReply("The route ended without an answer")

    async def fail(self, refusal: Refusal) -> None:
        """Tell the client that there is no answer, or no end of it."""
        self.outcome.result = f"failed: {refusal.code}"
        if not self.has_begun:
            self.has_begun = self.is_over = True
            extra = (*refusal.headers, *self._headers(None))
            await refuse(self._send, replace(refusal, headers=extra))

    def _note(self, event: GatewayEvent) -> None:
        if isinstance(event, RouteStarted):
            self.outcome.provider, self.outcome.model = event.provider, event.model
            self.outcome.attempts += not event.cached
            self.outcome.cached = event.cached

    def _kept(self, response: LLMResponse) -> LLMResponse:
        self.outcome.response = response
        self.outcome.provider, self.outcome.model = response.provider, response.model
        return self._memory.keep(self._asked.request.user_id, response)

    async def _start(self, headers: Sequence[Header], response: LLMResponse | None) -> None:
        self.has_begun = True
        every = [*headers, *COMMON, *self._headers(response)]
        await self._send({"type": "http.response.start", "status": 200, "headers": every})

    def _headers(self, response: LLMResponse | None) -> list[Header]:
        attempts = self.outcome.attempts
        if response is not None:
            attempts = sum(1 for a in response.attempts if a.outcome in ASKED)
        cached = self.outcome.cached if response is None else response.cached
        return [
            (b"x-request-id", self.request_id.encode()),
            (b"x-vpa-provider", self.outcome.provider.encode("ascii", "replace")),
            (b"x-vpa-attempts", str(attempts).encode()),
            (b"x-vpa-cached", b"true" if cached else b"false"),
        ]

    async def _put(self, body: bytes, *, more: bool) -> None:
        try:
            async with asyncio.timeout(STUCK_S):
                await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError as exc:
            raise NobodyReads from exc
        self.is_over = not more


class StreamReply(Reply):
    """The same as server-sent events."""

    async def _answer(self, events: AsyncGenerator[GatewayEvent, None]) -> None:
        """Send the answer piece by piece."""
        chunks = Chunks(self._id, include_usage=self._asked.include_usage, ignored=self._asked.ignored)
        async for event in events:
            if type(event) is TextDelta:
                if not self.has_begun:
                    await self._open(chunks, None)
                await self._put(chunks.text(event.text), more=True)
            elif type(event) is ReasoningDelta:
                if not self.has_begun:
                    await self._open(chunks, None)
                await self._put(chunks.reasoning(event.text), more=True)
            elif isinstance(event, RouteStarted):
                self._note(event)
                chunks.answered_by(event.provider, event.model)  # its reasoning may be all that came of the one before
            elif isinstance(event, Seam):
                if event.restarts:
                    raise CANNOT_TAKE_BACK
                chunks.answered_by(self.outcome.provider, self.outcome.model)
                await self._put(chunks.seam(event), more=True)
            elif isinstance(event, RouteDone):
                response = self._kept(event.response)
                chunks.answered_by(response.provider, response.model)
                if not self.has_begun:
                    await self._open(chunks, response)
                await self._put(chunks.last(response), more=False)
                self.outcome.result = "ok"  # read on to the end: what is kept of the answer is kept after it
        if not self.is_over:
            raise BadReply("The route ended without an answer")

    async def _open(self, chunks: Chunks, response: LLMResponse | None) -> None:
        await self._start([EVENTS], response)
        await self._put(chunks.first(), more=True)

    async def fail(self, refusal: Refusal) -> None:
        """Before the first piece an HTTP error; after it an event, and no end."""
        begun = self.has_begun
        await super().fail(refusal)
        if begun and not self.is_over:
            await self._put(b"data: " + refusal.body + b"\n\n", more=True)


@dataclass(slots=True)
class UnderWay:
    """The answers on their way, so that they can be ended when the program is."""

    running: dict[asyncio.Task[None], Reply] = field(default_factory=dict)

    def end_all(self) -> None:
        """Stop every answer; each client is told."""
        for task in self.running:
            task.cancel()


async def deliver(reply: Reply, receive: Receive, under_way: UnderWay, closing: Refusal) -> None:
    """Run an answer until its end, until the client hangs up, or until the program ends."""
    work = asyncio.create_task(reply.run(), name="serve answer")
    gone = asyncio.create_task(_hung_up(receive), name="serve client")
    under_way.running[work] = reply
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            if not reply.is_over:  # with a whole answer sent, the rest is to keep it
                work.cancel()
            await asyncio.wait({work})
        elif work.cancelled() and not gone.done():
            with suppress(NobodyReads):
                await reply.fail(closing)
        if not work.cancelled():
            work.result()
    finally:
        under_way.running.pop(work, None)
        gone.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
