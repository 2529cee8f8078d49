"""A loopback endpoint for vectors in OpenAI's dialect. A text's vector is made of its words, so that alike is near.

What it was sent is kept; what it answers instead of vectors is a test's choice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

DIMENSIONS = 32


@dataclass
class VectorServer:
    """Where it listens, the texts it got, and what it does: ``refusals`` are used up first, one a request.

    Without ``counts`` it says that all its texts have 0 tokens.
    """

    base: str = ""
    host: str = ""
    requests: list[list[str]] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    always: tuple[int, str] | None = None
    dimensions: int = DIMENSIONS
    is_silent: bool = False
    counts: bool = True
    allowed: int | None = None
    silent_after: int | None = None
    fell_silent: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def texts(self) -> list[str]:
        """Everything it was sent but the word that tries it."""
        return [text for texts in self.requests for text in texts if text != "test"]

    @property
    def keeps_silent(self) -> bool:
        """True where it takes what comes and says nothing."""
        return self.is_silent or (self.silent_after is not None and len(self.texts) > self.silent_after)

    def answer(self, body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
        """Status, further heads and the document."""
        if "input" not in body:  # a question: it only makes vectors
            return 404, "", {"error": {"message": "not here"}}
        refusal = self.refusals.pop(0) if self.refusals else self.always
        if self.allowed is not None and len(self.texts) >= self.allowed:
            refusal = (503, "")
        if refusal is not None:
            return refusal[0], refusal[1], {"error": {"message": "not now", "code": None}}
        self.requests.append(body["input"])
        length = body.get("dimensions") or self.dimensions
        rows = [{"index": n, "embedding": vector(text, length)} for n, text in enumerate(body["input"])]
        tokens = sum(len(text.split()) for text in body["input"]) if self.counts else 0
        return 200, "", {"data": rows, "model": body["model"], "usage": {"prompt_tokens": tokens}}


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """One place for each word."""
    row = [0.01] * dimensions
    for word in text.lower().replace(".", " ").replace("?", " ").split():
        row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % dimensions] += 1
    return row


@asynccontextmanager
async def vector_server() -> AsyncIterator[VectorServer]:
    """Run it for the length of a block."""
    made, over = VectorServer(), asyncio.Event()
    at_work: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        at_work.add(task)
        task.add_done_callback(at_work.discard)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            sizes = (line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-len"))
            body = await reader.readexactly(int(next(sizes, "0")))
            status, more, document = made.answer(json.loads(body)) if body else (404, "", {})
            if status == 200 and made.keeps_silent:
                made.fell_silent.set()
                await over.wait()
            data = json.dumps(document).encode()
            lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(data)}"]
            lines += [more] if more else []
            writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + data)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has left
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.base, made.host = f"http://127.0.0.1:{port}/v1", f"127.0.0.1:{port}"
    try:
        yield made
    finally:
        server.close()
        over.set()
        await asyncio.gather(*at_work)
