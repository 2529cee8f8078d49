"""CircuitBreaker: leaves a failing provider alone, and comes back to it with one careful try.

It opens after ``failure_threshold`` failures in a row, or where half of the last requests failed, and lets exactly one
probe through after five seconds. A failed or lost probe makes the next wait longer, up to ``recovery_timeout_s``, but
never longer than a share of the outage so far: one that is well again is back soon. A good probe closes the breaker.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

BreakerState = Literal["closed", "open", "half_open"]

FIRST_WAIT_S: Final = 5.0
GROWTH: Final = 1.5
SOON_S: Final = 9.5
SHARE_OF_OUTAGE: Final = 0.15
"""Each wait is half as long again, but no more than this share of the outage, or 9.5 s where that is more.

One that was down for a minute is asked again within ten seconds of being well, one that was down for half an hour
within the usual ceiling of five minutes.
"""

PROBE_DEADLINE_S: Final = 60.0

BESIDE_A_PROBE: Final = 16
"""How many may go out beside a probe where there is nobody else to ask."""

RATE_WINDOW_S: Final = 30.0
RATE_REQUESTS: Final = 10
RATE_SHARE: Final = 0.5
"""Of at least so many requests in the window, the share of failures that opens the breaker without a row of them."""


class CircuitBreaker:
    """One breaker for one provider and model. ``clock`` returns monotonic seconds."""

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout_s: float = 300.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[BreakerState, str], None] | None = None,
    ) -> None:
        self.failure_threshold = failure_threshold
        self.recovery_timeout_s = recovery_timeout_s
        self._clock = clock
        self._changed = changed
        self._failures = 0
        self._recent: deque[tuple[float, bool]] = deque()
        self._down_since: float | None = None
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
    def is_closed(self) -> bool:
        """True where nothing is held against the provider: the usual case."""
        return self._open_until is None

    @property
    def opens_in_s(self) -> float:
        """Seconds until the next probe may go out; 0 when a request may go now."""
        if self._open_until is None:
            return 0.0
        return max(0.0, self._open_until - self._clock())

    @property
    def probe(self) -> float | None:
        """What tells the probe under way from every other one; None where none is."""
        return self._probe_deadline

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
            self._reopen("the probe was lost")  # it counts as failed, and never wedges the breaker
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

    def speaks(self, probe: float) -> float | None:
        """Note that a probe's answer is coming: it is not lost as long as it does. Returns what tells it apart now."""
        if probe != self._probe_deadline:
            return None
        self._probe_deadline = self._clock() + PROBE_DEADLINE_S
        return self._probe_deadline

    def success(self) -> None:
        """A request worked: closed, with a clean record where it was not."""
        self._failures = 0
        if self._open_until is None:
            self._down_since = None
            if self._recent:  # a provider that never failed is not kept count of
                self._note(failed=False)
            return
        self._open_until = self._probe_deadline = self._down_since = None
        self._recent.clear()
        self._tell("closed", "it answered again")

    def failure(self, reason: str = "") -> None:
        """A request failed for a reason that is the provider's."""
        self._failures += 1
        if self._down_since is None:
            self._down_since = self._clock()
        if self._probe_deadline is not None:
            self._reopen(reason)
        elif self._open_until is None:
            self._note(failed=True)
            if self._failures >= self.failure_threshold or self._fails_too_often():
                self._reopen(reason)

    def release(self) -> None:
        """A request ended without saying anything about the provider (cancelled, or the caller's own mistake)."""
        self._probe_deadline = None

    # What a look at the provider found, beside the requests

    def found_well(self) -> None:
        """It answers to a look: the wait is over, and the next request is the probe."""
        if self._open_until is not None and self._probe_deadline is None:
            self._open_until = min(self._open_until, self._clock())

    def found_down(self, reason: str = "") -> None:
        """It does not answer to a look either: the wait begins anew, and no request is spent on it."""
        if self._open_until is not None and self._probe_deadline is None:
            self._reopen(reason)

    # Kept over a restart

    @property
    def down_for_s(self) -> float:
        """How long the outage has lasted; 0 while closed."""
        return 0.0 if self._open_until is None or self._down_since is None else self._clock() - self._down_since

    @property
    def failures_in_a_row(self) -> int:
        """How many requests failed since the last that worked."""
        return self._failures

    def resume_failures(self, failures: int) -> None:
        """Stay closed, with the failures in a row that were counted when the program ended."""
        self._failures = max(0, min(failures, self.failure_threshold - 1))

    def resume(self, *, opens_in_s: float, down_for_s: float) -> None:
        """Be open as it was when the program ended."""
        now = self._clock()
        self._failures = self.failure_threshold
        self._down_since = now - down_for_s
        self._open_until = now + min(opens_in_s, self.recovery_timeout_s)

    def _note(self, *, failed: bool) -> None:
        now = self._clock()
        self._recent.append((now, failed))
        while self._recent and self._recent[0][0] < now - RATE_WINDOW_S:
            self._recent.popleft()

    def _fails_too_often(self) -> bool:
        failed = sum(1 for _, is_failure in self._recent if is_failure)
        return len(self._recent) >= RATE_REQUESTS and failed >= RATE_SHARE * len(self._recent)

    def _reopen(self, reason: str = "") -> None:
        now = self._clock()
        was_closed = self._open_until is None
        down_s = now - (self._down_since if self._down_since is not None else now)
        longest_s = min(self.recovery_timeout_s, max(SOON_S, SHARE_OF_OUTAGE * down_s))
        self._wait_s = min(longest_s, FIRST_WAIT_S if was_closed else max(FIRST_WAIT_S, self._wait_s * GROWTH))
        self._open_until = now + self._wait_s
        self._probe_deadline = None
        if was_closed:
            self._tell("open", reason)

    def _tell(self, state: BreakerState, reason: str) -> None:
        if self._changed is not None:
            self._changed(state, reason)
