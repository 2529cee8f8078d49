"""Answers in the shape of Chat Completions, whole and in chunks. What is ours stands in one extra field, ``vpa``."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from vpa_desktop.messages import FinishReason, LLMResponse, Seam, ToolCall, Usage
from vpa_desktop.serve.refusals import attempts_of, without_secrets

DONE: Final = b"data: [DONE]\n\n"
FINISH: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "length",
    "continue": "length",
}
"""OpenAI's words; one that stopped before its end says so in the only word there is for it."""


def new_id(prefix: str) -> str:
    """An id nobody can guess."""
    return f"{prefix}{secrets.token_hex(12)}"


def usage_of(usage: Usage) -> dict[str, Any]:
    """Token counts under OpenAI's names; what is not known is 0, since a client adds them up."""
    prompt, answer = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens or 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0, "audio_tokens": 0},
    }


def receipt_of(response: LLMResponse, ignored: Sequence[str]) -> dict[str, Any]:
    """What OpenAI's shape has no place for: who was tried, what it cost, what was left out of the request."""
    return {
        "provider": response.provider,
        "attempts": attempts_of(response.attempts),
        "cost_usd": None if response.cost_usd is None else float(response.cost_usd),
        "first_choice": response.first_choice,
        "first_choice_usd": None if response.first_choice_usd is None else float(response.first_choice_usd),
        "cached": response.cached,
        "estimated_usage": response.usage.estimated,
        "warnings": [without_secrets(warning) for warning in response.warnings],
        "ignored": list(ignored),
    }


def name_of(provider: str, model: str) -> str:
    """The name under which the same can be asked for again."""
    return f"{provider}/{model}"


def finish_of(response: LLMResponse) -> str:
    """Why it ended, in OpenAI's words."""
    return FINISH.get(response.finish_reason or "stop", "stop")


def calls_of(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """The functions the model asks for."""
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]


def whole(answer_id: str, response: LLMResponse, ignored: Sequence[str]) -> bytes:
    """The whole answer as one document."""
    message: dict[str, Any] = {"role": "assistant", "content": response.content, "refusal": None}
    if response.reasoning:
        message["reasoning_content"] = response.reasoning
    if response.tool_calls:
        message["tool_calls"] = calls_of(response.tool_calls)
        message["content"] = response.content or None
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_of(response)}
    document = {
        "id": answer_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": name_of(response.provider, response.model),
        "choices": [choice],
        "usage": usage_of(response.usage),
        "vpa": receipt_of(response, ignored),
    }
    return json.dumps(document).encode()


class Chunks:
    """Makes the events of one streamed answer; the same head stands on each."""

    def __init__(self, answer_id: str, *, include_usage: bool, ignored: Sequence[str]) -> None:
        self._id = answer_id
        self._created = int(time.time())
        self._include_usage = include_usage
        self._ignored = ignored
        self._head = b""
        self._tail = b'},"finish_reason":null}]' + (b',"usage":null}\n\n' if include_usage else b"}\n\n")
        self.model = ""

    def answered_by(self, provider: str, model: str) -> None:
        """From here on it is this provider's answer."""
        self.model = name_of(provider, model)
        base = json.dumps(self._base())[:-1]
        self._head = f'data: {base}, "choices":[{{"index":0,"delta":{{'.encode()

    def first(self) -> bytes:
        """Who speaks."""
        return self._head + b'"role":"assistant","content":""' + self._tail

    def text(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._head + b'"content":' + json.dumps(text).encode() + self._tail

    def reasoning(self, text: str) -> bytes:
        """A piece of the reasoning, under the name that most servers have for it."""
        return self._head + b'"reasoning_content":' + json.dumps(text).encode() + self._tail

    def seam(self, seam: Seam) -> bytes:
        """An empty piece that says who goes on with the answer, and why."""
        told = {"from": seam.from_provider, "to": seam.to_provider, "reason": without_secrets(seam.reason)}
        return self._event(choices=[_choice({})], vpa={"seam": told})

    def last(self, response: LLMResponse) -> bytes:
        """Tool calls, the finish, and what it took; then the end."""
        events = b""
        if response.tool_calls:
            calls = [{"index": n, **call} for n, call in enumerate(calls_of(response.tool_calls))]
            events += self._event(choices=[_choice({"tool_calls": calls})])
        receipt = receipt_of(response, self._ignored)
        finish = _choice({}, finish_of(response))
        if not self._include_usage:
            return events + self._event(choices=[finish], vpa=receipt) + DONE
        events += self._event(choices=[finish])
        return events + self._event(choices=[], usage=usage_of(response.usage), vpa=receipt) + DONE

    def _base(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self.model,
        }

    def _event(self, **fields: Any) -> bytes:
        usage = {"usage": None} if self._include_usage else {}
        return b"data: " + json.dumps({**self._base(), **usage, **fields}).encode() + b"\n\n"


def _choice(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}
