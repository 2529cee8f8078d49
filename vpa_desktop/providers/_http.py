"""The one door to HTTP: connections, TLS, proxies, time and size limits, and broken connections as our errors.

The only file that imports httpx. It knows no vendor and no JSON field, and it never retries.
httpx runs on aiohttp's connection pool, because its own collapses at a hundred parallel requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
import truststore
from httpx_aiohttp import AiohttpTransport

from vpa_desktop import __version__
from vpa_desktop.catalog import is_loopback, split_address
from vpa_desktop.errors import PolicyRefused, ProviderError
from vpa_desktop.providers._broken import ProxyUnusable, lost, malformed, redirected, silent, unreachable
from vpa_desktop.providers._failures import Peer, Problem, failure, read_problem, request_id
from vpa_desktop.providers._frames import Framing
from vpa_desktop.providers._sse import LineTooLong, SSEEvent

CONNECT_S: Final = 10.0
ERROR_BODY_S: Final = 10.0
AFTER_END_S: Final = 0.05
LINE_BYTES: Final = 1 << 20
ERROR_BYTES: Final = 256 << 10
ANSWER_BYTES: Final = 64 << 20
SILENCE_FACTOR: Final = 10
"""Comments alone keep a stream alive for this many timeouts, not for ever."""

Foreign = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError)
"""Everything the two libraries let escape when a connection fails."""


class HttpSession:
    """One per process: a TLS context and a pool that every provider shares. Opens nothing before the first request."""

    def __init__(
        self,
        *,
        offline: bool = False,
        ca_file: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        connect_s: float = CONNECT_S,
    ) -> None:
        self.offline = offline or os.environ.get("VPA_OFFLINE", "") not in ("", "0")
        self._ca_file = ca_file
        self._transport = transport
        self._connect_s = connect_s
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def open(
        self, peer: Peer, method: str, url: str, *, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Reply, None]:
        """Send one request and yield its reply once the status is there; leaving the block frees the connection.

        Raises PolicyRefused before anything is sent, ProviderUnavailable or ProviderTimeout when nobody answers,
        BadReply on a redirect (never followed: the key would go along).
        """
        self.check(peer, url)
        client = self._started()
        try:
            request = client.build_request(
                method,
                url,
                headers=_ascii_headers(peer, headers),
                content=None if body is None else json.dumps(body, ensure_ascii=False).encode(errors="replace"),
            )
            async with asyncio.timeout(peer.timeout_s):
                response = await _send(client, request)
        except TimeoutError as exc:
            raise silent(peer) from exc
        except Foreign as exc:
            raise unreachable(peer, exc) from exc
        try:
            if 300 <= response.status_code < 400:
                raise redirected(peer, response.status_code, response.headers.get("location", ""))
            yield Reply(response, peer)
        finally:
            await response.aclose()

    def check(self, peer: Peer, url: str) -> None:
        """Raise PolicyRefused where this address must not be talked to at all."""
        parts = split_address(url)
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise PolicyRefused(
                f'"{peer.address}" is not an address {peer.name} can be reached at',
                "An endpoint begins with https://, or with http:// on this machine",
                "Correct the endpoint in Settings, Providers",
                rule="endpoint",
            )
        if "@" in parts.netloc:
            raise PolicyRefused(
                f"{peer.name} was not asked",
                "Its endpoint has a user name or password in it, and a key stands in no address",
                "Take it out of the endpoint and enter the key in Settings, Keys",
                rule="endpoint",
            )
        if is_loopback(url):
            return
        if self.offline:
            raise PolicyRefused(
                f"{peer.name} was not asked",
                "The program is set to stay offline (VPA_OFFLINE), so nothing leaves this machine",
                "Choose a local model, or start without VPA_OFFLINE",
                rule="offline",
            )
        if parts.scheme == "http":
            raise PolicyRefused(
                f"{peer.name} was not asked",
                f"http://{parts.netloc.rpartition('@')[2]} is not encrypted: anyone on the way could read key and text",
                "Use an https:// endpoint; plain http is only for this machine",
                rule="plain_http",
            )

    async def aclose(self) -> None:
        """Close every connection. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _started(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=self._transport or _Routes(tls_context(self._ca_file)),
                timeout=httpx.Timeout(None, connect=self._connect_s, pool=self._connect_s),
                headers={"User-Agent": f"vpa-desktop/{__version__}", "Accept-Encoding": "identity"},
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client


class Reply:
    """A response whose status and headers are there; the body is read in one of three ways."""

    def __init__(self, response: httpx.Response, peer: Peer) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self.request_id = request_id(self.headers)
        self._peer = peer
        self._chunks: AsyncIterator[bytes] = response.aiter_raw()
        self._first: bytes | None = None
        self._size = 0
        self._budget_s = peer.timeout_s
        self._waited_s = 0.0

    async def shape(self) -> str:
        """Say what the body is: "sse", "json" or "html"; looks at its first bytes where the header does not tell."""
        kind = self.headers.get("content-type", "").lower()
        for word, shape in (("event-stream", "sse"), ("json", "json"), ("html", "html")):
            if word in kind:
                return shape
        self._first = await self._next()
        return {b"{": "json", b"[": "json", b"<": "html"}.get((self._first or b"").lstrip()[:1], "sse")

    async def events(self, decoder: Framing) -> AsyncGenerator[SSEEvent, None]:
        """Yield the events of a stream; raises when it is silent too long, breaks off, or is beyond all bounds."""
        quiet_s = 0.0
        while (chunk := await self._next()) is not None:
            lines = decoder.lines
            try:
                events = decoder.feed(chunk)
            except LineTooLong as exc:
                raise malformed(self._peer, f"It sent {exc}", status=self.status) from exc
            quiet_s = 0.0 if events else quiet_s + self._waited_s
            if quiet_s > SILENCE_FACTOR * self._peer.timeout_s:
                raise silent(self._peer, midstream=True)
            if decoder.lines != lines:  # a comment counts: only whole lines show that somebody is there
                self._budget_s = self._peer.timeout_s
            for event in events:
                yield event
        for event in decoder.finish():
            yield event

    async def json(self) -> Any:
        """Return the whole body as JSON; raises BadReply."""
        body = await self._read(ANSWER_BYTES)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as exc:
            raise malformed(self._peer, "It is not JSON", status=self.status) from exc

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
            found = read_problem(None, self.status, self.headers)
            return Problem(
                self.status,
                is_html=is_html,
                retry_after_s=found.retry_after_s,
                request_id=found.request_id,
                should_retry=found.should_retry,
            )

    async def drain(self) -> None:
        """Give the rest of a finished answer a moment, so that the connection can be used again."""
        try:
            async with asyncio.timeout(AFTER_END_S):
                while await self._next() is not None:
                    pass
        except (ProviderError, TimeoutError):
            return  # leaving the block closes the connection instead

    def hurry(self, seconds: float) -> None:
        """Wait at most this long for anything more: the answer is complete, only its usage may follow."""
        self._budget_s = min(self._budget_s, seconds)

    async def _read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        while (chunk := await self._next()) is not None:
            parts.append(chunk)
            self._budget_s = self._peer.timeout_s
            if self._size > limit:
                raise malformed(self._peer, f"It sent more than {limit >> 10} KiB", status=self.status)
        return b"".join(parts)

    async def _next(self) -> bytes | None:
        """The next bytes or None at the end. Only time spent waiting here counts, not what the reader does."""
        if self._first is not None:
            chunk, self._first = self._first, None
            return chunk
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise malformed(self._peer, "It is compressed, which was not asked for", status=self.status)
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(max(0.0, self._budget_s)):
                chunk = await anext(self._chunks)
        except StopAsyncIteration:
            return None
        except TimeoutError as exc:
            raise silent(self._peer, midstream=True) from exc
        except Foreign as exc:
            raise lost(self._peer, self.status) from exc
        self._waited_s = loop.time() - started
        self._budget_s -= self._waited_s
        self._size += len(chunk)
        if self._size > ANSWER_BYTES:
            raise malformed(self._peer, f"It sent more than {ANSWER_BYTES >> 20} MiB", status=self.status)
        return chunk


class _Routes(httpx.AsyncBaseTransport):
    """Sends each request straight, or through the proxy the environment names for it; loopback always straight."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._transports: dict[str, AiohttpTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        proxy = "" if is_loopback(url) or proxy_bypass(request.url.host) else _proxy_for(request.url.scheme)
        if proxy and urlsplit(proxy).scheme not in ("http", "https"):
            raise ProxyUnusable(
                f"The proxy of this machine is of a kind ({urlsplit(proxy).scheme}) that cannot be used"
            )
        if proxy not in self._transports:
            self._transports[proxy] = AiohttpTransport(
                verify=self._context,
                trust_env=False,
                proxy=httpx.Proxy(proxy) if proxy else None,
                client=self._pool,
            )
        return await self._transports[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    def _pool(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._context, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # aiohttp would read ~/.netrc too
        )


async def _send(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Send, and once more where a kept connection turned out closed while the request was written to it."""
    try:
        return await client.send(request, stream=True)
    except httpx.HTTPError as exc:
        stale = (aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)
        if not isinstance(exc.__cause__, stale) or isinstance(exc.__cause__, aiohttp.ClientConnectorError):
            raise
    return await client.send(request, stream=True)


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that trusts the system's store, and SSL_CERT_FILE or ``ca_file`` beside it.

    It never writes session keys: SSLKEYLOGFILE is read by ssl.create_default_context, which is not used.
    """
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    extra = ca_file or os.environ.get("SSL_CERT_FILE")
    if extra:
        context.load_verify_locations(cafile=extra)
    return context


def _proxy_for(scheme: str) -> str:
    proxies = getproxies()
    return proxies.get(scheme) or proxies.get("all") or ""


def _ascii_headers(peer: Peer, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers where they can be sent; a key pasted with a line break or a smart quote cannot."""
    if all(value.isascii() and value.isprintable() for value in headers.values()):
        return headers
    raise failure(peer, Problem(401, code="invalid_characters_in_key"))
