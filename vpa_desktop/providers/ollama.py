"""Ollama's own dialect: ``/api/chat`` in JSON lines, with the window, the thinking and the memory it is asked for.

Not its OpenAI-compatible side: only here can the window be set, without which Ollama cuts prompts without a word.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.embedding import EmbeddingRequest
from vpa_desktop.errors import ProviderError, RequestRejected
from vpa_desktop.messages import FinishReason, LLMRequest, Message, ReasoningDelta, StreamEvent, ToolCall, Usage
from vpa_desktop.providers._answer import Answer
from vpa_desktop.providers._calls import answered_call, carried_back
from vpa_desktop.providers._dialect import Ask
from vpa_desktop.providers._embeddings import EmbeddingProvider, Read, vector_of
from vpa_desktop.providers._failures import Peer, Problem
from vpa_desktop.providers._frames import Framing, JSONFrames
from vpa_desktop.providers._http import LINE_BYTES, HttpSession, Reply
from vpa_desktop.providers._ollama_models import ModelTag, Shown, read_shown, read_tags, window
from vpa_desktop.providers._sse import SSEDecoder
from vpa_desktop.providers._values import count, dict_of, dicts_of, list_of, object_in, text_of

SHOW_S: Final = 5.0
"""How long to wait for what a model can do; without it the answer is asked for all the same."""

SHOWS_AT_ONCE: Final = 4
FINISH: Final[dict[str, FinishReason]] = {
    "": "stop",  # older servers give no reason
    "load": "stop",
    "unload": "stop",
}
LEVELS: Final = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "max",
}
"""For the models that know degrees of thinking and cannot be without."""

START: Final = "Start Ollama (its app, or `ollama serve`), or correct the endpoint in Settings, Providers"


class OllamaProvider(EmbeddingProvider):
    """An Ollama server on this machine or another, or ollama.com with a key."""

    optional = ("think",)

    def __init__(self, config: LLMProviderConfig, *, http: HttpSession | None = None) -> None:
        super().__init__(config, http=http)
        self._shown: dict[str, tuple[str, Shown]] = {}
        self.context_tokens = window(config, None)

    def bases(self) -> Sequence[str]:
        """The server itself, whichever of its paths was written."""
        return [re.sub(r"/(?:api(?:/chat)?|v1)$", "", self.config.endpoint)]

    def path(self) -> str:
        """The chat."""
        return "/api/chat"

    def headers(self) -> Mapping[str, str]:
        """The key as a bearer token, where there is one: ollama.com asks for it."""
        headers = {"Content-Type": "application/json"}
        if self.config.api_key:
            headers["Authorization"] = f"Bearer {self.config.api_key}"
        return headers

    def peer(self, model: str) -> Peer:
        """Whom error sentences name."""
        peer = super().peer(model)
        return replace(peer, name="Ollama") if self.provider_id == self.config.kind else peer

    def sees_images(self, model: str) -> bool | None:
        """What Ollama said about the model, if it was asked."""
        return self._shown[model][1].info.images if model in self._shown else None

    def window_of(self, model: str) -> int | None:
        """The window that is asked for with this model, from what Ollama said about it."""
        return window(self.config, self._shown[model][1] if model in self._shown else None)

    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The request, always with a window, and with an error instead of a silent cut where it is too small."""
        shown = self._shown[model][1] if model in self._shown else None
        options = {
            "num_ctx": self.window_of(model),
            "num_predict": request.max_tokens or self.config.max_tokens,
            "temperature": self.config.temperature if request.temperature is None else request.temperature,
            "top_p": request.top_p,
            "stop": list(request.stop) or None,
        }
        body: dict[str, Any] = {
            "model": model,
            "messages": _messages(request.messages, self.config.kind, model),
            "stream": True,
            "truncate": False,
            "keep_alive": f"{self.config.keep_loaded_minutes:g}m",
            "options": {name: value for name, value in options.items() if value is not None},
        }
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.parameters),
                    },
                }
                for tool in request.tools
            ]
        effort = request.effort or self.config.effort
        if effort and shown is not None and shown.info.reasoning:
            body["think"] = LEVELS.get(effort, "medium") if shown.levels else effort != "none"
        return body

    def refused(self, problem: Problem, sent: Mapping[str, Any]) -> str | None:
        """``think``, where a 400 speaks of it: Ollama names no field."""
        about_thinking = re.search(r"\bthink", problem.message) is not None
        return "think" if problem.status == 400 and about_thinking and "think" in sent else None

    def framing(self, shape: str) -> Framing | None:
        """JSON objects, however they are separated; events only from something that is not Ollama."""
        return SSEDecoder(LINE_BYTES) if shape == "sse" else JSONFrames(LINE_BYTES)

    def find_problem(self, payload: Mapping[str, Any], reply: Reply, *, midstream: bool) -> Problem | None:
        """The error in a line; where the line has a status of its own, it stands for the one that was already sent."""
        problem = super().find_problem(payload, reply, midstream=midstream)
        status = count(payload.get("StatusCode")) or count(payload.get("status_code"))
        return problem if problem is None or not status else replace(problem, kind=str(status))

    def refine(self, problem: Problem) -> Problem:
        """Errors are plain strings here; some of them have a remedy of Ollama's own."""
        if problem.status == 404 and "model" in problem.message:
            named = re.search(r"model ['\"]?([\w./:-]+)['\"]? not found", problem.message)
            return replace(problem, param="model", next_step=_pull(named[1] if named else self.model))
        if problem.status == 401:
            return replace(problem, next_step="Run `ollama signin` there, or check the key in Settings, Keys")
        if problem.status >= 500 and "memory" in problem.message and "available" in problem.message:
            step = "Choose a smaller model or a smaller window, or close other programs"
            return replace(problem, should_retry=False, next_step=step)
        return problem

    def read_event(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take one line into the answer; the last one may carry text too."""
        answer.model = text_of(payload.get("model")) or answer.model
        message = dict_of(payload.get("message"))
        thinking = message.get("thinking") or message.get("reasoning_content")
        events = answer.add_reasoning(thinking)
        answer.parts += [{"thinking": event.text} for event in events if isinstance(event, ReasoningDelta)]
        events += answer.add_text(message.get("content"))
        for call in dicts_of(message.get("tool_calls")):
            function = dict_of(call.get("function"))
            if function.get("name"):
                answer.tools[len(answer.tools)] = _read_call(call, function)
        if payload.get("done") is True:
            reason = text_of(payload.get("done_reason")) or ""
            answer.finish = FINISH.get(reason) or answer.finish_meant(reason)
            answer.usage = _usage(payload) or answer.usage
        return events

    def read_whole(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """The same for an answer that came in one piece."""
        return self.read_event(payload, answer)

    def carried(self, answer: Answer) -> Sequence[Mapping[str, Any]]:
        """The thinking before a call, which the model goes on from when it gets the result."""
        thinking = "".join(str(part["thinking"]) for part in answer.parts)
        return ({"thinking": thinking},) if answer.tools and thinking else ()

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer as it comes, then one StreamDone; raises ProviderError."""
        model = str(request.model or self.model)
        if self.config.context_tokens is None or request.effort or self.config.effort:
            await self._look(model)
        try:
            async with aclosing(super().stream(request)) as events:
                async for event in events:
                    yield event
        except ProviderError as exc:
            _say_start(exc)
            raise

    async def connect(self) -> None:
        """Check that Ollama runs and has the model; says in words how to get there."""
        names = [tag.name for tag in await self._tags()]
        if {self.model, f"{self.model}:latest"} & set(names) or (names and not self.model):
            return
        raise self.peer(self.model).error(
            RequestRejected,
            f'Ollama does not have the model "{self.model}"' if self.model else "Ollama has no model to answer with",
            f"It has {', '.join(names[:8])}" if names else "None was pulled yet",
            _pull(self.model or "qwen3"),
            error_class="not_found",
        )

    def embedding_ask(self, request: EmbeddingRequest) -> Ask:
        """Texts that are too long for the model are cut there: their beginning says what they are about."""
        body: dict[str, Any] = {
            "model": request.model,
            "input": list(request.texts),
            "truncate": True,
            "keep_alive": f"{self.config.keep_loaded_minutes:g}m",
        }
        if request.dimensions:
            body["dimensions"] = request.dimensions
        return Ask("/api/embed", body)

    def read_embeddings(self, payload: Mapping[str, Any]) -> Read:
        """Vectors in the order of the texts, and how many tokens were read."""
        found = [vector_of(each) for each in list_of(payload.get("embeddings"))]
        return Read(found, text_of(payload.get("model")) or "", count(payload.get("prompt_eval_count")))

    async def list_models(self) -> list[ModelInfo]:
        """The models that were pulled, with what each can do."""
        gate = asyncio.Semaphore(SHOWS_AT_ONCE)

        async def one(tag: ModelTag) -> ModelInfo:
            async with gate:
                shown = await self._look(tag.name, tag.digest)
            return shown.info if shown is not None else ModelInfo(tag.name)

        return list(await asyncio.gather(*(one(tag) for tag in await self._tags())))

    async def _tags(self) -> list[ModelTag]:
        try:
            return read_tags(await self.get_json("/api/tags"))
        except ProviderError as exc:
            _say_start(exc)
            raise

    async def _look(self, model: str, digest: str = "") -> Shown | None:
        """What the server says about a model, asked once; None where it does not say."""
        known = self._shown.get(model)
        if known is None or (digest and known[0] != digest):
            try:
                async with asyncio.timeout(SHOW_S):
                    payload = await self.get_json("/api/show", {"model": model})
            except (ProviderError, TimeoutError):
                return None  # the answer is asked for all the same, and says what is wrong
            known = self._shown[model] = (digest, read_shown(model, payload))
            if model == self.model:
                self.context_tokens = window(self.config, known[1])
        return known[1]


def _messages(messages: Sequence[Message], kind: str, model: str) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    waiting: list[ToolCall] = []
    for position, message in enumerate(messages):
        turn: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.images:
            turn["images"] = [base64.b64encode(image.data).decode("ascii") for image in message.images]
        for item in carried_back(messages, position, kind, model):
            turn.update(item)
        if message.tool_calls:
            waiting = list(message.tool_calls)
            turn["tool_calls"] = [_sent_call(call) for call in message.tool_calls]
        if message.role == "tool":
            call = answered_call(message, waiting)
            turn["tool_name"] = call.name
            if call.id:
                turn["tool_call_id"] = call.id
        turns.append(turn)
    return turns


def _sent_call(call: ToolCall) -> dict[str, Any]:
    named = {"id": call.id} if call.id else {}
    return {**named, "function": {"name": call.name, "arguments": object_in(call.arguments) or {}}}


def _read_call(call: Mapping[str, Any], function: Mapping[str, Any]) -> ToolCall:
    """A call; its arguments are an object, at some servers the text of one."""
    given = function.get("arguments")
    arguments = given if isinstance(given, str) else json.dumps(dict_of(given), ensure_ascii=False)
    return ToolCall(text_of(call.get("id")) or "", str(function["name"]), arguments)


def _usage(payload: Mapping[str, Any]) -> Usage | None:
    """Token counts; the prompt's is missing where it came from the cache, which is not zero."""
    prompt, answer = count(payload.get("prompt_eval_count")), count(payload.get("eval_count"))
    return None if prompt is None and answer is None else Usage(input_tokens=prompt, output_tokens=answer)


def _say_start(exc: ProviderError) -> None:
    """Where nobody answers at all, the server most likely was not started."""
    if exc.error_class == "network" and exc.status is None:
        exc.next_step = START


def _pull(model: str) -> str:
    return f"Get it with `ollama pull {model}`, or choose another model in Settings, Providers"
