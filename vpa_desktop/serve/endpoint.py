"""The endpoint's paths: /v1/chat/completions, /v1/models, /health. Everything before them is the door."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vpa_desktop.errors import VPAError
from vpa_desktop.serve.answering import Desk
from vpa_desktop.serve.call_memory import CallMemory
from vpa_desktop.serve.door import CLOSING, COMMON, Door, Receive, Room, Scope, Send, read_body, refuse, release
from vpa_desktop.serve.names import ModelNames
from vpa_desktop.serve.reading import Asked, read_request, with_caller
from vpa_desktop.serve.refusals import Refusal, bad_request, refusal_of
from vpa_desktop.serve.replies import Reply, StreamReply, UnderWay, deliver
from vpa_desktop.serve.shapes import new_id
from vpa_desktop.serve.tokens import TokenFile
from vpa_desktop.serve.trail import Trail

LARGE_BYTES: Final = 200_000
"""A body from this size on is read in a thread: the others must not wait for it."""

HANG_UP: Final = "vpa.hang_up"
"""Where the connection leaves a way to break it, in ``scope``."""

GONE_WITHIN_S: Final = 2.0

HEADERS: Final = {name.decode(): value.decode() for name, value in COMMON}


class Endpoint:
    """The application that uvicorn runs, and what is under way in it."""

    def __init__(
        self, desk: Desk, names: ModelNames, tokens: TokenFile, trail: Trail, *, room: Room | None = None
    ) -> None:
        self.room = room or Room()
        self.under_way = UnderWay()
        self.trail = trail
        self._desk = desk
        self._names = names
        self._memory = CallMemory()
        inside = Starlette(
            routes=[
                Route("/health", _health, methods=["GET"]),
                Route("/v1/models", self._models, methods=["GET"]),
                Route("/v1/models/{name:path}", self._model, methods=["GET"]),
                Route("/v1/chat/completions", _Completions(self), methods=["POST"]),
            ],
            exception_handlers={404: _no_path, 405: _no_method, 500: _broken},
        )
        inside.router.redirect_slashes = False
        self.app = Door(inside, tokens, self.room, trail)

    async def _models(self, request: Request) -> Response:
        return _document({"object": "list", "data": await self._names.every(request.scope["vpa.user"])})

    async def _model(self, request: Request) -> Response:
        try:
            return _document(await self._names.entry(request.path_params["name"], request.scope["vpa.user"]))
        except VPAError as exc:
            return _refused(refusal_of(exc))

    async def complete(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one question."""
        try:
            body = await read_body(scope, receive, self.room)
            if body is None:
                return
            if isinstance(body, Refusal):
                await refuse(send, body)
                return
            await self._complete(body, scope, receive, send)
        finally:
            release(scope, self.room)

    async def _complete(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        user = scope["vpa.user"]
        try:
            asked = await asyncio.to_thread(read_request, body) if len(body) > LARGE_BYTES else read_request(body)
            asked = with_caller(asked, user, _priority(scope))
            choice = await self._names.find(asked.model, user)
        except VPAError as exc:
            refusal = refusal_of(exc)
            await refuse(send, refusal)
            await self.trail.note("", f"failed: {refusal.code}", user=user)
            return
        request = replace(asked.request, messages=self._memory.restored(user, asked.request.messages))
        kind = StreamReply if asked.streams else Reply
        fresh, keep = _wishes(scope)
        events = self._desk.stream(request, choice, fresh=fresh, keep=keep)
        reply = kind(events, asked, self._memory, send)
        try:
            await deliver(reply, receive, self.under_way, CLOSING)
        finally:
            await asyncio.shield(self._noted(reply, asked, user))
        if reply.has_begun and not reply.is_over:
            await _break(scope, receive)

    async def _noted(self, reply: Reply, asked: Asked, user: str) -> None:
        outcome = reply.outcome
        cost = outcome.response.cost_usd if outcome.response else None
        await self.trail.note(
            f"{outcome.provider}/{outcome.model}" if outcome.provider else "",
            outcome.result,
            user=user,
            asked_for=asked.model[:200],
            attempts=outcome.attempts,
            cost_usd=None if cost is None else str(cost),
            request_id=reply.request_id,
        )


class _Completions:
    """The path as an application of its own: Starlette would answer for a function before the client is heard."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint.complete(scope, receive, send)


async def _break(scope: Scope, receive: Receive) -> None:
    """End the connection without the end of its body, so that nobody takes the answer for whole."""
    hang_up: Mapping[str, Callable[[], None]] = scope.get("extensions", {}).get(HANG_UP, {})
    if not hang_up:
        return
    hang_up["kindly"]()
    try:
        async with asyncio.timeout(GONE_WITHIN_S):
            await receive()
    except TimeoutError:  # it does not even take what was sent
        hang_up["at_once"]()
        await receive()


def _priority(scope: Scope) -> str:
    found = next((value for name, value in scope["headers"] if name == b"x-vpa-priority"), b"chat")
    return str(found.decode("latin1").strip().lower())


def _wishes(scope: Scope) -> tuple[bool, bool]:
    """Whether the answer has to be a new one, and whether it may be kept: the words HTTP has for it."""
    said = b",".join(value for name, value in scope["headers"] if name == b"cache-control").lower()
    return b"no-cache" in said, b"no-store" not in said


async def _health(request: Request) -> Response:
    return _document({"status": "ok"})


async def _no_path(request: Request, error: Exception) -> Response:
    paths = "POST /v1/chat/completions, GET /v1/models, GET /health"
    return _refused(bad_request(f"There is no such path here. There is: {paths}.", "unknown_url", status=404))


async def _no_method(request: Request, error: Exception) -> Response:
    return _refused(bad_request("This path is not asked like that.", "method_not_supported", status=405))


async def _broken(request: Request, error: Exception) -> Response:
    message = "A fault in the program. It is on the error output of vpa-desktop serve."
    return _refused(Refusal(500, "server_error", "server_error", message))


def _document(value: object) -> Response:
    return Response(json.dumps(value), headers=HEADERS, media_type="application/json")


def _refused(refusal: Refusal) -> Response:
    headers = HEADERS | {name.decode(): value.decode() for name, value in refusal.headers}
    return Response(
        refusal.body, refusal.status, headers=headers | {"x-request-id": new_id("req_")}, media_type="application/json"
    )
