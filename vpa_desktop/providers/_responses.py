"""OpenAI's Responses dialect: the request's items, and what each event means. No transport, no choice of protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from vpa_desktop.messages import FinishReason, LLMRequest, Message, StreamEvent, ToolCall
from vpa_desktop.providers._answer import Answer
from vpa_desktop.providers._calls import carried_back
from vpa_desktop.providers._failures import Problem, read_problem
from vpa_desktop.providers._told import Told
from vpa_desktop.providers._values import count, dict_of, list_of, text_of
from vpa_desktop.providers.openai_compatible import data_url, read_usage

PATH: Final = "/responses"
INCOMPLETE: Final[dict[str, FinishReason]] = {"content_filter": "content_filter", "steered": "stop"}
"""Why an answer ended early; anything else was a limit."""

UNNUMBERED: Final = -1
Place = tuple[int | None, str]
FAMILY: Final = {"text": "message", "refusal": "message", "summary": "reasoning", "thought": "reasoning"}
OTHER: Final = {"summary": "thought", "thought": "summary"}
PARTS: Final = (
    ("text", "content", "text"),
    ("refusal", "content", "refusal"),
    ("summary", "summary", "text"),
    ("thought", "content", "text"),
)
"""The kinds of text in an item, where they are and their name there."""


def response_input(messages: Sequence[Message], kind: str, model: str) -> tuple[str, list[dict[str, Any]]]:
    """The instructions (the system text before the first turn) and the items of a conversation.

    Reasoning an answer carries goes back in its place inside a running tool loop only.
    """
    first = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    items: list[dict[str, Any]] = []
    for at, message in enumerate(messages[first:], first):
        carried = carried_back(messages, at, kind, model)
        items += [dict(item) for item in carried] if _same_calls(carried, message) else _items(message)
    return "\n\n".join(message.content for message in messages[:first] if message.content), items


def response_tools(request: LLMRequest) -> list[dict[str, Any]]:
    """The functions a model may ask for, in the flat form of this dialect."""
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
            "strict": False,
        }
        for tool in request.tools
    ]


def speaks_responses(payload: Mapping[str, Any]) -> bool:
    """True for an event or an answer of this dialect: a proxy may answer in it unasked, or in the other one."""
    kind = payload.get("type")
    return payload.get("object") == "response" or (isinstance(kind, str) and kind.startswith("response."))


def read_response_problem(payload: Mapping[str, Any], status: int, *, midstream: bool) -> Problem | None:
    """The error in an event or a whole answer that came with status 200: failed, flat or nested."""
    response = payload if payload.get("object") == "response" else dict_of(payload.get("response"))
    failed = payload.get("type") == "response.failed" or response.get("status") in ("failed", "cancelled")
    if failed:
        error = response.get("error")
        return read_problem({"error": error if isinstance(error, dict) else {}}, status, {}, midstream=midstream)
    if payload.get("type") == "error" and not payload.get("error"):
        return read_problem(payload, status, {}, midstream=midstream)
    return None


def read_response_event(payload: Mapping[str, Any], answer: Answer) -> list[StreamEvent]:
    """Take one event into the answer, by the type in its data; unknown ones are nothing.

    Text is taken from its deltas, and from the ends of its part, item or answer where there were none.
    """
    key = _key(payload)
    part = count(payload.get("content_index"))
    match payload.get("type"):
        case "response.output_text.delta":
            return _delta("text", _place(payload), part, payload.get("delta"), answer)
        case "response.refusal.delta":
            return _delta("refusal", _place(payload), part, payload.get("delta"), answer)
        case "response.reasoning_summary_text.delta":
            return _delta("summary", _place(payload), count(payload.get("summary_index")), payload.get("delta"), answer)
        case "response.reasoning_text.delta":
            return _delta("thought", _place(payload), part, payload.get("delta"), answer)
        case "response.reasoning_summary_part.added":
            told = answer.told.known("reasoning", *_place(payload))
            return answer.add_reasoning("\n\n") if told is not None and told.has("summary") else []
        case "response.output_text.done":
            return _part("text", _place(payload), part, payload.get("text"), answer)
        case "response.refusal.done":
            return _part("refusal", _place(payload), part, payload.get("refusal"), answer)
        case "response.function_call_arguments.delta":
            answer.add_tool(answer.place(key), arguments=payload.get("delta"))
        case "response.output_item.added":
            item = dict_of(payload.get("item"))
            if item.get("type") == "function_call":
                place = answer.place(_key({"item_id": item.get("id"), **payload}))
                answer.add_tool(place, call_id=item.get("call_id"), name=item.get("name"))
        case "response.output_item.done":
            item = dict_of(payload.get("item"))
            _carry(item, answer)
            if item.get("type") == "function_call":
                _read_call(item, _key({"item_id": item.get("id"), **payload}), answer)
            return _read_item(item, answer, *_place({"item_id": item.get("id"), **payload}))
        case "response.completed" | "response.incomplete":
            return read_response(dict_of(payload.get("response")), answer, by_llama_cpp="timings" in payload)
    return []


def read_response(payload: Mapping[str, Any], answer: Answer, *, by_llama_cpp: bool = False) -> list[StreamEvent]:
    """Take a whole answer, or what a stream's last event repeats of it, into the answer."""
    answer.model = text_of(payload.get("model")) or answer.model
    usage = payload.get("usage")
    if isinstance(usage, dict):
        answer.usage = read_usage(usage)
    events: list[StreamEvent] = []
    known = {call.id for call in answer.tools.values()}
    carried = bool(answer.items)
    for index, item in enumerate(list_of(payload.get("output"))):
        if not isinstance(item, dict) or (
            item.get("type") == "function_call" and text_of(item.get("call_id")) in known
        ):
            continue
        if item.get("type") == "function_call":  # its place may be taken by one whose call the stream did not tell
            _read_call(item, ("late", index) if answer.tools else index, answer)
        events += _read_item(item, answer, index, text_of(item.get("id")) or "", is_again=True)
        if not carried:
            _carry(item, answer)
    if not any(item.get("encrypted_content") for item in answer.items.values()):
        answer.items.clear()  # without the reasoning itself there is nothing the history does not say
    status = payload.get("status")
    if status == "incomplete":
        reason = dict_of(payload.get("incomplete_details")).get("reason")
        answer.finish = INCOMPLETE.get(reason, "length") if isinstance(reason, str) else "length"
    elif status == "completed" or (status is None and payload.get("output")):
        cut = by_llama_cpp and answer.limit and answer.usage and (answer.usage.output_tokens or 0) >= answer.limit
        answer.finish = "length" if cut else "stop"  # llama.cpp says "completed" of an answer cut at its limit too
    answer.over = answer.finish is not None
    return events


def _items(message: Message) -> list[dict[str, Any]]:
    """One turn as items."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id or "", "output": message.content}]
    kind = "output_text" if message.role == "assistant" else "input_text"
    parts: list[dict[str, Any]] = [{"type": kind, "text": message.content}] if message.content else []
    if message.role == "user":
        parts += [{"type": "input_image", "image_url": data_url(image), "detail": "auto"} for image in message.images]
    items: list[dict[str, Any]] = [{"type": "message", "role": message.role, "content": parts}] if parts else []
    return items + [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments or "{}"}
        for call in message.tool_calls
    ]


def _same_calls(carried: Sequence[Mapping[str, Any]], message: Message) -> bool:
    """True where what is carried still is this answer: its calls are the ones whose results follow."""
    calls = [item.get("call_id") for item in carried if item.get("type") == "function_call"]
    return bool(calls) and calls == [call.id for call in message.tool_calls]


def _key(payload: Mapping[str, Any]) -> object:
    """What tells items apart: their place, where the server sends one (some change the id with every event)."""
    index = payload.get("output_index")
    if isinstance(index, int):
        return index
    item = payload.get("item_id")
    return item if isinstance(item, str) else None


def _place(payload: Mapping[str, Any]) -> Place:
    """The place and the id of an event's item, as far as it has them."""
    return count(payload.get("output_index")), text_of(payload.get("item_id")) or ""


def _delta(kind: str, place: Place, part: int | None, text: object, answer: Answer) -> list[StreamEvent]:
    return _tell(answer.told.going_on(FAMILY[kind], *place), kind, part, text, answer)


def _part(kind: str, place: Place, part: int | None, text: object, answer: Answer) -> list[StreamEvent]:
    """A part as its end repeats it: nothing of it where its pieces came."""
    if not isinstance(text, str) or not text:
        return []
    item = answer.told.part_over(FAMILY[kind], *place, text)
    numbered = part is not None and (kind, UNNUMBERED) not in item.parts
    told = item.text(kind, part if numbered else None)
    if text.startswith(told):
        return _tell(item, kind, part, text[len(told) :], answer)
    return [] if numbered or text in told else _tell(item, kind, part, text, answer)


def _tell(item: Told, kind: str, part: int | None, text: object, answer: Answer) -> list[StreamEvent]:
    """Take a text of an item into the answer; of its reasoning either the summary or the whole."""
    if not isinstance(text, str) or not text or (kind in OTHER and item.has(OTHER[kind])):
        return []
    item.parts.setdefault((kind, UNNUMBERED if part is None else part), []).append(text)
    if kind in OTHER:
        return answer.add_reasoning(text)
    events = answer.add_text(text)
    answer.refused = answer.refused or (kind == "refusal" and bool(events))
    return events


def _read_item(
    item: Mapping[str, Any], answer: Answer, index: int | None, name: str, *, is_again: bool = False
) -> list[StreamEvent]:
    """What a whole item says beyond what was told of it."""
    family = text_of(item.get("type")) or ""
    texts = [(kind, _texts(item, where, key)) for kind, where, key in PARTS if FAMILY[kind] == family]
    texts = [(kind, parts) for kind, parts in texts if parts]
    if not texts:
        return []
    between = "\n\n" if family == "reasoning" else ""
    first = between.join(text for _, text in texts[0][1])
    if is_again and index is not None:
        told = answer.told.again(family, index, name, first)
    else:
        told = answer.told.over(family, index, name, first)
    if family == "reasoning":
        return [] if told.parts else _tell(told, texts[0][0], None, first, answer)
    events: list[StreamEvent] = []
    for kind, parts in texts:
        whole, known = "".join(text for _, text in parts), told.text(kind)
        if whole.startswith(known):
            events += _tell(told, kind, parts[-1][0], whole[len(known) :], answer)
    return events


def _texts(item: Mapping[str, Any], where: str, key: str) -> list[tuple[int, str]]:
    """The texts of an item's parts with their numbers."""
    parts = enumerate(list_of(item.get(where)))
    return [(number, text) for number, part in parts if (text := text_of(dict_of(part).get(key)))]


def _read_call(item: Mapping[str, Any], key: object, answer: Answer) -> None:
    place = answer.place(key)
    answer.add_tool(place, call_id=item.get("call_id"), name=item.get("name"))
    arguments = text_of(item.get("arguments"))
    if arguments:
        call = answer.tools[place]
        answer.tools[place] = ToolCall(call.id, call.name, arguments)


def _carry(item: Mapping[str, Any], answer: Answer) -> None:
    """Keep what goes back with the results of the calls: reasoning, calls and the phases of messages, in order."""
    if item.get("type") in ("reasoning", "function_call", "message"):
        answer.items[len(answer.items)] = {name: value for name, value in item.items() if name != "status"}
