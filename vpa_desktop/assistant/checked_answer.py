"""An answer on its way to the reader: masked secrets come back, sources that do not exist are taken out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import replace

from vpa_desktop.assistant.citing import CitationCheck, checked
from vpa_desktop.assistant.outgoing import OutgoingGuard
from vpa_desktop.messages import GatewayEvent, RouteDone, Seam, TextDelta


class CheckedAnswer:
    """Passes on one answer's events; ``sent`` are the numbers of the passages that were sent with the question."""

    def __init__(self, guard: OutgoingGuard, sent: Collection[int]) -> None:
        self._guard = guard
        self._sent = sent
        self._check = CitationCheck(sent)

    async def events(self, stream: AsyncGenerator[GatewayEvent, None]) -> AsyncGenerator[GatewayEvent, None]:
        """Yields the events with the text as the reader gets it; the stream is closed with this one."""
        async with aclosing(stream) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    if text := self._check.feed(self._guard.restore(event.text)):
                        yield TextDelta(text)
                    continue
                if isinstance(event, RouteDone | Seam):
                    rest, is_given_up = self._rest(), isinstance(event, Seam) and event.restarts
                    if rest and not is_given_up:
                        yield TextDelta(rest)
                    if is_given_up:
                        self._check.restart()
                yield self._done(event) if isinstance(event, RouteDone) else event

    def warning(self) -> str:
        """Returns what is said of the sources that were taken out; empty where none was."""
        return self._check.warning()

    def _rest(self) -> str:
        """What was held back of the text so far: half a placeholder, half a citation."""
        return self._check.feed(self._guard.rest()) + self._check.rest()

    def _done(self, event: RouteDone) -> RouteDone:
        content, self._check = checked(self._guard.whole(event.response.content), self._sent)
        return RouteDone(replace(event.response, content=content))
