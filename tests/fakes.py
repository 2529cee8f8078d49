"""Fakes that subclass the real base, so that they break when it changes. No test and no assertion is here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.messages import LLMRequest, StreamEvent
from vpa_desktop.providers.base import BaseLLMProvider

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that only moves when a test moves it. ``now`` is the date, calling it the monotonic seconds."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed = Decimal(0)

    def __call__(self) -> float:
        """Return monotonic seconds."""
        return float(self._passed)

    def now(self) -> datetime:
        """Return the date and time, in UTC."""
        return self._start + timedelta(seconds=float(self._passed))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed += Decimal(str(seconds))


class ScriptedProvider(BaseLLMProvider):
    """Yields what it was given, in order; an exception among the events is raised in its place.

    Every request is kept in ``requests``; ``closed`` counts calls of ``aclose``.
    """

    def __init__(self, config: LLMProviderConfig, events: Sequence[StreamEvent | Exception]) -> None:
        super().__init__(config)
        self.events = list(events)
        self.requests: list[LLMRequest] = []
        self.closed = 0

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the script."""
        self.requests.append(request)
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event

    async def aclose(self) -> None:
        """Count the call."""
        self.closed += 1
