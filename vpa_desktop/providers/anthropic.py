"""Anthropic's Messages dialect. Thinking is read and shown, never sent back.

Past thinking blocks are bound to the exact prompt they came from; a prompt with other retrieved passages would be
refused with them in it, so history goes out as plain text.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from vpa_desktop.catalog import ModelInfo
from vpa_desktop.messages import FinishReason, LLMRequest, Message, StreamEvent, Usage
from vpa_desktop.providers._answer import Answer
from vpa_desktop.providers._dialect import HttpProvider
from vpa_desktop.providers._failures import Problem
from vpa_desktop.providers._values import count

VERSION: Final = "2026-10-21"
WITH_SAMPLING: Final = "2023-06-01"
"""The last version whose models take temperature and top_p; used only where a person pinned it."""

MAX_TOKENS: Final = 16_384
"""The API demands a limit, and models think inside it: a small one gives an empty answer."""

SAFE_MAX_TOKENS: Final = 4_096
"""What every model takes; the stand-in where the limit is refused."""

PAGES: Final = 20

FINISH: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}


class AnthropicProvider(HttpProvider):
    """The Messages API, at Anthropic or at a server that speaks it."""

    optional = ("temperature", "top_p", "stop_sequences", "max_tokens")

    def bases(self) -> Sequence[str]:
        """The endpoint with exactly one /v1."""
        return [self.config.endpoint.removesuffix("/v1") + "/v1"]

    def path(self) -> str:
        """Messages."""
        return "/messages"

    def headers(self) -> Mapping[str, str]:
        """The version, and the key under both its names: servers in between may read only one."""
        headers = {"Content-Type": "application/json", "anthropic-version": self._version}
        if self.config.api_key:
            headers["x-api-key"] = self.config.api_key
            headers["Authorization"] = f"Bearer {self.config.api_key}"
        return headers

    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The request; sampling parameters only with the old version, since newer models refuse them."""
        fields: dict[str, Any] = {
            "system": "\n\n".join(turn.content for turn in request.messages if turn.role == "system" and turn.content),
            "stop_sequences": list(request.stop),
        }
        if self._version == WITH_SAMPLING:
            fields["temperature"] = self.config.temperature if request.temperature is None else request.temperature
            fields["top_p"] = request.top_p
        return {
            "model": model,
            "max_tokens": request.max_tokens or self.config.max_tokens or MAX_TOKENS,
            "messages": [turn for message in request.messages if (turn := _turn(message)) is not None],
            "stream": True,
            **{name: value for name, value in fields.items() if value not in (None, "", [])},
        }

    def without(self, body: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        """The body without refused fields; a refused limit becomes one that every model takes."""
        kept = super().without(body, refused)
        kept.setdefault("max_tokens", min(SAFE_MAX_TOKENS, body["max_tokens"]))
        return kept

    def refine(self, problem: Problem) -> Problem:
        """Anthropic's code is the error's type, unless a detail says more."""
        return replace(problem, code=problem.code or problem.kind)

    def read_event(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take one event into the answer, by the type in its data; unknown ones are nothing."""
        match payload.get("type"):
            case "message_start":
                message = _dict(payload.get("message"))
                answer.model = _text(message.get("model"))
                _count(answer, message)
            case "content_block_start":
                return _read_block(_dict(payload.get("content_block")), _index(payload), answer)
            case "content_block_delta":
                return _read_delta(_dict(payload.get("delta")), _index(payload), answer)
            case "message_delta":
                _count(answer, payload)
                _finish(_dict(payload.get("delta")), answer)
        return []

    def read_whole(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take an answer that came in one piece."""
        answer.model = _text(payload.get("model"))
        _count(answer, payload)
        _finish(payload, answer)
        blocks = [block for block in _list(payload.get("content")) if isinstance(block, dict)]
        return [event for index, block in enumerate(blocks) for event in _read_block(block, index, answer)]

    async def list_models(self) -> list[ModelInfo]:
        """The models this key may use, with their limits and the day they end."""
        found: list[ModelInfo] = []
        after = ""
        for _ in range(PAGES):
            payload = _dict(await self.get_json(f"/models?limit=1000{after}"))
            found += [_model(row) for row in _list(payload.get("data")) if isinstance(row, dict) and row.get("id")]
            if not payload.get("has_more") or not payload.get("last_id"):
                break
            after = f"&after_id={payload['last_id']}"
        return found

    @property
    def _version(self) -> str:
        return self.config.api_version or VERSION


def _turn(message: Message) -> dict[str, Any] | None:
    """One turn as Messages wants it; None for system text, which goes elsewhere, and for empty turns, refused there."""
    if message.role == "system":
        return None
    if message.role == "tool":
        result = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}
        return {"role": "user", "content": [result]}
    blocks: list[dict[str, Any]] = [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": image.media_type,
                "data": base64.b64encode(image.data).decode("ascii"),
            },
        }
        for image in message.images
    ]
    if message.content.strip():
        blocks.append({"type": "text", "text": message.content})
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _object(call.arguments)}
        for call in message.tool_calls
    ]
    if not blocks:
        return None
    plain = len(blocks) == 1 and blocks[0]["type"] == "text"
    return {"role": message.role, "content": message.content if plain else blocks}


def _read_block(block: Mapping[str, Any], index: int, answer: Answer) -> list[StreamEvent]:
    match block.get("type"):
        case "text":
            return answer.add_text(block.get("text"))
        case "thinking":
            return answer.add_reasoning(block.get("thinking"))
        case "tool_use":
            given = block.get("input")
            arguments = json.dumps(given, ensure_ascii=False) if given else ""
            answer.add_tool(index, call_id=block.get("id"), name=block.get("name"), arguments=arguments)
    return []


def _read_delta(delta: Mapping[str, Any], index: int, answer: Answer) -> list[StreamEvent]:
    match delta.get("type"):
        case "text_delta":
            return answer.add_text(delta.get("text"))
        case "thinking_delta":
            return answer.add_reasoning(delta.get("thinking"))
        case "input_json_delta":
            answer.add_tool(index, arguments=delta.get("partial_json"))
    return []


def _count(answer: Answer, payload: Mapping[str, Any]) -> None:
    """Take the counts in: they are cumulative, so a later one replaces an earlier one.

    The whole prompt is the sum of the plain, the cached and the cache-written part.
    """
    usage = _dict(payload.get("usage"))
    if not usage:
        return
    answer.counts.update({name: value for name, value in usage.items() if value is not None})
    plain, cached, written = (
        count(answer.counts.get(name))
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    details = _dict(answer.counts.get("output_tokens_details"))
    answer.usage = Usage(
        input_tokens=None if plain is None else plain + (cached or 0) + (written or 0),
        output_tokens=count(answer.counts.get("output_tokens")),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=count(details.get("thinking_tokens")),
    )


def _finish(payload: Mapping[str, Any], answer: Answer) -> None:
    reason = payload.get("stop_reason")
    if isinstance(reason, str) and reason:
        answer.finish = FINISH.get(reason, "error")


def _model(row: Mapping[str, Any]) -> ModelInfo:
    images = _dict(row.get("capabilities")).get("image_input")
    supported = images.get("supported") if isinstance(images, dict) else images
    retires = row.get("retires_at")
    return ModelInfo(
        str(row["id"]),
        count(row.get("max_input_tokens")),
        count(row.get("max_tokens")),
        images=supported if isinstance(supported, bool) else None,
        retires_on=retires[:10] if isinstance(retires, str) else None,
    )


def _index(payload: Mapping[str, Any]) -> int:
    return count(payload.get("index")) or 0


def _object(arguments: str) -> Mapping[str, Any]:
    """The arguments of a past call; one whose JSON broke off has none to send back."""
    try:
        return _dict(json.loads(arguments))
    except ValueError:
        return {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
