"""The socket and its server: loopback only, patient with slow answers and not with slow clients, closed in order.

The only file that knows uvicorn.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vpa_desktop.errors import UsageError, VPAError
from vpa_desktop.serve.endpoint import HANG_UP, Endpoint

HEAD_WITHIN_S: Final = 10.0
HEAD_MAX_BYTES: Final = 64_000
KEEP_ALIVE_S: Final = 75
CONNECTIONS_MAX: Final = 4_000
GRACE_S: Final = 5.0
"""How long answers under way may go on after the program was asked to end."""

FILES_WANTED: Final = 16_384
"""Each answer takes two sockets; many systems allow a program 1,024 unless it asks for more."""


class Connection(HttpToolsProtocol):
    """One connection. A head that is too long or too slow ends it, as does one connection too many."""

    head_within_s: float = HEAD_WITHIN_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        if len(self.connections) > CONNECTIONS_MAX:
            transport.abort()
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head."""
        if self.cycle is None or not self.cycle.more_body:
            if self._deadline is None:
                self._wait_for_head()
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX_BYTES and self._is_in_head(data):
                self.transport.abort()
                return
        super().data_received(data)

    def _is_in_head(self, data: bytes) -> bool:
        """True where the head is too long already, not only what follows it."""
        return self._head_bytes - len(data) > HEAD_MAX_BYTES or data.find(b"\r\n\r\n") not in range(HEAD_MAX_BYTES)

    def on_headers_complete(self) -> None:
        """The head has come: give the application a way to break the connection."""
        self._head_is_here()
        self._head_bytes = 0
        self.scope["extensions"] = {HANG_UP: {"kindly": self.transport.close, "at_once": self.transport.abort}}
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_within_s, self._too_slow)

    def _too_slow(self) -> None:
        """End the connection, unless an answer is still on its way (some clients send a stray line after a body)."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_for_head()
        else:
            self.transport.abort()

    def _head_is_here(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class QuietServer(Server):
    """uvicorn's server without its own idea of signals: who started it decides how it ends."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.came_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and say so."""
        try:
            await super().startup(sockets)
        finally:
            self.came_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


def open_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket on this machine; raises UsageError for any other address, VPAError for a port in use."""
    address = {"localhost": "127.0.0.1"}.get(host.strip().lower(), host.strip().strip("[]"))
    try:
        is_loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise UsageError(
            f"{host} was not listened on",
            "The endpoint is for this machine only: 127.0.0.1, ::1 or localhost",
            "Reach it from elsewhere by an SSH tunnel, or run a gateway such as LiteLLM proxy there",
        )
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each answer waits 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let two programs have one port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.setblocking(False)
    except OSError as exc:
        sock.close()
        if exc.errno == errno.EADDRINUSE:
            raise VPAError(
                f"Port {port} is in use", "Another program listens there", "Choose another with --port, or --port 0"
            ) from exc
        raise VPAError(f"Port {port} cannot be used", exc.strerror or str(exc), "Choose another with --port") from exc
    return sock


def url_of(sock: socket.socket) -> str:
    """The address to give to a client."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


class Listener:
    """Serves an endpoint on a socket until it is asked to stop."""

    def __init__(self, endpoint: Endpoint, sock: socket.socket, *, grace_s: float = GRACE_S) -> None:
        self._endpoint = endpoint
        self._sock = sock
        self._grace_s = grace_s
        config = Config(
            endpoint.app,
            http=Connection,
            ws="none",
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=round(grace_s + 3),
        )
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a client's nonsense is no news
        self._server = QuietServer(config)
        self._asked_by = 0
        self._stopping = asyncio.Event()

    def stop(self, by: int = signal.SIGTERM) -> None:
        """Take no more requests; answers under way have a moment. Asked a second time it ends at once."""
        if self._stopping.is_set():
            self._endpoint.under_way.end_all()
        self._asked_by = self._asked_by or by
        self._endpoint.room.is_closing = True
        self._server.should_exit = True
        self._stopping.set()

    async def run(self, ready: Callable[[], Awaitable[None]] | None = None) -> int:
        """Serve; returns the number of the signal that ended it. ``ready`` is awaited once it accepts connections."""
        raise_file_limit()
        serving = asyncio.create_task(self._server.serve([self._sock]), name="serve")
        asked = asyncio.create_task(self._stopping.wait(), name="serve until asked")
        try:
            await self._server.came_up.wait()
            if ready is not None and self._server.started:
                await ready()
            await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({serving}, timeout=self._grace_s)
            self._endpoint.under_way.end_all()
            await serving
        finally:
            self._server.should_exit = True
            self._endpoint.under_way.end_all()
            asked.cancel()
            await asyncio.gather(serving, asked, return_exceptions=True)
            await self._endpoint.trail.aclose()
        return self._asked_by

    @contextlib.contextmanager
    def on_signals(self) -> Generator[None, None, None]:
        """Stop in order on SIGINT and SIGTERM for the length of a block."""
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            old: dict[int, Any] = {
                n: signal.signal(n, lambda n, _: loop.call_soon_threadsafe(self.stop, n))
                for n in (signal.SIGINT, signal.SIGTERM)
            }
            try:
                yield
            finally:
                for number, handler in old.items():
                    signal.signal(number, handler)
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def raise_file_limit() -> None:
    """Let the program open as many sockets as its answers need, where the system has a limit that can be raised."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
