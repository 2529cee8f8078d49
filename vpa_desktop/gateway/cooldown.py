"""Cooldowns: who asked for patience, or whose key was refused, and until when. Says nothing about health (``breaker``).

A 429 or a refused key is no fault of the provider's service: its breaker stays closed, only this key waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vpa_desktop.errors import ErrorClass, ProviderError

FIRST_WAIT_S: Final[dict[ErrorClass, float]] = {"rate_limit": 1.0, "quota": 60.0, "auth": 60.0, "permission": 60.0}
"""The wait after a first refusal that names no time; it doubles with each one that follows."""

LONGEST_WAIT_S: Final = 900.0
"""Of the waits that are ours to choose; a time the provider named is kept whole."""

PAUSES_KEPT: Final = 1_000
"""Past so many, those that are over are forgotten."""

REASONS: Final[dict[ErrorClass, str]] = {
    "rate_limit": "it takes no more requests for now",
    "quota": "there is no credit left there",
    "auth": "its key was refused",
    "permission": "its key is not allowed to do this",
}


def pause_id(provider_id: str, key_id: str) -> str:
    """Under which name the pauses of one of several keys are kept; no provider's id has a "#"."""
    return f"{provider_id}#{key_id}"


@dataclass(slots=True)
class _Pause:
    until: float = 0.0
    reason: str = ""
    in_a_row: int = 0


class Cooldowns:
    """One pause per provider and model; ``pauses`` is empty as long as nobody asked for one.

    ``clock`` returns monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.pauses: dict[tuple[str, str], _Pause] = {}

    def note(self, provider_id: str, model: str, error: ProviderError) -> bool:
        """Take a refusal in; True where it asks for a pause. The later of two deadlines counts.

        Requests that were out at the same time meet the same refusal: it makes the next wait longer once.
        """
        if error.error_class not in FIRST_WAIT_S:
            return False
        now = self._clock()
        if len(self.pauses) >= PAUSES_KEPT:
            self.pauses = {place: each for place, each in self.pauses.items() if each.until > now}
        pause = self.pauses.setdefault((provider_id, model), _Pause())
        is_known, wait_s = now < pause.until, error.retry_after_s
        if wait_s is None:
            wait_s = 0.0 if is_known else min(LONGEST_WAIT_S, FIRST_WAIT_S[error.error_class] * 2.0**pause.in_a_row)
        if not is_known:
            pause.in_a_row = min(pause.in_a_row + 1, 20)
        if now + wait_s > pause.until:
            pause.until, pause.reason = now + wait_s, REASONS[error.error_class]
        return True

    def left_s(self, provider_id: str, model: str) -> float:
        """Seconds until it may be asked again; 0 where it may be asked now."""
        pause = self.pauses.get((provider_id, model))
        return 0.0 if pause is None else max(0.0, pause.until - self._clock())

    def reason(self, provider_id: str, model: str) -> str:
        """Why it is left alone, in words for the receipt; empty where it is not."""
        if not self.left_s(provider_id, model):
            return ""
        return f"{self.pauses[provider_id, model].reason}; asked again in {self.left_s(provider_id, model):.0f} s"

    def asked_to_wait_s(self, provider_id: str, model: str) -> float:
        """The same where the provider asked for patience; 0 where it is the key that was refused."""
        pause = self.pauses.get((provider_id, model))
        is_patience = pause is not None and pause.reason == REASONS["rate_limit"]
        return self.left_s(provider_id, model) if is_patience else 0.0

    def resume(self, provider_id: str, model: str, left_s: float) -> None:
        """Go on with a wait that the provider had asked for in an earlier run."""
        self.pauses[provider_id, model] = _Pause(self._clock() + left_s, REASONS["rate_limit"])

    def worked(self, provider_id: str, model: str) -> None:
        """It answered: the next refusal begins with a short wait again. A pause under way stays."""
        pause = self.pauses.get((provider_id, model))
        if pause is not None:
            pause.in_a_row = 0

    def forget(self, provider_id: str) -> None:
        """Its key or address is another one: whatever was held against it is void."""
        for key in [key for key in self.pauses if key[0] == provider_id]:
            del self.pauses[key]

    def forget_keys(self, provider_id: str) -> None:
        """The same for each of its keys, where it has several."""
        for key in [key for key in self.pauses if key[0].startswith(pause_id(provider_id, ""))]:
            del self.pauses[key]
