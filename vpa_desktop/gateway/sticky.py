"""Who answered a conversation last, so that it stays with one provider for a while. Chooses nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

CONVERSATIONS_KEPT: Final = 10_000


class LastAnswers:
    """Provider ids by conversation, the latest of them. ``clock`` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, tuple[str, float]] = {}

    def note(self, conversation_id: str, provider_id: str) -> None:
        """Take in who answered."""
        self._known.pop(conversation_id, None)
        self._known[conversation_id] = (provider_id, self._clock())
        if len(self._known) > CONVERSATIONS_KEPT:
            del self._known[next(iter(self._known))]

    def within(self, minutes: float, conversation_id: str | None) -> str:
        """Return who answered this conversation in the last ``minutes``; empty where nobody did."""
        provider_id, at = self._known.get(conversation_id or "", ("", 0.0))
        return provider_id if provider_id and self._clock() - at <= minutes * 60 else ""
