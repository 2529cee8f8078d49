"""A loopback endpoint in Chat Completions: what it says to the list of models and to a question is a test's choice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Endpoint:
    """Where it listens, what it answers (status, type, body), and what it was asked."""

    base: str = ""
    models: tuple[int, str, str] = (200, "application/json", '{"data": [{"id": "good-model", "context_length": 8192}]}')
    chat: tuple[int, str, str] = (200, "text/event-stream", "")
    asked: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    def refuse(self, status: int, code: str | None = None, message: str = "no") -> None:
        """Refuse every question with an error in OpenAI's form."""
        error = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
        self.chat = (status, "application/json", json.dumps(error))


def answer(model: str = "good-model") -> str:
    """A short answer as a stream."""
    delta = {"id": "1", "model": model, "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}
    end = {"id": "1", "model": model, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return f"data: {json.dumps(delta)}\n\ndata: {json.dumps(end)}\n\ndata: [DONE]\n\n"


@asynccontextmanager
async def endpoint() -> AsyncIterator[Endpoint]:
    """Run it for the length of a block."""
    made = Endpoint()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = next(
            (int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-len")), 0
        )
        method, path, _ = head.split(" ", 2)
        made.asked.append(f"{method} {path}")
        made.heads.append(head)
        made.bodies.append((await reader.readexactly(size)).decode())
        status, kind, body = made.models if method == "GET" else made.chat
        data = (body or answer()).encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(data)}", "Connection: close"]
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    made.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
