"""Anthropic's Messages dialect: its headers, its stream, its lists. What a conversation looks like is _anthropic_body.

Thinking is read and shown. It goes back only inside the tool loop it came from: past thinking blocks are bound to the
exact prompt before them, and one with other retrieved passages would be refused with them in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from vpa_desktop.catalog import KINDS, LLMProviderConfig, ModelInfo, split_address
from vpa_desktop.errors import PolicyRefused, ProviderError
from vpa_desktop.messages import FinishReason, LLMRequest, StreamEvent, Usage
from vpa_desktop.providers import _anthropic_body as wire
from vpa_desktop.providers._answer import Answer, whole_characters
from vpa_desktop.providers._dialect import HttpProvider
from vpa_desktop.providers._failures import Problem
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._images import ImageLimits
from vpa_desktop.providers._values import count, dict_of, dicts_of, text_of
from vpa_desktop.tokens import TokenCount

VERSION: Final = "2026-10-21"
WITH_SAMPLING: Final = "2023-06-01"
"""The last version whose models take temperature and top_p; used only where a person pinned it."""

MAX_TOKENS: Final = 16_384
"""The API demands a limit, and models think inside it: a small one gives an empty answer."""

SAFE_MAX_TOKENS: Final = 4_096
"""What every model takes; the stand-in where the limit is refused."""

PAGES: Final = 20

OFFICIAL: Final = split_address(KINDS["anthropic"].default_endpoint).hostname
NOT_COUNTED: Final = ("max_tokens", "stream", "stop_sequences", "temperature", "top_p")
"""What counting a prompt does not take."""

FINISH: Final[dict[str, FinishReason]] = {"model_context_window_exceeded": "length", "pause_turn": "pause"}
"""What only this dialect says of an end."""


class AnthropicProvider(HttpProvider):
    """The Messages API, at Anthropic or at a server that speaks it."""

    optional = ("temperature", "top_p", "stop_sequences", "max_tokens", "output_config", "cache_control")
    image_limits = ImageLimits(longest_px=1_568, bytes_each=3_900_000, bytes_in_all=22_000_000, most=100)
    """5 MB in base64 for each, 32 MB for a request; larger than 1568 px it would be scaled down there."""

    def __init__(self, config: LLMProviderConfig, *, http: HttpSession | None = None) -> None:
        super().__init__(config, http=http)
        self._models: dict[str, ModelInfo] = {}
        self._efforts: dict[str, tuple[str, ...]] = {}

    def bases(self) -> Sequence[str]:
        """The endpoint with exactly one /v1."""
        return [self.config.endpoint.removesuffix("/v1") + "/v1"]

    def path(self) -> str:
        """Messages."""
        return "/messages"

    def headers(self) -> Mapping[str, str]:
        """The version and the key: as a bearer token at Anthropic, elsewhere under the older name too.

        A server in between may read only one of the two names. Anthropic itself reads both and would prefer the older.
        """
        headers = {"Content-Type": "application/json", "anthropic-version": self._version}
        if self.config.api_key:
            headers["Authorization"] = f"Bearer {self.config.api_key}"
            if split_address(self.config.endpoint).hostname != OFFICIAL:
                headers["x-api-key"] = self.config.api_key
        return headers

    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The request; sampling parameters only with the old version, since newer models refuse them."""
        effort = request.effort or self.config.effort
        levels = self._efforts.get(model, wire.EFFORTS)
        fields: dict[str, Any] = {
            "system": wire.system_blocks(request.messages),
            "tools": wire.tool_specs(request.tools),
            "stop_sequences": list(request.stop),
        }
        if effort and levels:
            fields["output_config"] = {"effort": wire.nearest_effort(effort, levels)}
        if self._version == WITH_SAMPLING:
            fields["temperature"] = self.config.temperature if request.temperature is None else request.temperature
            fields["top_p"] = request.top_p
        body = {
            "model": model,
            "max_tokens": self._limit(request, model),
            "messages": wire.turns(request.messages, model),
            "stream": True,
            **{name: value for name, value in fields.items() if value not in (None, [])},
        }
        wire.mark_for_cache(body, request)
        return wire.simplified(body)

    def without(self, body: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        """The body without refused fields; a refused limit becomes one that every model takes."""
        kept = super().without(body, refused)
        kept.setdefault("max_tokens", min(SAFE_MAX_TOKENS, body["max_tokens"]))
        return wire.unmarked(kept) if "cache_control" in refused else kept

    def refused(self, problem: Problem, sent: Mapping[str, Any]) -> str | None:
        """The refused field, also one that stands deeper in the body and is named there."""
        if problem.status in (400, 422) and problem.classify() == "invalid_request":
            said = f"{problem.param} {problem.message}"
            if re.search(r"\bcache_control\b|\bsystem\b", said) and '"cache_control"' in json.dumps(sent):
                return "cache_control"
            if re.search(r"\beffort\b|\boutput_config\b", said) and "output_config" in sent:
                return "output_config"
        return super().refused(problem, sent)

    def carried(self, answer: Answer) -> Sequence[Mapping[str, Any]]:
        """The whole answer as it came, where there is reasoning in it and calls whose results will follow."""
        return [block for _, block in sorted(answer.items.items())] if answer.tools else ()

    def sees_images(self, model: str) -> bool | None:
        """What the model list said about the model, if it was read."""
        return self._models[model].images if model in self._models else None

    def refine(self, problem: Problem) -> Problem:
        """Anthropic's code is the error's type, unless a detail says more."""
        return replace(problem, code=problem.code or problem.kind)

    def read_event(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take one event into the answer, by the type in its data; unknown ones are nothing."""
        match payload.get("type"):
            case "message_start":
                message = dict_of(payload.get("message"))
                answer.model = text_of(message.get("model"))
                _count(answer, message)
            case "content_block_start":
                return _read_block(dict_of(payload.get("content_block")), _index(payload), answer)
            case "content_block_delta":
                return _read_delta(dict_of(payload.get("delta")), _index(payload), answer)
            case "message_delta":
                _count(answer, payload)
                _finish(dict_of(payload.get("delta")), answer)
        return []  # pings and whatever is new

    def read_whole(self, payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
        """Take an answer that came in one piece."""
        answer.model = text_of(payload.get("model"))
        _count(answer, payload)
        blocks = dicts_of(payload.get("content"))
        events = [event for index, block in enumerate(blocks) for event in _read_block(block, index, answer)]
        _finish(payload, answer)
        return events

    async def list_models(self) -> list[ModelInfo]:
        """The models this key may use, with their limits and the day they end."""
        found: list[ModelInfo] = []
        after = ""
        for _ in range(PAGES):
            payload = dict_of(await self.get_json(f"/models?limit=1000{after}"))
            rows = [row for row in dicts_of(payload.get("data")) if row.get("id")]
            found += [_model(row) for row in rows]
            self._efforts |= {str(row["id"]): levels for row in rows if (levels := _efforts(row)) is not None}
            if not payload.get("has_more") or not payload.get("last_id"):
                break
            after = f"&after_id={payload['last_id']}"
        self._models = {model.id: model for model in found}
        return found

    async def count_tokens(self, request: LLMRequest) -> TokenCount:
        """The provider's own count, which is free; an estimate where it cannot be had."""
        model = str(request.model or self.model)
        try:
            ready = await self.with_images(request, model)
            body = self.without(self.body(ready, model), self._refused.get(model, frozenset()))
            body = {name: value for name, value in body.items() if name not in NOT_COUNTED}
            tokens = count(dict_of(await self.get_json("/messages/count_tokens", body)).get("input_tokens"))
        except (ProviderError, PolicyRefused):
            tokens = None
        return await super().count_tokens(request) if tokens is None else TokenCount(tokens, estimated=False)

    def _limit(self, request: LLMRequest, model: str) -> int:
        """The length limit, which the API demands: the person's, else a generous one, within what the model can."""
        limit = request.max_tokens or self.config.max_tokens or MAX_TOKENS
        most = self._models[model].max_output_tokens if model in self._models else None
        return min(limit, most) if most else limit

    def answer_limit(self, model: str) -> int | None:
        """The API demands a length."""
        return MAX_TOKENS

    @property
    def _version(self) -> str:
        return self.config.api_version or VERSION


def _read_block(block: Mapping[str, Any], index: int, answer: Answer) -> list[StreamEvent]:
    """Take the beginning of a block, or a whole one. Every block is kept as it came: in a tool loop it goes back."""
    match block.get("type"):
        case "text":
            answer.items[index] = {"type": "text", "text": text_of(block.get("text")) or ""}
            return answer.add_text(block.get("text"))
        case "thinking":
            words = {name: text_of(block.get(name)) or "" for name in ("thinking", "signature")}
            answer.items[index] = {"type": "thinking", **words}
            return answer.add_reasoning(block.get("thinking"))
        case "tool_use":
            answer.seen.add(("call", index))
            given = block.get("input")
            arguments = json.dumps(given, ensure_ascii=False) if given else ""
            answer.add_tool(index, call_id=block.get("id"), name=block.get("name"), arguments=arguments)
            answer.items[index] = {"type": "tool_use"}
        case str():
            answer.items[index] = dict(block)  # a tool of the server's own, or whatever is new
    return []


def _read_delta(delta: Mapping[str, Any], index: int, answer: Answer) -> list[StreamEvent]:
    name = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}.get(
        str(delta.get("type"))
    )
    if name is not None and isinstance(delta.get(name), str):
        block = answer.items.setdefault(index, {"type": "text" if name == "text" else "thinking"})
        block[name] = block.get(name, "") + delta[name]
    match delta.get("type"):
        case "text_delta":
            return answer.add_text(delta.get("text"))
        case "thinking_delta":
            return answer.add_reasoning(delta.get("thinking"))
        case "input_json_delta":
            text = text_of(delta.get("partial_json")) or ""
            if ("call", index) in answer.seen:
                answer.add_tool(index, arguments=text)
            elif index in answer.items:
                answer.parts.append({"index": index, "json": text})
    return []


def _count(answer: Answer, payload: Mapping[str, Any]) -> None:
    """Take the counts in: they are cumulative, so a later one replaces an earlier one.

    The whole prompt is the sum of the plain, the cached and the cache-written part.
    """
    usage = dict_of(payload.get("usage"))
    if not usage:
        return
    answer.counts.update({name: value for name, value in usage.items() if value is not None})
    plain, cached, written = (
        count(answer.counts.get(name))
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    details = dict_of(answer.counts.get("output_tokens_details"))
    answer.usage = Usage(
        input_tokens=None if plain is None else plain + (cached or 0) + (written or 0),
        output_tokens=count(answer.counts.get("output_tokens")),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=count(details.get("thinking_tokens")),
    )


def _finish(payload: Mapping[str, Any], answer: Answer) -> None:
    reason = payload.get("stop_reason")
    if not isinstance(reason, str) or not reason:
        return
    answer.finish = FINISH.get(reason) or answer.finish_meant(reason)
    if all(block["type"] in ("text", "tool_use") for block in answer.items.values()):
        answer.items.clear()  # text and calls can be told from the message itself
    answer.items = {index: _whole_block(answer, index) for index in sorted(answer.items)}
    answer.items = {index: block for index, block in answer.items.items() if block.get("text") != ""}


def _whole_block(answer: Answer, index: int) -> dict[str, Any]:
    block = answer.items[index]
    if block["type"] == "tool_use" and index in answer.tools:
        call = answer.tools[index]
        return {"type": "tool_use", "id": call.id, "name": call.name, "input": wire.arguments(call.arguments)}
    given = "".join(str(part["json"]) for part in answer.parts if part["index"] == index)
    if given:
        return {**block, "input": wire.arguments(given)}
    return {name: whole_characters(value) if isinstance(value, str) else value for name, value in block.items()}


def _model(row: Mapping[str, Any]) -> ModelInfo:
    able = dict_of(row.get("capabilities"))
    retires = text_of(row.get("retires_at")) or (
        text_of(row.get("deprecated_at")) if row.get("lifecycle") == "retired" else None
    )
    return ModelInfo(
        str(row["id"]),
        count(row.get("max_input_tokens")),
        count(row.get("max_tokens")),
        images=_supported(able.get("image_input")),
        retires_on=retires[:10] if retires else None,
        name=text_of(row.get("display_name")) or "",
        reasoning=_supported(able.get("thinking")),
    )


def _supported(ability: Any) -> bool | None:
    """Whether the model can, said as a flag or as an object with one; None where it is not said."""
    said = ability.get("supported") if isinstance(ability, dict) else ability
    return said if isinstance(said, bool) else None


def _efforts(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The levels of effort a model takes, none for one without; None where the list does not say."""
    effort = dict_of(row.get("capabilities")).get("effort")
    if _supported(effort) is None:
        return None
    levels = tuple(level for level in wire.EFFORTS if _supported(dict_of(effort).get(level)))
    return levels if _supported(effort) else ()


def _index(payload: Mapping[str, Any]) -> int:
    return count(payload.get("index")) or 0
