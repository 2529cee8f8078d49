"""The Chat Completions dialect, as OpenAI defined it and as a dozen servers speak it. No other OpenAI protocol.

The differences that matter (reasoning under two names, content as a list, usage in odd places, errors inside a 200)
are handled for every server alike: an endpoint does not say which of them it is.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from vpa_desktop.catalog import ModelInfo
from vpa_desktop.messages import FinishReason, ImageData, LLMRequest, Message, StreamEvent, Usage
from vpa_desktop.providers._answer import Answer
from vpa_desktop.providers._dialect import HttpProvider, with_and_without_v1
from vpa_desktop.providers._failures import Problem, read_problem
from vpa_desktop.providers._http import Reply

FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
"""Any other finish reason means the server gave up: "error"."""


class OpenAICompatibleProvider(HttpProvider):
    """Any server with ``/v1/chat/completions``. The endpoint works with and without a trailing /v1."""

    optional = ("temperature", "top_p", "stop", "stream_options", "max_tokens", "max_completion_tokens")
    limit_field = "max_tokens"

    def bases(self) -> Sequence[str]:
        """The endpoint as written, and with or without /v1."""
        return with_and_without_v1(self.config.endpoint)

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
        limit = request.max_tokens or self.config.max_tokens
        fields: dict[str, Any] = {
            self.limit_field: limit,
            "temperature": self.config.temperature if request.temperature is None else request.temperature,
            "top_p": request.top_p,
            "stop": list(request.stop) or None,
        }
        return {
            "model": model,
            "messages": [chat_message(message) for message in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            **{name: value for name, value in fields.items() if value is not None},
        }

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

    def read_event(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take one chunk into the answer."""
        return self._read_choices(payload, answer, "delta")

    def read_whole(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take an answer that came in one piece."""
        return self._read_choices(payload, answer, "message")

    def _read_choices(self, payload: Mapping[str, Any], answer: Answer, key: str) -> list[StreamEvent]:
        answer.model = answer.model or _text(payload.get("model"))
        groq = payload.get("x_groq")
        usage = payload.get("usage") or _dict(groq).get("usage")
        if isinstance(usage, dict):
            answer.usage = read_usage(usage)
        events: list[StreamEvent] = []
        for choice in _list(payload.get("choices")):
            if not isinstance(choice, dict) or choice.get("index") not in (0, None):
                continue
            events += _read_delta(choice.get(key) or {}, answer)
            finish = choice.get("finish_reason")
            if isinstance(finish, str) and finish:
                answer.finish = FINISH.get(finish, "error")
        return events

    async def list_models(self) -> list[ModelInfo]:
        """The models the server lists, with what else it says about them."""
        payload = await self.get_json("/models")
        rows = payload.get("data") if isinstance(payload, dict) else payload
        found = [_model(row) for row in _list(rows) if isinstance(row, dict) and row.get("id")]
        return sorted(found, key=lambda model: model.id)


def chat_message(message: Message) -> dict[str, Any]:
    """One turn as Chat Completions wants it; images go as data URLs."""
    content: Any = message.content
    if message.images:
        content = [{"type": "text", "text": message.content}] if message.content else []
        content += [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in message.images]
    turn: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def data_url(image: ImageData) -> str:
    """The image as a data URL."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Token counts; ``prompt_tokens`` already contains the cached ones, ``completion_tokens`` the reasoning."""
    prompt = _dict(usage.get("prompt_tokens_details"))
    completion = _dict(usage.get("completion_tokens_details"))
    cached = count(prompt.get("cached_tokens"))
    return Usage(
        input_tokens=count(usage.get("prompt_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
        cached_input_tokens=count(usage.get("prompt_cache_hit_tokens")) if cached is None else cached,
        cache_write_tokens=count(prompt.get("cache_write_tokens")),
        reasoning_tokens=count(completion.get("reasoning_tokens")),
    )


def count(value: Any) -> int | None:
    """A token count, or None where the wire carries none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _read_delta(delta: Any, answer: Answer) -> list[StreamEvent]:
    if not isinstance(delta, dict):
        return []
    events = answer.add_reasoning(delta.get("reasoning_content") or delta.get("reasoning"))
    content = delta.get("content")
    for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        events += _read_part(part, answer)
    refusal = answer.add_text(delta.get("refusal"))
    answer.refused = answer.refused or bool(refusal)
    for position, call in enumerate(_list(delta.get("tool_calls"))):
        if isinstance(call, dict):
            function = _dict(call.get("function"))
            index = call.get("index")
            answer.add_tool(
                index if isinstance(index, int) else answer.tool_position(call.get("id"), position),
                call_id=call.get("id"),
                name=function.get("name"),
                arguments=function.get("arguments"),
            )
    return events + refusal


def _read_part(part: Any, answer: Answer) -> list[StreamEvent]:
    """One element of a content list; Mistral puts its thinking there, itself a list of texts."""
    if not isinstance(part, dict):
        return answer.add_text(part)
    if part.get("type") == "thinking":
        pieces = part.get("thinking")
        texts = [_dict(piece).get("text") for piece in pieces] if isinstance(pieces, list) else [pieces]
        return [event for text in texts for event in answer.add_reasoning(text)]
    return answer.add_text(part.get("text"))


def _model(row: Mapping[str, Any]) -> ModelInfo:
    window = next(
        (
            found
            for name in ("context_length", "max_model_len", "context_window", "max_context_length")
            if (found := count(row.get(name))) is not None
        ),
        count(_dict(row.get("meta")).get("n_ctx_train")),
    )
    retires = row.get("shutdown_date")
    if isinstance(retires, int):
        retires = datetime.fromtimestamp(retires, UTC).date().isoformat()
    info = ModelInfo(str(row["id"]), window, count(row.get("max_completion_tokens")))
    return replace(info, retires_on=retires) if isinstance(retires, str) else info


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
