"""A conversation as Anthropic's Messages wants it: turns, tool results, carried reasoning, marks for its prompt cache.

Only what is sent; what comes back is read in anthropic.py. Rules of the API that are kept here: turns of one role are
one turn, every tool call is followed by its result, the last turn is the person's, and reasoning goes back only inside
the tool loop it came from, since it is bound to everything before it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from vpa_desktop.messages import ImageData, LLMRequest, Message, ToolSpec
from vpa_desktop.providers._calls import carried_back
from vpa_desktop.providers._values import object_in
from vpa_desktop.tokens import estimate_tokens

CACHED_TOKENS: Final = 1_024
"""A shorter prefix is not worth a mark: no current model caches less than about this."""

MARK: Final = {"type": "ephemeral"}
REASONING: Final = ("thinking", "redacted_thinking")
EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")

GO_ON: Final = "Go on exactly where your last answer stopped, without repeating anything and without a preface."
NO_RESULT: Final = "There is no result: the call was not carried out."

Block = dict[str, Any]


def system_blocks(messages: Sequence[Message]) -> list[Block]:
    """The instructions, one block for each system message."""
    return [_text(turn.content) for turn in messages if turn.role == "system" and turn.content.strip()]


def turns(messages: Sequence[Message], model: str) -> list[Block]:
    """The conversation as alternating turns that end with the person's."""
    found: list[Block] = []
    for at, turn in enumerate(messages):
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = [dict(block) for block in carried_back(messages, at, "anthropic", model)] or _blocks(turn)
        if not blocks:
            continue  # an empty turn would be refused
        if found and found[-1]["role"] == role:
            found[-1]["content"] += blocks
        else:
            found.append({"role": role, "content": blocks})
    return _answered(found)


def tool_specs(tools: Iterable[ToolSpec]) -> list[Block]:
    """The functions the model may ask for."""
    return [{"name": t.name, "description": t.description, "input_schema": dict(t.parameters)} for t in tools]


def nearest_effort(wanted: str, levels: Sequence[str] = EFFORTS) -> str:
    """The wanted effort, or the highest level below it that the model has, or its lowest."""
    if wanted not in EFFORTS:
        return levels[0]
    below = [level for level in levels if EFFORTS.index(level) <= EFFORTS.index(wanted)]
    return below[-1] if below else levels[0]


def mark_for_cache(body: Block, request: LLMRequest) -> None:
    """Mark where the stable prefix ends: after the instructions, and after the turns before the newest one.

    A later request finds what an earlier one wrote only where everything before the mark is byte for byte the same.
    """
    stable = [turn.content for turn in request.messages if turn.role == "system"]
    stable += [json.dumps(tool) for tool in body.get("tools", ())]
    if _is_long(stable):
        (body.get("system") or body["tools"])[-1]["cache_control"] = MARK
    before = body["messages"][:-1]
    if before and _is_long([*stable, *(turn.content for turn in request.messages[:-1] if turn.role != "system")]):
        last = next((block for block in reversed(before[-1]["content"]) if block["type"] not in REASONING), None)
        if last is not None:
            last["cache_control"] = MARK


def simplified(body: Block) -> Block:
    """The body with plain strings in the place of single unmarked text blocks: servers that imitate the API read them
    everywhere, lists of blocks not always."""
    plain = {**body, "messages": [{**turn, "content": _plain(turn["content"])} for turn in body["messages"]]}
    if "system" in body and not any("cache_control" in block for block in body["system"]):
        plain["system"] = "\n\n".join(block["text"] for block in body["system"])
    return plain


def unmarked(body: Block) -> Block:
    """The body without its marks for the cache."""
    kept = dict(body)
    for name in ("system", "tools"):
        if isinstance(kept.get(name), list):
            kept[name] = [_unmarked(block) for block in kept[name]]
    kept["messages"] = [
        {**turn, "content": [_unmarked(block) for block in turn["content"]]}
        if isinstance(turn["content"], list)
        else turn
        for turn in kept["messages"]
    ]
    return simplified(kept)


def _unmarked(block: Block) -> Block:
    return {name: value for name, value in block.items() if name != "cache_control"}


def _plain(content: Any) -> Any:
    if isinstance(content, list) and len(content) == 1 and set(content[0]) == {"type", "text"}:
        return content[0]["text"]
    return content


def _is_long(texts: Iterable[str]) -> bool:
    """Whether there is enough to be cached; reads no more than it must to know."""
    sample = ""
    for text in texts:
        sample += text[: 4 * CACHED_TOKENS - len(sample)]
        if len(sample) >= 4 * CACHED_TOKENS:
            break
    return estimate_tokens(sample).tokens >= CACHED_TOKENS


def _blocks(turn: Message) -> list[Block]:
    if turn.role == "system":
        return []
    pictures = [_picture(image) for image in turn.images]
    if turn.role == "tool":
        content: Any = turn.content if not pictures else [*([_text(turn.content)] if turn.content else []), *pictures]
        return [{"type": "tool_result", "tool_use_id": turn.tool_call_id, "content": content}]
    words = [_text(turn.content)] if turn.content.strip() else []
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments(call.arguments)}
        for call in turn.tool_calls
    ]
    return [*pictures, *words, *calls]


def _answered(found: list[Block]) -> list[Block]:
    """The turns with a result for every call, results first in their turn, and the person's turn last."""
    if found and found[-1]["role"] == "assistant":
        found.append({"role": "user", "content": []})
    wanted: list[str] = []
    for turn in found:
        if turn["role"] == "user":
            turn["content"] = _results_first(turn["content"], wanted)
        wanted = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
    if found and not found[-1]["content"]:
        found[-1]["content"] = [_text(GO_ON)]  # an answer to be continued: the API takes no begun one
    return found


def _results_first(blocks: list[Block], wanted: Sequence[str]) -> list[Block]:
    given = {block["tool_use_id"]: block for block in blocks if block["type"] == "tool_result"}
    results = [
        given.get(call) or {"type": "tool_result", "tool_use_id": call, "content": NO_RESULT, "is_error": True}
        for call in wanted
    ]
    return results + [_without_call(block, wanted) for block in blocks if block.get("tool_use_id") not in wanted]


def _without_call(block: Block, wanted: Sequence[str]) -> Block:
    """The block; a result whose call is no longer in the conversation as plain text."""
    if block["type"] != "tool_result" or block["tool_use_id"] in wanted:
        return block
    return _text(f"Result of an earlier call: {block['content']}")


def _picture(image: ImageData) -> Block:
    data = base64.b64encode(image.data).decode("ascii")
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": data}}


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def arguments(text: str) -> Mapping[str, Any]:
    """The arguments of a call; one whose JSON broke off has none to send back."""
    return object_in(text) or {}
