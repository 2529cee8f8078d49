"""The slowest stream that counts as one: a guard against answers that drip and never end. Looks at no clock itself.

A provider's own time limits see silence only; a character every second is none, and never ends.
"""

from __future__ import annotations

from typing import Final

from vpa_desktop.errors import ProviderTimeout
from vpa_desktop.providers.base import BaseLLMProvider

WINDOW_S: Final = 20.0
SLOWEST: Final = 2.0
"""Characters a second: a tenth of what a slow reader reads, and less than any model in order gives."""

FEWEST_PIECES: Final = 5
"""A few pieces far apart are pauses, not a drip."""


class PaceGuard:
    """Watches one answer from its first piece, ``since`` then; ``window_s`` seconds at a time. Monotonic seconds."""

    __slots__ = ("_characters", "_pieces", "_provider", "_since", "_window_s")

    def __init__(self, provider: BaseLLMProvider, window_s: float = WINDOW_S, *, since: float) -> None:
        self._provider = provider
        self._window_s = window_s
        self._since = since
        self._characters = self._pieces = 0

    def take(self, characters: int, now: float) -> None:
        """Note a piece after the first; raises ProviderTimeout where a whole window brought next to nothing."""
        self._characters += characters
        self._pieces += 1
        gone_s = now - self._since
        if gone_s < self._window_s:
            return
        if self._pieces >= FEWEST_PIECES and self._characters < SLOWEST * gone_s:
            raise ProviderTimeout(
                f"{self._provider.provider_id} is too slow to wait for",
                f"It gave {self._characters} characters in {gone_s:.0f} seconds",
                "Ask again, or choose another provider",
                provider=self._provider.provider_id,
                model=self._provider.model,
                midstream=True,
            )
        self._since, self._characters, self._pieces = now, 0, 0
