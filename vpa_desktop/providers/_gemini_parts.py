"""An answer that Google gives in several parts, each a request of its own: what joins them. No network."""

from __future__ import annotations

from dataclasses import replace

from vpa_desktop.messages import LLMRequest, StreamDone, StreamEvent, TextDelta, Usage
from vpa_desktop.providers._gemini_request import TOKEN


class AnswerPart:
    """One of the requests an answer takes. A part that begins like the one before is held back: it may be a repeat."""

    def __init__(self, before: str, last: StreamDone | None) -> None:
        self.done: StreamDone | None = None
        self.repeated = False
        self._before = before
        self._last = last
        self._pieces: list[str] = []
        self._held: list[StreamEvent] = []
        self._holds = last is not None

    @property
    def text(self) -> str:
        """The text of this part so far."""
        return "".join(self._pieces)

    @property
    def spoke(self) -> bool:
        """True once something of this part was handed on."""
        return not self._holds

    def request(self, request: LLMRequest) -> LLMRequest:
        """The request for this part."""
        if self._last is None or self._last.carry is None:
            return request
        return replace(request, metadata={**request.metadata, TOKEN: self._last.carry.items[0][TOKEN]})

    def take(self, event: StreamEvent) -> list[StreamEvent]:
        """Take one event and return what can be handed on."""
        if isinstance(event, StreamDone):
            self.done = event
            same_token = self._last is not None and event.carry is not None and event.carry == self._last.carry
            self.repeated = self._holds and same_token and self.text == self._before
            return []
        if isinstance(event, TextDelta):
            self._pieces.append(event.text)
        self._held.append(event)
        return [] if self._holds and self._before.startswith(self.text) else self.flush()

    def flush(self) -> list[StreamEvent]:
        """Everything that was held back."""
        self._holds = False
        held, self._held = self._held, []
        return held

    def total(self) -> StreamDone:
        """The end of this part, with the tokens of all parts: each was a request of its own."""
        assert self.done is not None
        return replace(self.done, usage=self.with_earlier(self.done.usage))

    def with_earlier(self, usage: Usage | None) -> Usage | None:
        """These counts and those of the parts before."""
        earlier = self._last.usage if self._last is not None else None
        if earlier is None or usage is None:
            return usage or earlier
        return Usage(
            input_tokens=total(earlier.input_tokens, usage.input_tokens),
            output_tokens=total(earlier.output_tokens, usage.output_tokens),
            cached_input_tokens=total(earlier.cached_input_tokens, usage.cached_input_tokens),
            reasoning_tokens=total(earlier.reasoning_tokens, usage.reasoning_tokens),
        )


def total(one: int | None, other: int | None) -> int | None:
    """The sum of two counts of which either may not have been reported."""
    return other if one is None else one + (other or 0)
