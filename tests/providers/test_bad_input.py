"""Every way a server can be wrong, for every dialect: the right error, in words, in time, and the connection closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.providers.rawserver import STREAM_HEAD, Answer, RawServer, reply, serving, sockets_to
from tests.wire import outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ErrorClass, ProviderError
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession

pytestmark = pytest.mark.alone  # what is wrong must be found before a short limit ends it

TIMEOUT_S = 0.5
TOTAL_S = 1.5
MARGIN_S = 2.0
OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"content-type: application/json\r\n"
CHUNKED = OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
OPEN = STREAM_HEAD.replace(b"connection: close\r\n", b"")


@dataclass(frozen=True)
class Wire:
    """One protocol, as far as these tests need to speak it: a first piece "Hi", a piece more, no end."""

    kind: str
    piece: bytes
    no_answer: bytes
    no_model: bytes


WIRES = (
    Wire(
        "openai_compatible",
        b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n',
        b'{"model":"m","choices":[]}',
        b'{"error":{"message":"The model m does not exist","type":"invalid_request_error","code":"model_not_found"}}',
    ),
    Wire(
        "anthropic",
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"Hi"}}\n\n',
        b'{"type":"message","model":"m","content":[]}',
        b'{"type":"error","error":{"type":"not_found_error","message":"model: m"}}',
    ),
)
"""Add a protocol here and every case below runs for it."""


async def _endlessly(server: RawServer, writer: asyncio.StreamWriter, data: bytes, pause_s: float = 0.0) -> None:
    while not server.hung_up.is_set():
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(pause_s)


def sends(data: bytes) -> Callable[[Wire], Answer]:
    """Send this and keep the connection open until the client closes it."""

    def make(wire: Wire) -> Answer:
        async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
            writer.write(data.replace(b"PIECE", wire.piece))
            await server.hung_up.wait()

        return answer

    return make


def repeats(head: bytes, data: bytes, pause_s: float = 0.0) -> Callable[[Wire], Answer]:
    """Send this, and then that for ever."""

    def make(wire: Wire) -> Answer:
        async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
            writer.write(head)
            await _endlessly(server, writer, data.replace(b"PIECE", wire.piece), pause_s)

        return answer

    return make


def closes(data: bytes) -> Callable[[Wire], bytes]:
    """Send this and close."""
    return lambda wire: data.replace(b"PIECE", wire.piece)


@dataclass(frozen=True)
class Bad:
    """What a server does, and what must come of it. ``within_s`` is the limit that ends it, 0 for at once."""

    name: str
    make: Callable[[Wire], Answer | bytes]
    error_class: ErrorClass
    words: str
    within_s: float = 0.0
    text: str = ""
    stays_open: bool = False
    """The answer was whole as HTTP, so its connection may serve again."""


HTML = b"<html><body>Welcome</body></html>"
CASES = (
    Bad("html", lambda _: reply("200 OK", "text/html", HTML), "malformed", "sign-in page", stays_open=True),
    Bad("html endless", repeats(OK + b"content-type: text/html\r\n\r\n", b"<p>" * 9000), "malformed", "sign-in page"),
    Bad(
        "no choices", lambda w: reply("200 OK", "application/json", w.no_answer), "truncated", "empty", stays_open=True
    ),
    Bad("2 GB announced", sends(JSON + b"content-length: 2147483648\r\n\r\n{"), "malformed", "16384 KiB"),
    Bad("2 GB of one line", repeats(OPEN, b"x" * 65536), "malformed", "a line of more than"),
    Bad("2 GB of JSON", repeats(JSON + b"\r\n", b"x" * 65536), "malformed", "16384 KiB"),
    Bad("2 GB of refusal", repeats(b"HTTP/1.1 500 No\r\n\r\n", b"x" * 65536), "server", "answered 500"),
    Bad("drip of bytes", repeats(OPEN, b"d", 0.05), "timeout", "0.5 s", TIMEOUT_S),
    Bad("drip of pieces", repeats(OPEN, b"PIECE", 0.05), "timeout", "all of it", TOTAL_S, "Hi"),
    Bad("flood of pieces", repeats(OPEN, b"PIECE", 0.001), "timeout", "all of it", TOTAL_S, "Hi"),
    Bad("drip of JSON", repeats(JSON + b"\r\n", b" ", 0.05), "timeout", "all of it", TOTAL_S),
    Bad("drip of a head", repeats(OK, b"x: y\r\n", 0.05), "timeout", "0.5 s", TIMEOUT_S),
    Bad("mute", sends(b""), "timeout", "0.5 s", TIMEOUT_S),
    Bad("stalls after the head", sends(OPEN), "timeout", "0.5 s", TIMEOUT_S),
    Bad("stalls after a piece", sends(OPEN + b"PIECE"), "timeout", "0.2 s", 0.2, "Hi"),
    Bad("half a head, stalls", sends(b"HTTP/1.1 200 O"), "timeout", "0.5 s", TIMEOUT_S),
    Bad("half a head, closes", closes(b"HTTP/1.1 200 OK\r\ncontent-ty"), "network", "before it answered"),
    Bad("closes at once", closes(b""), "network", "before it answered"),
    Bad("one line of 1 MB", sends(OK + b"x-a: " + b"a" * (1 << 20)), "malformed", "does not speak HTTP"),
    Bad("endless headers", repeats(OK, b"x-a: b\r\n" * 1000), "malformed", "does not speak HTTP"),
    Bad("an endless header", repeats(OK + b"x-a: ", b"a" * 65536), "malformed", "does not speak HTTP"),
    Bad("status line is none", sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "malformed", "does not speak HTTP"),
    Bad("ends early, cleanly", closes(CHUNKED + b"0\r\n\r\n"), "truncated", "empty answer", stays_open=True),
    Bad("no finish", closes(STREAM_HEAD + b"PIECE"), "truncated", "broke off", text="Hi"),
    Bad("cut in a chunk", closes(CHUNKED + b"ffff\r\nPIECE"), "network", "lost in the middle", text="Hi"),
    Bad("less than announced", closes(JSON + b"content-length: 999\r\n\r\n{}"), "network", "lost in the middle"),
    Bad("a size that is none", sends(CHUNKED + b"zz\r\n"), "malformed", "does not speak HTTP"),
    Bad("empty 200", lambda _: reply("200 OK", "application/json", b""), "malformed", "empty", stays_open=True),
    Bad("204", closes(b"HTTP/1.1 204 No Content\r\n\r\n"), "truncated", "empty answer", stays_open=True),
    Bad("100 and nothing", sends(b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout", "0.5 s", TIMEOUT_S),
    Bad("100 for ever", repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), "timeout", "0.5 s", TIMEOUT_S),
    Bad(
        "101",
        sends(b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
        "malformed",
        "answered 101",
    ),
    Bad(
        "redirect",
        lambda _: reply("302 Found", "text/plain", b"", "location: https://elsewhere.test/"),
        "malformed",
        "elsewhere.test",
        stays_open=True,
    ),
    Bad("unpacks to much", closes(JSON + b"content-encoding: gzip\r\n\r\n\x1f\x8b"), "malformed", "compressed"),
    Bad(
        "no such model",
        lambda w: reply("404 Not Found", "application/json", w.no_model),
        "not_found",
        'the model "m"',
        stays_open=True,
    ),
    Bad("proxy password", lambda _: reply("407 No", "text/plain", b""), "network", "HTTPS_PROXY", stays_open=True),
)


@pytest.mark.parametrize("bad", CASES, ids=lambda bad: bad.name)
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.kind)
async def test_a_server_that_is_wrong(wire: Wire, bad: Bad, http: HttpSession) -> None:
    async with serving(bad.make(wire)) as server:
        config = LLMProviderConfig(
            wire.kind,
            "m",
            api_key="sk-not-a-real-key",
            api_endpoint=f"{server.url}/v1",
            timeout=TIMEOUT_S,
            idle_timeout=0.2,
            total_timeout=TOTAL_S,
        )
        started = time.monotonic()
        seen = await asyncio.wait_for(outcome(build_provider(config, http)), 20)
        took_s = time.monotonic() - started
        if not bad.stays_open:
            assert await sockets_to(server.url) == 0
        await http.aclose()
        assert await sockets_to(server.url) == 0

    assert isinstance(seen.error, ProviderError), seen
    assert seen.error.error_class == bad.error_class, seen.error
    assert bad.words in f"{seen.error} {seen.error.next_step}"
    assert seen.error.next_step
    assert seen.text[:2] == bad.text
    assert bad.within_s * 0.9 <= took_s < bad.within_s + MARGIN_S
