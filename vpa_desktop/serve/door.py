"""What stands before every request: this machine only, no web page, a token, and not more at once than there is room.

An ASGI application around the endpoint's own. It reads no body; ``read_body`` does, within a size and a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from vpa_desktop.errors import VPAError
from vpa_desktop.serve.refusals import NOT_AGAIN, Header, Refusal, bad_request, refusal_of
from vpa_desktop.serve.tokens import TokenFile
from vpa_desktop.serve.trail import Trail

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_MAX_BYTES: Final = 32_000_000
HELD_MAX_BYTES: Final = 256_000_000
"""All bodies that are being answered, together."""

BODY_WITHIN_S: Final = 60.0
AT_ONCE_MAX: Final = 2_000
OPEN_TO_ALL: Final = "/health"
_OUR_HOST: Final = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
COMMON: Final[tuple[Header, ...]] = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
JSON: Final[Header] = (b"content-type", b"application/json")
BUSY: Final = Refusal(
    429,
    "rate_limit_error",
    "too_many_requests",
    "Too many requests are being answered at once. Ask again in a moment.",
    headers=((b"retry-after", b"1"),),
)
CLOSING: Final = Refusal(503, "server_error", "closing", "The endpoint is being closed.", headers=(NOT_AGAIN,))
TOO_LARGE: Final = bad_request(
    f"The body is larger than {BODY_MAX_BYTES // 1_000_000} MB.", "request_too_large", status=413
)


@dataclass(slots=True)
class Room:
    """How much is being answered now, and how much may be. ``is_closing`` lets nobody in any more."""

    at_once_max: int = AT_ONCE_MAX
    held_max_bytes: int = HELD_MAX_BYTES
    body_max_bytes: int = BODY_MAX_BYTES
    body_within_s: float = BODY_WITHIN_S
    at_once: int = 0
    held_bytes: int = 0
    is_closing: bool = False

    @contextmanager
    def one_more(self) -> Iterator[Refusal | None]:
        """Count a request for the length of a block; yields why it must not come in."""
        if self.is_closing or self.at_once >= self.at_once_max:
            yield CLOSING if self.is_closing else BUSY
            return
        self.at_once += 1
        try:
            yield None
        finally:
            self.at_once -= 1


class Door:
    """Lets in who may, and tells the application in ``scope`` who it is (``vpa.user``)."""

    def __init__(self, inside: App, tokens: TokenFile, room: Room, trail: Trail) -> None:
        self._inside = inside
        self._tokens = tokens
        self._room = room
        self._trail = trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if (refusal := _stranger(headers)) is not None:
            return await refuse(send, refusal)
        if scope["path"] == OPEN_TO_ALL:
            return await self._inside(scope, receive, send)
        try:
            user = self._tokens.owner_of(_token(headers))
        except VPAError as exc:  # the file of tokens cannot be read
            return await refuse(send, refusal_of(exc))
        if user is None:
            await self._trail.refused()
            return await refuse(send, _unknown(_token(headers)))
        scope["vpa.user"] = user
        with self._room.one_more() as refusal:
            if refusal is not None:
                return await refuse(send, refusal)
            return await self._inside(scope, receive, send)


async def refuse(send: Send, refusal: Refusal) -> None:
    """Send a refusal as a whole answer."""
    body = refusal.body
    length = (b"content-length", str(len(body)).encode())
    # What was not read of the request must not be taken for the next one.
    closing = ((b"connection", b"close"),) if refusal.status in (401, 403, 408, 413, 421) else ()
    headers = [JSON, length, *COMMON, *closing, *refusal.headers]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read_body(scope: Scope, receive: Receive, room: Room) -> bytes | Refusal | None:
    """Return the body; a refusal where it is too large or too slow, None where the client has gone.

    Its bytes count as held until ``release`` takes them off; ``scope`` remembers how many.
    """
    kind = _one(scope["headers"], b"content-type").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        return bad_request("The body has to be application/json.", "unsupported_media_type", status=415)
    announced = _one(scope["headers"], b"content-length")
    if announced.isdigit() and int(announced) > room.body_max_bytes:
        return TOO_LARGE
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(room.body_within_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                piece: bytes = message.get("body", b"")
                size += len(piece)
                if size > room.body_max_bytes:
                    return TOO_LARGE
                if room.held_bytes + len(piece) > room.held_max_bytes:
                    return BUSY
                room.held_bytes += len(piece)
                scope["vpa.held"] = size
                pieces.append(piece)
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        return bad_request("The body did not come in time.", "request_timeout", status=408)


def release(scope: Scope, room: Room) -> None:
    """Take a request's body off what is held."""
    room.held_bytes -= scope.pop("vpa.held", 0)


def _stranger(headers: list[tuple[bytes, bytes]]) -> Refusal | None:
    """The refusal of what does not come from a program on this machine.

    A name that leads here from elsewhere (DNS rebinding) shows in Host, a web page in Origin or Sec-Fetch-Site.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 or not _OUR_HOST.fullmatch(hosts[0].decode("latin1").strip()):
        return Refusal(403, "permission_error", "host_not_allowed", "Ask at 127.0.0.1 or localhost, by that name.")
    site = _one(headers, b"sec-fetch-site")
    if any(name == b"origin" for name, _ in headers) or site not in (b"", b"none"):
        return Refusal(403, "permission_error", "origin_not_allowed", "Web pages may not ask here.")
    return None


def _token(headers: list[tuple[bytes, bytes]]) -> str:
    scheme, _, token = _one(headers, b"authorization").decode("latin1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unknown(token: str) -> Refusal:
    what = "The token is not known here." if token else "There is no token: send “Authorization: Bearer TOKEN”."
    how = "See: vpa-desktop serve --show-token"
    headers = ((b"www-authenticate", b"Bearer"),)
    return Refusal(401, "invalid_request_error", "invalid_api_key", f"{what} {how}", headers=headers)


def _one(headers: list[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    return next((value for name, value in headers if name == wanted), b"")
