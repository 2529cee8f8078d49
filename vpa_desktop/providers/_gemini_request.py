"""What a request to Gemini is made of: turns, tools, settings, and leaving out what a model refuses. No network."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.messages import LLMRequest, Message, ToolCall
from vpa_desktop.providers._calls import answered_call, carried_back
from vpa_desktop.providers._values import object_in

TOKEN: Final = "continuationToken"
THINKING: Final = "generationConfig.thinkingConfig"
OPTIONAL: Final = (
    f"{THINKING}.thinkingLevel",
    f"{THINKING}.thinkingBudget",
    f"{THINKING}.includeThoughts",
    THINKING,
    "generationConfig.temperature",
    "generationConfig.topP",
    "generationConfig.stopSequences",
    "generationConfig.maxOutputTokens",
    "systemInstruction",
)
"""Fields that may be left out where a model refuses them, the more exact ones first."""

WORDS: Final = {"systemInstruction": "(?:system|developer)[ _]?instructions?", THINKING: "thinking"}
"""How a refusal may speak of a field without naming it: "Developer instruction is not enabled for this model"."""

LEVELS: Final = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
EFFORTS: Final = {"none": 0, "minimal": 0, "low": 1, "medium": 2, "high": 3, "xhigh": 4, "max": 4}
BUDGETS: Final = {
    "none": 0,
    "minimal": 512,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
}
"""Thinking tokens for 2.5; 24,576 is the most its Flash models take."""

LEAST_BUDGET: Final = 128
"""What 2.5 Pro, which cannot stop thinking, takes at the least."""


def request_body(request: LLMRequest, config: LLMProviderConfig, model: str) -> dict[str, Any]:
    """The body of streamGenerateContent; what was not chosen is left to the server."""
    settings: dict[str, Any] = {
        "temperature": config.temperature if request.temperature is None else request.temperature,
        "topP": request.top_p,
        "maxOutputTokens": request.max_tokens or config.max_tokens,
        "stopSequences": list(request.stop) or None,
        "thinkingConfig": thinking_config(model, request.effort or config.effort),
    }
    settings = {name: value for name, value in settings.items() if value is not None}
    fields = {"generationConfig": settings, TOKEN: request.metadata.get(TOKEN)}
    return {**_contents(request, config.kind, model), **{name: value for name, value in fields.items() if value}}


def content_body(request: LLMRequest, model: str) -> dict[str, Any]:
    """The body of countTokens: turns alone, or a whole request where there is more to count."""
    whole = _contents(request, "google", model)
    if set(whole) == {"contents"}:
        return whole
    return {"generateContentRequest": {"model": model if "/" in model else f"models/{model}", **whole}}


def thinking_config(model: str, effort: str | None) -> dict[str, Any] | None:
    """How much the model shall think, in the form its generation takes; None for one that does not think."""
    found = re.match(r"(?:models/)?gemini-(?:(\d+)(?:\.(\d+))?|.*-latest$)", model)
    if found is None or re.search("-image|-tts|-live|-audio|embedding", model):
        return None
    version = (int(found[1] or 3), int(found[2] or 0))
    if version < (2, 5):
        return None
    shown: dict[str, Any] = {"includeThoughts": True}
    if effort is None:
        return shown
    if version >= (3, 0):
        wanted = EFFORTS.get(effort, 2)
        if re.search("-(?:pro|argon)", model):  # these cannot stop thinking, and know three levels
            wanted = min(max(wanted, 1), 3)
        return {**shown, "thinkingLevel": LEVELS[wanted]}
    budget = BUDGETS.get(effort, BUDGETS["medium"])
    if "-pro" in model:
        budget = max(budget, LEAST_BUDGET)
    return {"includeThoughts": budget > 0, "thinkingBudget": budget}


def refused_name(param: str | None, message: str, sent: Mapping[str, Any]) -> str | None:
    """The field a refusal is about: the one it names by path, or the one its words speak of."""
    names = [name for name in OPTIONAL if _find(sent, name) is not None]
    if param:
        plain = _plain(param)
        exact = (name for name in names if plain == _plain(name) or plain.endswith("." + _plain(name.split(".")[-1])))
        inside = (name for name in names if _plain(name).startswith(plain + ".") or plain.startswith(_plain(name)))
        found = next(exact, None) or next(inside, None)
        if found is not None:
            return found
    for name in names:
        words = WORDS.get(name) or re.sub("(?=[A-Z])", "[ _]?", name.split(".")[-1])
        if re.search(rf"(?<![A-Za-z]){words}(?![A-Za-z])", message, re.IGNORECASE):
            return name
    return None


def without(body: Mapping[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    """The body without these fields; instructions that have no place of their own begin the first turn."""
    if not refused:
        return dict(body)
    kept = deepcopy(dict(body))
    for name in refused:
        *path, last = name.split(".")
        holder = _find(kept, ".".join(path)) if path else kept
        gone = holder.pop(last, None) if isinstance(holder, dict) else None
        if name == "systemInstruction" and gone is not None:
            kept["contents"].insert(0, {"role": "user", **gone})
    settings = kept.get("generationConfig", {})
    if not settings.get("thinkingConfig", True):
        del settings["thinkingConfig"]
    return kept


def _plain(path: str) -> str:
    return path.replace("_", "").lower()


def _find(body: Mapping[str, Any], path: str) -> Any:
    found: Any = body
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _contents(request: LLMRequest, kind: str, model: str) -> dict[str, Any]:
    """Turns, instructions and tools."""
    messages = request.messages
    system = "\n\n".join(turn.content for turn in messages if turn.role == "system" and turn.content)
    body: dict[str, Any] = {"contents": _turns(messages, kind, model)}
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if request.tools:
        declared = [
            {"name": tool.name, "description": tool.description, "parametersJsonSchema": dict(tool.parameters)}
            for tool in request.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
    return body


def _turns(messages: Sequence[Message], kind: str, model: str) -> list[dict[str, Any]]:
    """The turns; results of several calls stand in one, and an empty turn, which is refused, is left out."""
    turns: list[dict[str, Any]] = []
    waiting: list[ToolCall] = []
    answering = False
    for position, message in enumerate(messages):
        if message.role == "system":
            continue
        if message.role == "tool":
            if not answering:
                turns.append({"role": "user", "parts": []})
            turns[-1]["parts"].append(_result(message, answered_call(message, waiting)))
            answering = True
            continue
        answering = False
        if message.role == "assistant":
            waiting = list(message.tool_calls)
        parts = [dict(part) for part in carried_back(messages, position, kind, model)] or _parts(message)
        if parts:
            turns.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
    return turns


def _parts(message: Message) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"inlineData": {"mimeType": image.media_type, "data": base64.b64encode(image.data).decode("ascii")}}
        for image in message.images
    ]
    if message.content.strip():
        parts.append({"text": message.content})
    for call in message.tool_calls:
        named = {"id": call.id} if call.id else {}
        part: dict[str, Any] = {"functionCall": {**named, "name": call.name, "args": object_in(call.arguments) or {}}}
        if call.signature:
            part["thoughtSignature"] = call.signature
        parts.append(part)
    return parts


def _result(message: Message, call: ToolCall) -> dict[str, Any]:
    response = object_in(message.content)
    named = {"id": call.id} if call.id else {}
    value = {"result": message.content} if response is None else response
    return {"functionResponse": {**named, "name": call.name, "response": value}}
