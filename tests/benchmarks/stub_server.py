"""A Chat Completions server in its own process that costs next to nothing, so that only the client is measured.

What it does stands in the path: /DELAY_MS/TOKENS/PAUSE_MS/v1/chat/completions waits, then answers with so many tokens
(in one write, or one by one with a pause between). A body that asks for a stream gets one. Not a test double.
What goes wrong, under a name that is counted (GET /hits/NAME): /down/NAME/SECONDS answers 500 for so long from its
first request on; /late/NAME/SECONDS/SHARE waits so long in this share of answers; /cut/NAME ends in good order, but
too soon.
Run: python -m tests.benchmarks.stub_server PORTS [CERTIFICATE]; prints its ports and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import sys
from collections import Counter
from typing import Final

WORD: Final = "token "
OTHER: Final = "words "
"""Of the same length: litellm gives up on a model that repeats itself."""

END: Final = b"0\r\n\r\n"
HEAD: Final = b"HTTP/1.1 200 OK\r\nserver: stub\r\nx-request-id: req-1\r\n"
STREAM_HEAD: Final = HEAD + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def piece(data: bytes) -> bytes:
    """One piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(**fields: object) -> bytes:
    """One event as OpenAI sends it, with all the fields that a client has to get past."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "stub"}
    return piece(b"data: " + json.dumps({**base, "system_fingerprint": "fp_1", **fields}).encode() + b"\n\n")


def delta(content: dict[str, str], finish: str | None = None) -> bytes:
    """One event with a piece of the answer."""
    return event(choices=[{"index": 0, "delta": content, "logprobs": None, "finish_reason": finish}])


USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
FIRST: Final = delta({"role": "assistant", "content": ""})
TOKENS: Final = (delta({"content": OTHER}), delta({"content": WORD}))
LAST: Final = delta({}, "stop") + event(choices=[], usage=USAGE) + piece(b"data: [DONE]\n\n") + END


def whole(tokens: int) -> bytes:
    """An answer in one piece."""
    message = {"role": "assistant", "content": WORD * tokens}
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": "stub",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": USAGE,
        }
    ).encode()
    return HEAD + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def in_json(status: bytes, value: object) -> bytes:
    """A short answer."""
    body = json.dumps(value).encode()
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
    return head + body


ERROR: Final = {"message": "The server had an error", "type": "server_error", "param": None, "code": None}
FAILED: Final = in_json(b"500 Internal Server Error", {"error": ERROR})
CUT: Final = STREAM_HEAD + FIRST + TOKENS[1] + END


class Stub(asyncio.Protocol):
    """One connection, kept open; answers requests one after another."""

    hits: Final[Counter[str]] = Counter()
    begun: Final[dict[str, float]] = {}
    chance: Final = random.Random(7)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.pending = b""

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head = self.pending[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.pending) < end + 4 + size:
                return
            body, self.pending = self.pending[end + 4 : end + 4 + size], self.pending[end + 4 + size :]
            parts = head.split(b" ", 2)[1].split(b"/")
            streams = b'"stream":true' in body.replace(b" ", b"")
            if parts[1].isalpha():
                self.fail([part.decode() for part in parts[1:]], streams)
                continue
            delay_ms, tokens, pause_ms = (float(part) for part in parts[1:4])
            loop = asyncio.get_running_loop()
            if delay_ms:
                loop.call_later(delay_ms / 1000, self.answer, streams, int(tokens), pause_ms / 1000)
            else:
                self.answer(streams, int(tokens), pause_ms / 1000)

    def fail(self, parts: list[str], streams: bool) -> None:
        what, name, *more = parts
        if what == "hits":
            self.transport.write(in_json(b"200 OK", self.hits[name]))
            return
        self.hits[name] += 1
        loop = asyncio.get_running_loop()
        if what == "late":
            is_late = self.chance.random() < float(more[1])
            loop.call_later(float(more[0]) if is_late else 0, self.answer, streams, 1, 0.0)
        elif what == "cut":
            self.transport.write(CUT)
        elif loop.time() < self.begun.setdefault(name, loop.time()) + float(more[0]):
            self.transport.write(FAILED)
        else:
            self.answer(streams, 1, 0.0)

    def answer(self, streams: bool, tokens: int, pause_s: float) -> None:
        if self.transport.is_closing():
            return
        if not streams:
            self.transport.write(whole(tokens))
        elif not pause_s:
            self.transport.write(STREAM_HEAD + FIRST + b"".join(TOKENS[n % 2] for n in range(tokens, 0, -1)) + LAST)
        else:
            self.transport.write(STREAM_HEAD + FIRST)
            self.drip(tokens, pause_s, asyncio.get_running_loop().time())

    def drip(self, left: int, pause_s: float, due: float) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(TOKENS[left % 2] if left else LAST)
        if left:
            due += pause_s
            asyncio.get_running_loop().call_at(due, self.drip, left - 1, pause_s, due)


async def main(count: int, certificate: str) -> None:
    """Serve on ``count`` free ports of this machine."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Stub, "127.0.0.1", 0, ssl=context, backlog=512) for _ in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
