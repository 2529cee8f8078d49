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

HALVES: Final = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Answer:
    """Filled while a stream is read. ``finish`` set means the terminal signal was seen.

    ``items`` are parts of the answer by their position, as they came.
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

    def tool_position(self, call_id: object, position: int) -> int:
        """Where a call without an index belongs: with its own id, or behind the others if the id is new."""
        if not isinstance(call_id, str) or not call_id:
            return position
        known = (index for index, call in self.tools.items() if call.id == call_id)
        return next(known, max(self.tools, default=-1) + 1)

    def done(self, request_id: str | None) -> StreamDone | None:
        """The last event, or None where the terminal signal never came."""
        if self.finish is None:
            return None
        finish = self.finish
        if finish == "stop" and (self.refused or self.tools):
            finish = "refusal" if self.refused else "tool_calls"
        calls = tuple(replace(call, arguments=call.arguments or "{}") for _, call in sorted(self.tools.items()))
        return StreamDone(finish, self.usage, calls, self.model, request_id or self.response_id)


def whole_characters(text: str) -> str:
    """The text with the halves of characters put together, and a replacement for a half that stands alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if HALVES.search(text) else text
