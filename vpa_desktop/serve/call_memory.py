"""What a provider wants back with the results of its tool calls, and a client of Chat Completions cannot carry.

Gemini's signatures, bound reasoning of Anthropic and of Responses. Kept for a while in memory, by the id of the call;
a conversation that comes back too late is asked without it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from vpa_desktop.messages import Carry, LLMResponse, Message, ToolCall
from vpa_desktop.serve.shapes import new_id

KEPT_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class _Kept:
    """A call as the provider made it, and what its answer carries."""

    call: ToolCall
    carry: Carry | None


class CallMemory:
    """The latest tool calls of every user; the least recently made go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def keep(self, user: str, response: LLMResponse) -> LLMResponse:
        """Remember an answer's calls; return it with an id on each, since a client answers them by id."""
        if not response.tool_calls:
            return response
        calls = []
        for call in response.tool_calls:
            shown = call if call.id else replace(call, id=new_id("call_"))
            calls.append(shown)
            self._kept[user, shown.id] = _Kept(call, response.carry)
            self._kept.move_to_end((user, shown.id))
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return replace(response, tool_calls=tuple(calls))

    def restored(self, user: str, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The turns with what was kept put back in its place."""
        if not self._kept:
            return tuple(messages)
        return tuple(self._restored(user, message) for message in messages)

    def _restored(self, user: str, message: Message) -> Message:
        if not message.tool_calls:
            return message
        kept = [self._kept.get((user, call.id)) for call in message.tool_calls]
        calls = tuple(
            replace(call, id=found.call.id, signature=found.call.signature) if found else call
            for call, found in zip(message.tool_calls, kept, strict=True)
        )
        carry = next((found.carry for found in kept if found and found.carry), None)
        return replace(message, tool_calls=calls, carry=carry)
