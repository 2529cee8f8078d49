"""A server on loopback that answers exactly the bytes a test gives it, and tells when the client hangs up."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil

Answer = Callable[["RawServer", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """What was asked of it, and whether the last client is gone."""

    url: str = ""
    requests: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def serving(*answers: bytes | Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Answer the n-th request with the n-th answer; the last one stays."""
    server = RawServer()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
        length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
        body = await reader.readexactly(length)
        answer = answers[min(len(server.requests), len(answers) - 1)]
        server.requests.append(head)
        server.bodies.append(json.loads(body) if body else None)
        server.asked.set()
        watch = asyncio.create_task(_watch(reader, server))
        try:
            if callable(answer):
                await answer(server, writer)
            else:
                writer.write(answer)
                await writer.drain()
        finally:
            watch.cancel()
            writer.close()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handle(reader, writer)
        writer.close()  # also where the client went away before it had asked anything
        tasks.discard(task)

    listening = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(reader: asyncio.StreamReader, server: RawServer) -> None:
    await reader.read()
    server.hung_up.set()


async def sockets_to(url: str) -> int:
    """How many sockets of ours still lead to this server, once those that are being closed had a moment."""
    port = int(url.rpartition(":")[2])
    for _ in range(50):
        ours = [c for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr.port == port]
        if not ours:
            break
        await asyncio.sleep(0.01)
    return len(ours)


def reply(status: str, content_type: str, body: bytes, *headers: str) -> bytes:
    """A whole HTTP answer."""
    extra = "".join(f"{header}\r\n" for header in headers)
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n{extra}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def chunk(text: str, finish: str | None = None) -> bytes:
    """One Chat Completions event."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"model": "m", "choices": [choice]}).encode() + b"\n\n"


GOOD = STREAM_HEAD + chunk("Hello") + chunk("", "stop") + b"data: [DONE]\n\n"
