"""A provider that plays a script: for demonstrations, the fire drill and tests. It never touches the network.

Without a script it echoes the last message. The model's name may ask for a fault, so that settings and the command
line can rehearse one: ``mock-429``, ``mock-500``, ``mock-401``, ``mock-timeout``, ``mock-cut``, ``mock-refuse``,
``mock-slow``. Equal requests give equal answers; waiting goes through ``sleep``, so tests need not wait.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import (
    AuthenticationFailed,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamInterrupted,
)
from vpa_desktop.messages import FinishReason, LLMRequest, ReasoningDelta, StreamDone, StreamEvent, TextDelta, Usage
from vpa_desktop.providers.base import BaseLLMProvider

if TYPE_CHECKING:
    from vpa_desktop.providers._http import HttpSession

Fault = Literal["401", "429", "500", "timeout", "cut", "refuse"]
FAULTS: Final[tuple[Fault, ...]] = ("401", "429", "500", "timeout", "cut", "refuse")
SLOW_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class MockReply:
    """One entry of a script.

    ``text`` None echoes the last message; ``delay_s`` passes before the first piece and ``piece_delay_s`` before
    each further one; ``fault`` strikes after ``after`` pieces (a cut after half of them where that is None).
    """

    text: str | None = None
    reasoning: str = ""
    delay_s: float = 0.0
    piece_delay_s: float = 0.0
    fault: Fault | None = None
    after: int | None = None
    retry_after_s: float | None = None
    finish: FinishReason = "stop"
    usage: Usage | None = None


class MockProvider(BaseLLMProvider):
    """Plays ``script`` entry by entry, then answers as the model's name says. ``requests`` keeps what was asked."""

    def __init__(
        self,
        config: LLMProviderConfig,
        *,
        http: HttpSession | None = None,
        script: Iterable[MockReply | str] = (),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(config)
        self.requests: list[LLMRequest] = []
        self._script = [MockReply(entry) if isinstance(entry, str) else entry for entry in script]
        self._sleep = sleep

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the next entry of the script as a real provider would."""
        self.requests.append(request)
        model = str(request.model or self.model)
        reply = self._script.pop(0) if self._script else _reply_for(model)
        question = next((turn.content for turn in reversed(request.messages) if turn.role == "user"), "")
        pieces = re.findall(r"\S+\s*|^\s+", question if reply.text is None else reply.text)
        strikes = self._strikes(reply, len(pieces))
        if reply.delay_s:
            await self._sleep(reply.delay_s)
        if reply.reasoning:
            yield ReasoningDelta(reply.reasoning)
        for position, piece in enumerate(pieces):
            if position == strikes:
                break
            if position and reply.piece_delay_s:
                await self._sleep(reply.piece_delay_s)
            yield TextDelta(piece)
        if reply.fault is not None:
            if reply.fault == "timeout":
                await self._sleep(self.config.timeout)
            raise self._error(reply, model, "".join(pieces[:strikes]))
        usage = reply.usage or Usage(_words(request), len(pieces), estimated=True)
        yield StreamDone(reply.finish, usage, (), model, f"mock-{len(self.requests)}")

    async def list_models(self) -> list[ModelInfo]:
        """The names that can be asked for."""
        return [ModelInfo(name) for name in ("mock", "mock-slow", *(f"mock-{fault}" for fault in FAULTS))]

    @staticmethod
    def _strikes(reply: MockReply, pieces: int) -> int:
        if reply.fault is None:
            return -1
        if reply.after is not None:
            return reply.after
        return (pieces + 1) // 2 if reply.fault == "cut" else 0

    def _error(self, reply: MockReply, model: str, partial: str) -> ProviderError:
        name, midstream = self.provider_id, bool(partial)
        status: int | None = 200 if midstream else None
        again = "Try again, or choose another provider"
        error: ProviderError
        match reply.fault:
            case "401":
                error = AuthenticationFailed(f"{name} refused the key", "It answered 401", "Check the key", status=401)
            case "429":
                error = RateLimited(f"{name} takes no more requests for now", "It answered 429", again, status=429)
                error.retry_after_s = reply.retry_after_s
            case "500":
                error = ProviderUnavailable(f"{name} had a fault of its own", "It answered 500", again, status=500)
            case "timeout":
                why = f"Nothing came for {self.config.timeout:g} s"
                error = ProviderTimeout(f"{name} did not answer in time", why, again, status=status)
            case "cut":
                why = "The stream ended without saying that it was complete"
                error = StreamInterrupted(f"The answer of {name} broke off", why, again, partial=partial, status=200)
                midstream = True
            case _:
                error = ProviderUnavailable(f"{name} could not be reached", "Nothing listens there", again)
                error.error_class = "network"
        error.provider, error.model, error.midstream = name, model, midstream
        return error


def _reply_for(model: str) -> MockReply:
    """What a model's name asks for; an ordinary name echoes."""
    ending = model.rpartition("-")[2]
    if ending == "slow":
        return MockReply(delay_s=SLOW_S * 4, piece_delay_s=SLOW_S)
    return MockReply(fault=next((fault for fault in FAULTS if fault == ending), None))


def _words(request: LLMRequest) -> int:
    return sum(len(turn.content.split()) for turn in request.messages)
