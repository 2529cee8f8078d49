"""The Chat Completions dialect, as OpenAI defined it and as a dozen servers speak it. No other OpenAI protocol.

The differences that matter (reasoning under two names, content as a list, usage in odd places, errors inside a 200)
are handled for every server alike: an endpoint does not say which of them it is.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo, split_address
from vpa_desktop.embedding import EmbeddingRequest
from vpa_desktop.errors import ProviderError, VPAError
from vpa_desktop.messages import ImageData, LLMRequest, Message, StreamEvent, ToolSpec, Usage
from vpa_desktop.providers._answer import Answer
from vpa_desktop.providers._broken import malformed
from vpa_desktop.providers._calls import carried_back
from vpa_desktop.providers._dialect import Ask, with_and_without_v1
from vpa_desktop.providers._embeddings import EmbeddingProvider, Read, openai_body, read_openai
from vpa_desktop.providers._failures import Peer, Problem, read_problem
from vpa_desktop.providers._http import HttpSession, Reply
from vpa_desktop.providers._model_lists import read_models
from vpa_desktop.providers._values import count, dict_of, dicts_of, list_of, text_of
from vpa_desktop.tokens import TokenCount

COUNT_S: Final = 10.0
"""How long counting a prompt may take; an estimate is there at once."""

CARRIED: Final = ("reasoning_content", "reasoning_details")


HOME_PATHS: Final = {
    "api.groq.com": "/openai/v1",
    "openrouter.ai": "/api/v1",
    "api.fireworks.ai": "/inference/v1",
    "generativelanguage.googleapis.com": "/v1beta/openai",
}
"""Where the dialect is found at hosts that keep it neither at /v1 nor at the root."""

NO_STREAM_OPTIONS: Final = ("api.mistral.ai", "codestral.mistral.ai")
"""Hosts that refuse the field; they send the usage unasked."""


class OpenAICompatibleProvider(EmbeddingProvider):
    """Any server with ``/v1/chat/completions``. The endpoint works with and without a trailing /v1."""

    optional: tuple[str, ...] = (
        "temperature",
        "top_p",
        "stop",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "reasoning_effort",
        "reasoning",
        "prompt_cache_key",
        "store",
        "encoding_format",
    )
    limit_field = "max_tokens"

    def __init__(self, config: LLMProviderConfig, *, http: HttpSession | None = None) -> None:
        super().__init__(config, http=http)
        self._uncounted: set[str] = set()

    @property
    def host(self) -> str:
        """The endpoint's host name."""
        return (split_address(self.config.endpoint).hostname or "").lower()

    def bases(self) -> Sequence[str]:
        """The endpoint as written, and with or without /v1."""
        found = with_and_without_v1(self.config.endpoint)
        home = HOME_PATHS.get(self.host)
        if home and not split_address(self.config.endpoint).path.strip("/"):
            return [self.config.endpoint.rstrip("/") + home, *found]
        return found

    @property
    def encodes_vectors(self) -> bool:
        """True where vectors are asked for as bytes; a server that nobody knows may not understand the wish."""
        return False

    def path(self) -> str:
        """Chat Completions."""
        return "/chat/completions"

    def headers(self) -> Mapping[str, str]:
        """The key as a bearer token, where there is one."""
        headers = {"Content-Type": "application/json"}
        if self.config.api_key:
            headers["Authorization"] = f"Bearer {self.config.api_key}"
        return headers

    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The request; only what was chosen is sent, the rest is the server's default."""
        effort = request.effort or self.config.effort
        fields: dict[str, Any] = {
            "stream_options": None if self.host in NO_STREAM_OPTIONS else {"include_usage": True},
            self.limit_field: request.max_tokens or self.config.max_tokens,
            "temperature": self.config.temperature if request.temperature is None else request.temperature,
            "top_p": request.top_p,
            "stop": list(request.stop) or None,
            "tools": [chat_tool(tool) for tool in request.tools] or None,
        }
        if self.host == "openrouter.ai":
            fields["reasoning"] = {"effort": effort} if effort else None
        else:
            fields["reasoning_effort"] = effort
        return {
            "model": model,
            "messages": self.messages(request.messages, model),
            "stream": True,
            **{name: value for name, value in fields.items() if value is not None},
        }

    def messages(self, messages: Sequence[Message], model: str) -> list[dict[str, Any]]:
        """The turns; what an answer carries goes back with it inside a running tool loop."""
        turns = [chat_message(message) for message in messages]
        for at, turn in enumerate(turns):
            for item in carried_back(messages, at, self.config.kind, model):
                turn.update({name: value for name, value in item.items() if name in CARRIED})
        return turns

    def carried(self, answer: Answer) -> Sequence[Mapping[str, Any]]:
        """Reasoning, where the answer calls tools."""
        if not answer.tools:
            return ()
        text = "".join(str(part["text"]) for part in answer.parts if "text" in part)
        details = [part["detail"] for part in answer.parts if "detail" in part]
        reasoning = {name: value for name, value in zip(CARRIED, (text, details), strict=True) if value}
        return [*(item for _, item in sorted(answer.items.items())), *([reasoning] if reasoning else ())]

    def counts(self, request: LLMRequest, model: str) -> Sequence[Ask]:
        """The ways to have a prompt counted: llama.cpp's own path; a server that does not know it is asked once."""
        body = self.body(request, model)
        wanted = {name: value for name, value in body.items() if name in ("model", "messages", "tools")}
        return [Ask("/chat/completions/input_tokens", wanted)]

    async def count_tokens(self, request: LLMRequest) -> TokenCount:
        """The tokens of a prompt as the provider counts them, an estimate where it does not."""
        peer = self.peer(str(request.model or self.model))
        asks: Sequence[Ask] = ()
        try:
            asks = [ask for ask in self.counts(request, peer.model) if ask.path not in self._uncounted]
            if asks:
                async with asyncio.timeout(COUNT_S):
                    return TokenCount(await self._count(peer, asks), estimated=False)
        except (VPAError, TimeoutError) as exc:
            if isinstance(exc, ProviderError) and exc.error_class in ("not_found", "malformed"):
                self._uncounted.update(ask.path for ask in asks)
        return await super().count_tokens(request)

    async def _count(self, peer: Peer, asks: Sequence[Ask]) -> int:
        async with AsyncExitStack() as stack:
            reply, _ = await self._send(stack, peer, asks)
            payload = await reply.json()
        tokens = count(dict_of(payload).get("input_tokens"))
        if not tokens:
            raise malformed(peer, "It is not a count", status=reply.status)
        return tokens

    def without(self, body: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        """The body without refused fields; the two names of the length limit stand in for each other."""
        kept = super().without(body, refused)
        for old, new in (("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")):
            if old in body and old in refused and new not in refused:
                kept[new] = body[old]
        return kept

    def find_problem(self, payload: Mapping[str, Any], reply: Reply, *, midstream: bool) -> Problem | None:
        """The error in the payload, or the one Groq hides in its own field."""
        groq = payload.get("x_groq")
        if isinstance(groq, dict) and groq.get("error"):
            return read_problem({"error": {"code": groq["error"]}}, reply.status, {}, midstream=midstream)
        if payload.get("object") == "error":
            return read_problem(payload, reply.status, {}, midstream=midstream)
        return super().find_problem(payload, reply, midstream=midstream)

    def note_usage(self, payload: Mapping[str, Any], answer: Answer) -> None:
        """The counts beside an error, of either protocol: what was computed is billed."""
        for holder in (payload, dict_of(payload.get("response"))):
            if isinstance(usage := holder.get("usage"), dict):
                answer.usage = read_usage(usage)

    def read_event(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take one chunk into the answer."""
        return self._read_choices(payload, answer, "delta")

    def read_whole(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take an answer that came in one piece."""
        return self._read_choices(payload, answer, "message")

    def _read_choices(self, payload: Mapping[str, Any], answer: Answer, key: str) -> list[StreamEvent]:
        answer.model = answer.model or text_of(payload.get("model"))
        groq = payload.get("x_groq")
        usage = payload.get("usage") or dict_of(groq).get("usage")
        if isinstance(usage, dict):
            answer.usage = read_usage(usage)
        events: list[StreamEvent] = []
        for choice in list_of(payload.get("choices")):
            if not isinstance(choice, dict) or choice.get("index") not in (0, None):
                continue
            events += _read_delta(choice.get(key) or {}, answer)
            finish = choice.get("finish_reason")
            if isinstance(finish, str) and finish:
                answer.finish = answer.finish_meant(finish)
        return events

    def embedding_ask(self, request: EmbeddingRequest) -> Ask:
        """OpenAI's embeddings, as nearly every server has them."""
        return Ask("/embeddings", openai_body(request, request.model, encoded=self.encodes_vectors))

    def read_embeddings(self, payload: Mapping[str, Any]) -> Read:
        """Rows with an index each."""
        return read_openai(payload)

    async def list_models(self) -> list[ModelInfo]:
        """The models the server lists, with what else it says about them."""
        return read_models(await self.get_json("/models"))


def chat_message(message: Message) -> dict[str, Any]:
    """One turn as Chat Completions wants it; images go as data URLs."""
    content: Any = message.content
    if message.images:
        content = [{"type": "text", "text": message.content}] if message.content else []
        content += [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in message.images]
    turn: dict[str, Any] = {"role": message.role, "content": content or None if message.tool_calls else content}
    if message.tool_calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def chat_tool(tool: ToolSpec) -> dict[str, Any]:
    """A function a model may ask for."""
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def data_url(image: ImageData) -> str:
    """The image as a data URL."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Token counts under their names in Chat Completions or in Responses; details may lack.

    Those of the prompt already contain the cached ones, those of the answer the reasoning.
    """
    prompt = dict_of(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    completion = dict_of(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    cached = count(prompt.get("cached_tokens"))
    return Usage(
        input_tokens=count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        output_tokens=count(usage.get("completion_tokens", usage.get("output_tokens"))),
        cached_input_tokens=count(usage.get("prompt_cache_hit_tokens")) if cached is None else cached,
        cache_write_tokens=count(prompt.get("cache_write_tokens")),
        reasoning_tokens=count(completion.get("reasoning_tokens")),
    )


def _read_delta(delta: Any, answer: Answer) -> list[StreamEvent]:
    if not isinstance(delta, dict):
        return []
    events = _read_reasoning(delta, answer)
    content = delta.get("content")
    for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        events += _read_part(part, answer)
    refusal = answer.add_text(delta.get("refusal"))
    answer.refused = answer.refused or bool(refusal)
    for position, call in enumerate(list_of(delta.get("tool_calls"))):
        if isinstance(call, dict):
            function = dict_of(call.get("function"))
            known = {"call_id": call.get("id"), "name": function.get("name")}
            place = answer.tool_place(call.get("index"), position, **known)
            answer.add_tool(place, **known, arguments=function.get("arguments"))
    legacy = dict_of(delta.get("function_call"))
    if legacy and (not answer.tools or "function_call" in answer.places):  # some send both forms
        place = answer.places.setdefault("function_call", 0)
        answer.add_tool(place, name=legacy.get("name"), arguments=legacy.get("arguments"))
    return events + refusal


def _read_reasoning(delta: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
    """Reasoning under each of its names, shown once and kept: DeepSeek and OpenRouter want it back with results."""
    text, details = delta.get("reasoning_content"), dicts_of(delta.get("reasoning_details"))
    if isinstance(text, str) and text:
        answer.parts.append({"text": text})
    answer.parts += [{"detail": detail} for detail in details]
    events = answer.add_reasoning(text or delta.get("reasoning"))
    if events:
        answer.seen.add("reasoning")
    if "reasoning" in answer.seen:  # the details only repeat it
        return events
    return [event for item in details for event in answer.add_reasoning(item.get("text") or item.get("summary"))]


def _read_part(part: Any, answer: Answer) -> list[StreamEvent]:
    """One element of a content list; Mistral puts its thinking there, itself a list of texts."""
    if not isinstance(part, dict):
        return answer.add_text(part)
    if part.get("type") == "thinking":
        pieces = part.get("thinking")
        texts = [dict_of(piece).get("text") for piece in pieces] if isinstance(pieces, list) else [pieces]
        return [event for text in texts for event in answer.add_reasoning(text)]
    return answer.add_text(part.get("text"))
