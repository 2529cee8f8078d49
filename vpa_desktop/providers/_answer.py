"""What has come of one answer so far: text, tool calls, usage and how it ended. Shared by the HTTP dialects."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

from vpa_desktop.messages import (
    FinishReason,
    ReasoningDelta,
    StreamDone,
    StreamEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from vpa_desktop.providers._told import Items
from vpa_desktop.providers._values import object_in

HALVES: Final = re.compile("[\ud800-\udfff]")
WORDS: Final[dict[FinishReason, str]] = {
    "stop": "stop eos eos_token end_turn stop_sequence completed done",
    "length": "length max_tokens max_length model_length max_output_tokens",
    "tool_calls": "tool_calls tool_use function_call",
    "content_filter": "content_filter content_filtered safety recitation sensitive",
    "refusal": "refusal",
}
FINISH: Final = {word: finish for finish, words in WORDS.items() for word in words.split()}
"""What servers call the end of an answer, in lower case."""

FAILED: Final = re.compile("error|abort|cancel|fail|insufficient|overload|timeout|interrupt")
"""In the word for an answer that was given up."""


@dataclass(slots=True)
class Answer:
    """Filled while a stream is read. ``finish`` set means the terminal signal was seen, ``over`` that nothing follows.

    ``items`` are parts of the answer by their position, as they came; ``limit`` is how many tokens were allowed, and
    ``told``, ``seen`` and ``places`` are what a dialect needs to remember.
    """

    finish: FinishReason | None = None
    usage: Usage | None = None
    model: str | None = None
    refused: bool = False
    text: list[str] = field(default_factory=list)
    tools: dict[int, ToolCall] = field(default_factory=dict)
    halves: dict[type, str] = field(default_factory=dict)
    counts: dict[str, object] = field(default_factory=dict)
    items: dict[int, dict[str, Any]] = field(default_factory=dict)
    limit: int | None = None
    told: Items = field(default_factory=Items)
    seen: set[object] = field(default_factory=set)
    places: dict[object, int] = field(default_factory=dict)
    over: bool = False
    parts: list[dict[str, object]] = field(default_factory=list)
    token: str = ""
    response_id: str | None = None

    def add_text(self, text: object) -> list[StreamEvent]:
        """Keep a piece of text and return it as an event; anything but a non-empty string is nothing."""
        clean = self._whole_characters(text, TextDelta)
        if not clean:
            return []
        self.text.append(clean)
        return [TextDelta(clean)]

    def add_reasoning(self, text: object) -> list[StreamEvent]:
        """Return a piece of reasoning as an event."""
        clean = self._whole_characters(text, ReasoningDelta)
        return [ReasoningDelta(clean)] if clean else []

    def _whole_characters(self, text: object, kind: type) -> str:
        """The text as it can be stored: JSON may carry half of a character now and the other half in the next piece."""
        if not isinstance(text, str) or not text:
            return ""
        text = self.halves.pop(kind, "") + text
        if "\ud800" <= text[-1] <= "\udbff":
            self.halves[kind] = text[-1]
            text = text[:-1]
        return whole_characters(text)

    def add_tool(self, index: int, *, call_id: object = None, name: object = None, arguments: object = None) -> None:
        """Add a fragment of the tool call at ``index``; fragments of several calls may interleave."""
        call = self.tools.get(index, ToolCall("", "", ""))
        self.tools[index] = replace(
            call,
            id=call_id if isinstance(call_id, str) and call_id else call.id,
            name=name if isinstance(name, str) and name else call.name,
            arguments=call.arguments + (arguments if isinstance(arguments, str) else ""),
        )

    def finish_meant(self, word: str) -> FinishReason:
        """What a server means by its word for the end; an unknown one loses no answer unless it says that it failed."""
        word = word.lower()
        found = FINISH.get(word)
        if found is not None:
            return found
        return "stop" if (self.text or self.tools) and not FAILED.search(word) else "error"

    def tool_place(self, index: object, position: int, *, call_id: object, name: object) -> int:
        """Where a fragment of a call belongs: ``index`` is the server's number, ``position`` its place in the list.

        Some servers number every call 0, others number none and name only the beginning of each: a new id with a name
        begins a call, and a fragment that says nothing of itself goes on with the last one.
        """
        has_id = isinstance(call_id, str) and bool(call_id)
        new = max(self.tools, default=-1) + 1
        numbered = isinstance(index, int)
        known = self.places.get(index) if numbered else new - 1 if new else None
        if known is None:
            found = new
        elif has_id:
            found = self._place_by_id(known, str(call_id), name, numbered=numbered)
        else:
            found = new if name and _begins(self.tools[known], name, position, numbered=numbered) else known
        if numbered:
            self.places[index] = found
        return found

    def _place_by_id(self, known: int, call_id: str, name: object, *, numbered: bool) -> int:
        if numbered and self.tools[known].id in ("", call_id):
            return known
        with_id = (place for place, call in self.tools.items() if call.id == call_id)
        is_new = bool(name) or not numbered  # without a name it is a server whose ids change with every fragment
        return next(with_id, max(self.tools) + 1 if is_new else known)

    def place(self, key: object) -> int:
        """The number of the tool call known under this key; calls are numbered as they come."""
        return self.places.setdefault(key, len(self.places))

    def done(self, request_id: str | None) -> StreamDone | None:
        """The last event, or None where the terminal signal never came."""
        if self.finish is None:
            return None
        finish = self.finish
        if finish == "stop" and (self.refused or self.tools):
            finish = "refusal" if self.refused else "tool_calls"
        calls = tuple(replace(call, arguments=call.arguments or "{}") for _, call in sorted(self.tools.items()))
        return StreamDone(finish, self.usage, calls, self.model, request_id or self.response_id)


def _begins(last: ToolCall, name: object, position: int, *, numbered: bool) -> bool:
    """Whether a name without an id is another call, and not the name of the last one once more."""
    if not last.name:
        return False
    if numbered:
        return not last.id and name != last.name and bool(last.arguments)
    is_whole = last.arguments.endswith("}") and object_in(last.arguments) is not None
    return name != last.name or position > 0 or is_whole


def whole_characters(text: str) -> str:
    """The text with the halves of characters put together, and a replacement for a half that stands alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if HALVES.search(text) else text
