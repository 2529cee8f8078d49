"""What trials find, as values: figures with how they were come by, and steps that passed or did not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``value`` None was not measured, and ``note`` says why; ``how`` is what was done for it.

    ``target`` is what the source document names for it, in words; ``is_met`` whether it is, None without a target.
    """

    name: str
    value: float | None
    unit: str
    how: str
    target: str = ""
    is_met: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One part that was tried; ``detail`` is what was seen, or why it failed or was left out."""

    name: str
    outcome: Outcome
    detail: str
    ms: float = 0.0


def share(values: Sequence[float], part: float) -> float:
    """Return the value that ``part`` of all values do not exceed (0.5 is the median), by the nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]
