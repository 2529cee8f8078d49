"""What a provider on loopback may do wrong, as answers for ``tests.providers.rawserver``, and routers to meet it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from tests.providers.rawserver import STREAM_HEAD, Answer, RawServer, chunk, reply, serving
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import BreakerSettings, RoutingSettings
from vpa_desktop.errors import VPAError
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import GatewayEvent, LLMRequest, LLMResponse, Message, RouteDone, Seam, TextDelta
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession

QUESTION = LLMRequest((Message("user", "Count to sixty"),))
WORDS = [f"w{n} " for n in range(60)]
WHOLE = "".join(WORDS)
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":60}}\n\n'
END = chunk("", "stop") + USAGE + b"data: [DONE]\n\n"
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}\n\n'


def stream(words: list[str] = WORDS, end: bytes = END) -> bytes:
    """A stream of these words and this end, as one piece of bytes."""
    return STREAM_HEAD + ROLE + b"".join(chunk(word) for word in words) + end


GOOD = stream()


def refusal(status: str, code: str | None = None, *headers: str, message: str = "no") -> bytes:
    """A refusal in OpenAI's shape."""
    error = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return reply(status, "application/json", json.dumps(error).encode(), *headers)


def then_silence(first: bytes = b"") -> Answer:
    """Send this, then nothing, until the client hangs up."""

    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await asyncio.wait_for(server.hung_up.wait(), 20)

    return answer


def then_reset(first: bytes = b"") -> Answer:
    """Send this, then tear the connection down without an end."""

    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    return answer


def drip(character_every_s: float) -> Answer:
    """One character at a time, for ever."""

    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        while not server.hung_up.is_set():
            writer.write(chunk("x"))
            await writer.drain()
            await asyncio.sleep(character_every_s)

    return answer


def late(answer_bytes: bytes, after_s: float, head: bytes = STREAM_HEAD) -> Answer:
    """The head at once, the rest after a while."""

    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()
        await asyncio.sleep(after_s)
        writer.write(answer_bytes.removeprefix(STREAM_HEAD))
        await writer.drain()

    return answer


@dataclass
class Dying:
    """A server that keeps connections; once it ``dies``, each hangs up on its next request, and new ones are fine."""

    url: str = ""
    opened: int = 0
    dies: bool = False


@asynccontextmanager
async def dying_connections() -> AsyncIterator[Dying]:
    """Answer as GOOD does, and keep the connection."""
    server = Dying()
    head, body = GOOD.split(b"\r\n\r\n", 1)
    head = head.replace(b"\r\nconnection: close", b"")
    kept = head + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.opened += 1
        was_dead = server.dies
        try:
            while True:
                asked = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
                await reader.readexactly(int(asked.split("content-length:")[1].split("\r\n")[0]))
                if server.dies and not was_dead:
                    return
                writer.write(kept)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client went away
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server


@dataclass
class Outcome:
    """What a person saw of one request."""

    text: str = ""
    response: LLMResponse | None = None
    error: VPAError | None = None
    seams: list[Seam] = field(default_factory=list)


@dataclass
class Rig:
    """A manager over servers on loopback: ``a`` is asked first, then ``b``."""

    manager: LLMProviderManager
    a: RawServer
    b: RawServer

    async def ask(self, request: LLMRequest = QUESTION) -> Outcome:
        """One request, as the window reads it."""
        seen = Outcome()
        try:
            async with aclosing(self.manager.stream(request)) as events:
                async for event in events:
                    note(seen, event)
        except VPAError as exc:
            seen.error = exc
        return seen


def note(seen: Outcome, event: GatewayEvent) -> None:
    """Keep one event."""
    if isinstance(event, TextDelta):
        seen.text += event.text
    elif isinstance(event, Seam):
        seen.seams.append(event)
    elif isinstance(event, RouteDone):
        seen.response = event.response


@asynccontextmanager
async def rig(
    a: list[bytes | Answer],
    b: list[bytes | Answer] | None = None,
    *,
    timeout: float = 5.0,
    retries: int = 2,
    breaker: BreakerSettings | None = None,
    clock: Callable[[], float] = time.monotonic,
    **facts: object,
) -> AsyncIterator[Rig]:
    """A router with provider ``a`` before provider ``b``, each with its own scripted server."""
    routing = RoutingSettings(failover_chain=("a", "b"), circuit_breaker=breaker or BreakerSettings())
    made = LLMProviderManager(routing, clock=clock)
    http = HttpSession()
    async with serving(*a) as first, serving(*(b or [GOOD])) as second:
        for name, server in (("a", first), ("b", second)):
            config = LLMProviderConfig(
                "openai_compatible",
                f"model-{name}",
                provider_id=name,
                api_endpoint=server.url + "/v1",
                timeout=timeout,
                max_retries=retries,
                **facts,  # type: ignore[arg-type]
            )
            made.register_provider(name, build_provider(config, http))
        try:
            yield Rig(made, first, second)
        finally:
            await made.aclose()
            await http.aclose()
