"""Function calls in a conversation: which result answers which call, and what goes back with it. Knows no protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vpa_desktop.messages import Message, ToolCall


def answered_call(result: Message, waiting: list[ToolCall]) -> ToolCall:
    """The call a result belongs to, taken out of ``waiting``: the one with its id, else the next that has none."""
    found = next((call for call in waiting if call.id and call.id == result.tool_call_id), None)
    found = found or next((call for call in waiting if not call.id), None)
    if found is None:
        return ToolCall(result.tool_call_id or "", result.tool_call_id or "tool", "")
    waiting.remove(found)
    return found


def carried_back(messages: Sequence[Message], position: int, kind: str, model: str) -> Sequence[Mapping[str, Any]]:
    """What the turn at ``position`` carries for this kind and model, while its calls are still being answered."""
    carry = messages[position].carry
    if carry is None or (carry.kind, carry.model) != (kind, model):
        return ()
    return () if any(later.role == "user" for later in messages[position:]) else carry.items
