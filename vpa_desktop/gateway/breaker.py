"""CircuitBreaker: leaves a failing provider alone, and comes back to it with one careful try.

After ``failure_threshold`` failures in a row it opens for five seconds, then lets exactly one probe through.
A failed or lost probe makes the wait half as long again, up to ``recovery_timeout_s``; a good one closes the breaker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal

BreakerState = Literal["closed", "open", "half_open"]

FIRST_WAIT_S: Final = 5.0
GROWTH: Final = 1.5
"""After a minute of outage the wait is 25 s; doubled it would be 40 s, too long for one that is well again."""

PROBE_DEADLINE_S: Final = 60.0

BESIDE_A_PROBE: Final = 16
"""How many may go out beside a probe where there is nobody else to ask."""


class CircuitBreaker:
    """One breaker for one provider and model. ``clock`` returns monotonic seconds."""

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout_s: float = 300.0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failure_threshold = failure_threshold
        self.recovery_timeout_s = recovery_timeout_s
        self._clock = clock
        self._failures = 0
        self._wait_s = 0.0
        self._open_until: float | None = None
        self._probe_deadline: float | None = None
        self._beside = 0

    @property
    def state(self) -> BreakerState:
        """The state now; an open breaker whose wait is over reads half_open."""
        if self._open_until is None:
            return "closed"
        if self._probe_deadline is not None or self._clock() >= self._open_until:
            return "half_open"
        return "open"

    @property
    def opens_in_s(self) -> float:
        """Seconds until the next probe may go out; 0 when a request may go now."""
        if self._open_until is None:
            return 0.0
        return max(0.0, self._open_until - self._clock())

    def acquire(self, *, force: bool = False) -> bool:
        """Ask whether a request may go now. In half-open the first asker becomes the probe, the others wait.

        ``force`` is for the only one that is left to ask: it becomes the probe before the wait is over, or goes out
        beside the one under way, as long as not too many do.
        """
        if self._open_until is None:
            return True
        now = self._clock()
        if self._probe_deadline is not None:
            if now < self._probe_deadline:
                return force and self._goes_beside()
            self._reopen()  # the probe was lost: it counts as failed, and never wedges the breaker
        if now < self._open_until and not force:
            return False
        self._probe_deadline = now + PROBE_DEADLINE_S
        self._beside = 0
        return True

    def _goes_beside(self) -> bool:
        if self._beside >= BESIDE_A_PROBE:
            return False
        self._beside += 1
        return True

    def success(self) -> None:
        """A request worked: closed, with a clean record."""
        self._failures = 0
        self._wait_s = 0.0
        self._open_until = None
        self._probe_deadline = None

    def failure(self) -> None:
        """A request failed for a reason that is the provider's."""
        self._failures += 1
        if self._probe_deadline is not None or (self._open_until is None and self._failures >= self.failure_threshold):
            self._reopen()

    def release(self) -> None:
        """A request ended without saying anything about the provider (cancelled, or the caller's own mistake)."""
        self._probe_deadline = None

    def _reopen(self) -> None:
        self._wait_s = min(self.recovery_timeout_s, self._wait_s * GROWTH if self._wait_s else FIRST_WAIT_S)
        self._open_until = self._clock() + self._wait_s
        self._probe_deadline = None
