"""The one door to HTTP: connections, and the requests that go over them. Addresses, TLS and replies have own files.

The only file that imports httpx. It knows no vendor and no JSON field, and repeats a request
only where a kept connection was dead.
Requests go to httpx's transport directly and not through its client: there is then no redirect to follow, no cookie
to keep and no file of passwords to read, and a request costs half. The transport is aiohttp's connection pool, because
httpx's own collapses at a hundred parallel requests.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from vpa_desktop import __version__
from vpa_desktop.catalog import split_address
from vpa_desktop.providers._broken import malformed, proxy_wants_password, redirected, silent, unreachable
from vpa_desktop.providers._failures import Peer
from vpa_desktop.providers._reply import LINE_BYTES, Reply
from vpa_desktop.providers._route import check_address, check_headers, no_address, proxy_for
from vpa_desktop.providers._tls import context_for

KEEP_ALIVE_S: Final = 30.0
HEADER_BYTES: Final = 16 << 10
"""The longest line of a head; a head has at most 128 lines."""

Broken = (httpx.HTTPError, aiohttp.ClientError, OSError)
"""Everything the two libraries let escape when a connection fails."""

ALWAYS: Final = {"User-Agent": f"vpa-desktop/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}


_WAS_KEPT: ContextVar[bool] = ContextVar("was_kept", default=False)
"""Whether the request under way went out on a connection that was kept from an earlier one."""


@dataclass(eq=False, slots=True)
class _Pool:
    """Kept connections of one kind, and how many requests are using it."""

    transport: AiohttpTransport
    users: int = 0


class HttpSession:
    """One per process: the pools that every provider shares. Opens nothing before the first request.

    ``ca_file`` is trusted for every provider that names no certificate file of its own.
    """

    def __init__(self, *, offline: bool = False, ca_file: str | None = None) -> None:
        self.offline = offline or os.environ.get("VPA_OFFLINE", "") not in ("", "0")
        self._ca_file = ca_file
        self._pools: dict[tuple[object, str], _Pool] = {}
        self._put_aside: set[_Pool] = set()

    @asynccontextmanager
    async def open(
        self, peer: Peer, method: str, url: str, *, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Reply, None]:
        """Send one request and yield its reply once the status is there; leaving the block frees the connection.

        Raises PolicyRefused or AuthenticationFailed before anything is sent, ProviderUnavailable or ProviderTimeout
        when nobody answers, BadReply on a redirect (never followed: the key would go along).
        """
        check_address(peer, url, offline=self.offline)
        check_headers(peer, headers)
        # A list is small: it is there within the time of a first token, or not at all.
        total_s = min(peer.options.total_s, peer.timeout_s) if method == "GET" else peer.options.total_s
        deadline = asyncio.get_running_loop().time() + total_s
        try:
            request = _request(peer, method, url, headers, body)
            async with asyncio.timeout(min(peer.timeout_s, total_s)):
                response, pool = await self._send(peer, url, request)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
            raise no_address(peer) from exc
        except TimeoutError as exc:
            raise silent(peer, min(peer.timeout_s, total_s)) from exc
        except Broken as exc:
            raise unreachable(peer, exc) from exc
        try:
            _check_status(peer, response)
            assert isinstance(response.stream, httpx.AsyncByteStream)
            yield Reply(
                response.status_code,
                _headers(response),
                aiter(response.stream),
                peer,
                deadline=deadline,
                broken=Broken,
            )
        finally:
            try:
                await response.aclose()
            finally:
                await self._leave(pool)

    async def _send(self, peer: Peer, url: str, request: httpx.Request) -> tuple[httpx.Response, _Pool]:
        """Send, and once more on a new connection where a kept one turned out dead before it gave a byte.

        Then every other kept one is taken for dead too (the machine slept, say): they are all put aside at once.
        """
        pool = self._pool(peer, url)
        try:
            return await self._over(pool, request), pool
        except httpx.HTTPError as exc:
            if not _was_stale(exc):
                raise
        self._pools = {key: each for key, each in self._pools.items() if each is not pool}
        self._put_aside.add(pool)
        await self._close_unused()
        pool = self._pool(peer, url)
        return await self._over(pool, request), pool

    async def _over(self, pool: _Pool, request: httpx.Request) -> httpx.Response:
        """Send over this pool; it is in use until ``_leave``, or until this fails."""
        _WAS_KEPT.set(False)
        pool.users += 1
        try:
            return await pool.transport.handle_async_request(request)
        except BaseException:
            await self._leave(pool)
            raise

    async def _leave(self, pool: _Pool) -> None:
        pool.users -= 1
        if self._put_aside:
            await self._close_unused()

    async def _close_unused(self) -> None:
        for pool in [each for each in self._put_aside if not each.users]:
            self._put_aside.discard(pool)
            await pool.transport.aclose()

    async def aclose(self) -> None:
        """Close every connection, also those of streams that are still open. Safe to call twice."""
        pools, self._pools = [*self._pools.values(), *self._put_aside], {}
        for pool in pools:
            await pool.transport.aclose()

    def _pool(self, peer: Peer, url: str) -> _Pool:
        """The pool for this address: one for each proxy and each set of trusted certificates."""
        proxy = proxy_for(peer, url)
        secure = not url.lower().startswith("http:") or proxy.startswith("https:")
        context = context_for(peer, peer.options.ca_file or self._ca_file) if secure else False
        found = self._pools.get((context, proxy))
        if found is None:
            connector = aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=KEEP_ALIVE_S)
            transport = AiohttpTransport(
                verify=context,
                trust_env=False,
                proxy=_proxy(proxy) if proxy else None,
                client=aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    trust_env=False,  # aiohttp would read ~/.netrc too
                    max_line_size=HEADER_BYTES,
                    max_field_size=HEADER_BYTES,
                    trace_configs=[_watch_connections()],
                ),
            )
            found = self._pools[context, proxy] = _Pool(transport)
        return found


def _request(
    peer: Peer, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
) -> httpx.Request:
    connect_s = peer.options.connect_s
    return httpx.Request(
        method,
        _parsed(url),
        headers={**ALWAYS, **headers},
        content=None if body is None else json.dumps(body, ensure_ascii=False).encode(errors="replace"),
        extensions={"timeout": {"connect": connect_s, "pool": connect_s}},
    )


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


def _proxy(url: str) -> httpx.Proxy:
    """The proxy without its password, which aiohttp wants as a header and puts where it belongs."""
    parts = split_address(url)
    user, at, host = parts.netloc.rpartition("@")
    bare = parts._replace(netloc=host).geturl()
    if not at:
        return httpx.Proxy(bare)
    name, _, password = user.partition(":")
    return httpx.Proxy(bare, headers={"Authorization": aiohttp.encode_basic_auth(unquote(name), unquote(password))})


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.decode("latin1").lower(): value.decode("latin1") for name, value in response.headers.raw}


def _check_status(peer: Peer, response: httpx.Response) -> None:
    """Raise for the answers that are no provider's: a redirect, a proxy's, a change of protocol."""
    status = response.status_code
    if 300 <= status < 400:
        raise redirected(peer, status, response.headers.get("location", ""))
    if status == 407:
        raise proxy_wants_password(peer)
    if status < 200:
        raise malformed(peer, f"It answered {status}, which is no end of an exchange", status=status)


def _watch_connections() -> aiohttp.TraceConfig:
    """Note for each request whether its connection was a kept one."""

    async def kept(*_: object) -> None:
        _WAS_KEPT.set(True)

    watch = aiohttp.TraceConfig()
    watch.on_connection_reuseconn.append(kept)
    return watch


def _was_stale(exc: httpx.HTTPError) -> bool:
    """True where a kept connection was closed by the other side before it gave a byte.

    On a new one the question has arrived: asked again it could be answered, and paid for, twice.
    """
    cause = exc.__cause__
    if isinstance(cause, aiohttp.ClientConnectorError):
        return False
    gone = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)
    return isinstance(cause, gone) and _WAS_KEPT.get()


__all__ = ["LINE_BYTES", "HttpSession", "Reply"]
