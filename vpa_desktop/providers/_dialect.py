"""What the HTTP dialects share: one request, its refusals, and the loop that reads a stream to its end.

A dialect says where to post, what to send and what one event means; nothing here knows a vendor's fields.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from vpa_desktop.catalog import KINDS, LLMProviderConfig, is_loopback, split_address
from vpa_desktop.errors import AuthenticationFailed, ProviderError, StreamInterrupted
from vpa_desktop.messages import Carry, LLMRequest, StreamEvent
from vpa_desktop.model_facts import facts_for
from vpa_desktop.providers._answer import Answer
from vpa_desktop.providers._broken import malformed
from vpa_desktop.providers._failures import Peer, Problem, failure, read_problem
from vpa_desktop.providers._frames import Framing
from vpa_desktop.providers._http import LINE_BYTES, HttpSession, Reply
from vpa_desktop.providers._images import ImageLimits, blind, fitted
from vpa_desktop.providers._options import Options
from vpa_desktop.providers._payloads import payload_of, web_page
from vpa_desktop.providers._refusals import (
    Learnt,
    Refusal,
    left_out,
    refused_field,
    understood,
    within,
    without_fields,
)
from vpa_desktop.providers._sse import SSEDecoder
from vpa_desktop.providers.base import BaseLLMProvider

AFTER_FINISH_S: Final = 5.0
"""How long the usage may take after the finish reason: the answer itself is complete."""

USUAL_TIMEOUT_S: Final = LLMProviderConfig("mock").timeout
THINKS_S: Final = 600.0
"""Silence allowed before the first word of a model that reasons, where the person has not asked for less patience."""

END: Final = "[DONE]"
NO_SUCH_PATH: Final = (404, 405, 501)
NO_SUCH_MODEL: Final = ("model_not_found", "DeploymentNotFound")


@dataclass(frozen=True, slots=True)
class Ask:
    """One way to ask for an answer: where below the base, and with what."""

    path: str
    body: dict[str, Any]


class HttpProvider(BaseLLMProvider):
    """A provider behind HTTP. ``http`` is shared with the others; without one it opens its own and closes it."""

    optional: tuple[str, ...] = ()
    """Fields of the body that may be left out, or swapped, when a server refuses them by name; dotted inside objects.
    """

    base_by_model = False
    """True where a base may know only some of the models: each model then has its own, and the others are tried."""

    finish_on_every_event = False
    """True where a finish reason may stand on events that others follow: the end of the stream is then waited for."""

    image_limits = ImageLimits()
    """What pictures must be like to be taken."""

    def __init__(self, config: LLMProviderConfig, *, http: HttpSession | None = None) -> None:
        super().__init__(config)
        self._owns_http = http is None
        self._http = HttpSession() if http is None else http
        self._refused: dict[str, frozenset[str]] = {}
        self._learnt: dict[str, Learnt] = {}
        self._base: str | None = None
        self._bases_of: dict[str, str] = {}
        self._no_paths: set[str] = set()

    @abstractmethod
    def bases(self) -> Sequence[str]:
        """The base URLs to try, in order; the first that is there is remembered."""

    @abstractmethod
    def path(self) -> str:
        """Where an answer is asked for, below the base."""

    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """The headers that carry the key and the version."""

    @abstractmethod
    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The request as this wire wants it."""

    def asks(self, request: LLMRequest, model: str) -> Sequence[Ask]:
        """The ways to ask, in order; the next is tried where a server does not know the path."""
        return [Ask(self.path(), self.body(request, model))]

    @abstractmethod
    def read_event(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take one event's JSON into the answer and return what to hand on."""

    @abstractmethod
    def read_whole(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """The same for an answer that came in one piece."""

    def find_problem(self, payload: Mapping[str, Any], reply: Reply, *, midstream: bool) -> Problem | None:
        """The error inside a payload that came with status 200, if there is one."""
        if not payload.get("error"):
            return None
        return read_problem(payload, reply.status, {} if midstream else reply.headers, midstream=midstream)

    def url(self, base: str, path: str, model: str) -> str:
        """Where this model is asked, below this base."""
        return base + path

    def framing(self, shape: str) -> Framing | None:
        """What cuts a body of this shape ("sse" or "json") into events; None where it is one document."""
        return SSEDecoder(LINE_BYTES) if shape == "sse" else None

    def refused(self, problem: Problem, sent: Mapping[str, Any]) -> str | None:
        """The field of the body that the server will not take and that can be left out, if it names one."""
        return refused_field(problem, sent, self.optional)

    def carried(self, answer: Answer) -> Sequence[Mapping[str, Any]]:
        """What this vendor wants back with the results of the answer's tool calls."""
        return ()

    def refine(self, problem: Problem) -> Problem:
        """The problem as this vendor means it."""
        return problem

    def fail(self, peer: Peer, problem: Problem) -> ProviderError:
        """The error to raise for a problem, with its sentences."""
        return failure(peer, self.refine(problem))

    def without(self, body: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        """The body without the fields this model refused."""
        return without_fields(body, refused)

    def sees_images(self, model: str) -> bool | None:
        """Whether the model takes images; None where that is not known."""
        return None

    async def with_images(self, request: LLMRequest, model: str) -> LLMRequest:
        """The request with its images as this provider takes them; raises RequestRejected before anything is sent."""
        if not any(message.images for message in request.messages):
            return request
        peer = self.peer(model)
        if self.sees_images(model) is False:
            raise blind(peer)
        return await fitted(request, self.image_limits, peer)

    def peer(self, model: str) -> Peer:
        """Whom error sentences name."""
        kind = KINDS.get(self.config.kind)
        name = self.provider_id
        if kind is not None and kind.needs_key:
            name = kind.label if name == self.config.kind else f"{kind.label} ({name})"
        elif kind is not None and name == self.config.kind:
            name = f"the {kind.label}"
        key = self.config.api_key or ""
        options = Options.of(self.config)
        return Peer(self.provider_id, name, model, self.config.endpoint, bool(key), self.config.timeout, key, options)

    def note_usage(self, payload: Mapping[str, Any], answer: Answer) -> None:
        """Take what a payload with an error says of tokens into the answer."""

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer as it comes, then one StreamDone; raises ProviderError."""
        peer = self.peer(str(request.model or self.model))
        request = await self.with_images(request, peer.model)
        answer = Answer(limit=request.max_tokens or self.config.max_tokens)
        async with AsyncExitStack() as stack:
            reply = await self._post(stack, peer, request)
            try:
                async with aclosing(self._read(reply, peer, answer)) as events:
                    async for event in events:
                        yield event
            except ProviderError as exc:
                if answer.finish is None:
                    exc.usage = answer.usage
                    exc.request_id = exc.request_id or reply.request_id
                    raise
            done = answer.done(reply.request_id)
            if done is None:
                raise self._cut_short(peer, reply, answer)
            carried = tuple(self.carried(answer))
            yield replace(done, carry=Carry(self.config.kind, peer.model, carried)) if carried else done
            await reply.drain()

    async def get_json(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask for a list or the like, with POST where there is a body; raises ProviderError."""
        peer = self.peer(self.model)
        self._require_key(peer)
        first: ProviderError | None = None
        for base in self._candidates(peer.model):
            method = "GET" if body is None else "POST"
            async with self._http.open(peer, method, base + path, headers=self.headers(), body=body) as reply:
                if reply.status < 300:
                    if await reply.shape() == "html":
                        raise web_page(peer, reply)
                    payload = await reply.json()
                    problem = self.find_problem(payload, reply, midstream=False) if isinstance(payload, dict) else None
                    if problem is not None:
                        raise self.fail(peer, problem)
                    if not self.base_by_model:
                        self._base = base
                    return payload
                problem = await reply.problem()
                first = first or self.fail(peer, problem)
                if problem.status not in (404, 405):
                    raise self.fail(peer, problem)
        raise first or malformed(peer, "There is no endpoint to ask")

    async def aclose(self) -> None:
        """Close what this provider opened itself; a shared session is its owner's."""
        if self._owns_http:
            await self._http.aclose()

    async def _post(self, stack: AsyncExitStack, peer: Peer, request: LLMRequest) -> Reply:
        """Send the request and return the reply that carries its answer."""
        asks = self.asks(request, peer.model)
        try:
            reply, _ = await self._send(stack, peer, [ask for ask in asks if ask.path not in self._no_paths] or asks)
        except ProviderError as exc:
            if exc.error_class == "not_found":
                self._no_paths.clear()  # perhaps another server stands there now
            raise
        return reply

    async def _send(self, stack: AsyncExitStack, peer: Peer, asks: Sequence[Ask]) -> tuple[Reply, str]:
        """Send the first of these that is known there: without fields refused by name, or at the other base."""
        self._require_key(peer)
        model = peer.model
        dropped = self._refused.get(model, frozenset())
        learnt = self._learnt.get(model, Learnt())
        refusals: list[Refusal] = []
        most = learnt.most
        ways = [(base, ask) for ask in asks for base in self._candidates(model)]
        first: ProviderError | None = None
        told = False  # whether a place that is there has said that the model is not
        no_paths: set[str] = set()
        while ways:
            base, ask = ways[0]
            sent = within(self.without(ask.body, dropped | learnt.refused_in(ask.body)), most)
            attempt = AsyncExitStack()
            reply = await attempt.enter_async_context(
                self._http.open(peer, "POST", self.url(base, ask.path, model), headers=self.headers(), body=sent)
            )
            async with attempt:
                if reply.status < 300:
                    stack.push_async_exit(attempt.pop_all())
                    self._remember(model, base, refusals)
                    self._no_paths |= no_paths - {ask.path}
                    return reply, ask.path
                problem = await reply.problem()
            refined = self.refine(problem)
            name = self.refused(refined, sent)
            if name and name not in (refusal.name for refusal in refusals):
                refusals.append(understood(refined, name, ask.body, sent))
                dropped |= left_out(refusals[-1])
                most = refusals[-1].most or most
                continue
            error = self.fail(peer, problem)
            if problem.status not in NO_SUCH_PATH or (problem.code in NO_SUCH_MODEL and not self.base_by_model):
                raise error
            about_model = problem.is_about_model(model)
            if first is None or (about_model and not told):
                first = error  # of two places where nothing is, the first is the one that was meant
            told = told or about_model
            no_paths |= set() if about_model else {ask.path}
            del ways[0]
        raise first or malformed(peer, "There is no endpoint to ask")

    def _remember(self, model: str, base: str, refusals: Sequence[Refusal]) -> None:
        """Take note of where an answer came from and of what had to be left out for it."""
        if self.base_by_model:
            self._bases_of[model] = base
        else:
            self._base = base
        for refusal in refusals:
            if refusal.about == "field":
                self._refused[model] = self._refused.get(model, frozenset()) | {refusal.name}
            else:
                self._learnt.setdefault(model, Learnt()).add(refusal)

    def _require_key(self, peer: Peer) -> None:
        """Raise before anything is sent where the vendor would refuse it anyway."""
        kind = KINDS.get(self.config.kind)
        if peer.has_key or kind is None or not kind.needs_key or is_loopback(self.config.endpoint):
            return
        raise peer.error(
            AuthenticationFailed,
            f"There is no key for {peer.name}",
            "It answers only with one",
            "Add one in Settings, Keys",
            code="key_missing",
        )

    def _candidates(self, model: str) -> Sequence[str]:
        if self._base is not None:
            return [self._base]
        found = self.bases()
        own = self._bases_of.get(model)
        return found if own is None else [own, *(base for base in found if base != own)]

    async def _read(self, reply: Reply, peer: Peer, answer: Answer) -> AsyncGenerator[StreamEvent, None]:
        thinks_s = thinks_for_s(self.config, peer.model)
        if thinks_s:
            reply.let_think(thinks_s)
        shape = await reply.shape()
        if shape == "html":
            raise web_page(peer, reply)
        framing = self.framing(shape)
        if framing is None:
            payload = await reply.json()
            if isinstance(payload, list) and len(payload) == 1:
                payload = payload[0]
            if not isinstance(payload, dict):
                raise malformed(peer, "It is JSON of another kind", status=reply.status)
            problem = self.find_problem(payload, reply, midstream=False)
            if problem is not None:
                self.note_usage(payload, answer)
                raise self.fail(peer, problem)
            for event in self.read_whole(payload, answer):
                yield event
            return
        patient = self.finish_on_every_event
        async with aclosing(reply.events(framing)) as events:
            async for sse in events:
                if sse.data.strip() == END:
                    if answer.text and answer.usage is not None and answer.finish is None:
                        answer.finish = "stop"  # no reason named, but the count only comes behind a whole answer
                    return
                payload = payload_of(sse, peer, reply)
                if payload is None:
                    continue
                problem = self.find_problem(payload, reply, midstream=True)
                if problem is None and sse.event == "error":
                    problem = read_problem(payload, reply.status, {}, midstream=True)
                if problem is not None:
                    self.note_usage(payload, answer)
                    raise self.fail(peer, problem)
                finished = answer.finish is not None
                found = self.read_event(payload, answer)
                for event in found:
                    yield event
                if thinks_s and answer.text:
                    thinks_s = 0.0
                    reply.let_think(0.0)
                if answer.over:
                    return
                patient = patient or (finished and bool(found))
                if answer.finish is not None and (found or not patient):
                    reply.hurry(peer.idle_s if patient else AFTER_FINISH_S, anew=patient)

    def _cut_short(self, peer: Peer, reply: Reply, answer: Answer) -> StreamInterrupted:
        partial = "".join(answer.text)
        return peer.error(
            StreamInterrupted,
            f"The answer of {peer.name} broke off" if partial else f"{peer.name} sent an empty answer",
            "The stream ended without saying that it was complete",
            "Try again, or choose another provider",
            partial=partial,
            status=reply.status,
            midstream=True,
            usage=answer.usage,
            request_id=reply.request_id,
        )


@lru_cache(maxsize=256)
def thinks_for_s(config: LLMProviderConfig, model: str) -> float:
    """How long this model may be silent before its first word; 0 where the usual patience is enough or was chosen."""
    chosen = config.idle_timeout is not None or config.timeout < USUAL_TIMEOUT_S
    return 0.0 if chosen or facts_for(config, model).reasoning is not True else THINKS_S


def with_and_without_v1(endpoint: str) -> list[str]:
    """The bases an endpoint may mean: as written, and with or without the customary /v1."""
    endpoint = endpoint.rstrip("/")
    last = split_address(endpoint).path.rpartition("/")[2]
    if re.fullmatch(r"v\d+\w*", last):
        return [endpoint, endpoint.removesuffix("/" + last)] if last == "v1" else [endpoint]
    return [endpoint + "/v1", endpoint]
