"""What a fire drill tells while it runs, as values: who failed, who answered, how the breakers stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from vpa_desktop.messages import Attempt

DrillFault = Literal["429", "500", "timeout", "cut", "refuse"]
FAULTS: Final[tuple[DrillFault, ...]] = get_args(DrillFault)

FAULT_WORDS: Final[Mapping[DrillFault, str]] = {
    "429": "too many requests (429, asked to wait)",
    "500": "a fault of its own (500)",
    "timeout": "silence",
    "cut": "an answer that breaks off",
    "refuse": "a refused connection",
}
"""What each fault is, in words."""

PlaceState = Literal["", "asked", "failed", "skipped", "answered"]
StepKind = Literal["note", "fault", "asked", "failed", "answered", "breaker", "request", "time", "back", "lost"]


@dataclass(frozen=True, slots=True)
class DrillPlace:
    """One provider of the drill's chain and how it does there. ``is_added`` marks one that the person does not have.

    ``reopens_in_s`` is how long it is still left alone; of ``requests`` that reached it ``failed`` did not go well.
    """

    provider: str
    model: str
    is_local: bool = False
    is_added: bool = False
    state: PlaceState = ""
    breaker: str = "closed"
    reopens_in_s: float = 0.0
    requests: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class DrillStep:
    """One thing that happened, as a sentence, and how the chain stands after it. ``request`` counts from 1."""

    kind: StepKind
    text: str
    request: int = 0
    provider: str = ""
    ms: float | None = None
    chain: tuple[DrillPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class DrillReport:
    """The end of one drill.

    ``attempts`` are those of its first request and ``answered_by`` who answered it, empty where nobody did.
    ``breaker`` is each provider's state when the fault was over, ``recovered_by`` who answered then. It ``passed``
    where every request was answered whole, the failing provider was left alone, and was asked again when it was well.
    """

    fault: DrillFault
    provider: str
    passed: bool
    answered_by: str
    summary: str
    steps: tuple[DrillStep, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    breaker: Mapping[str, str] = field(default_factory=dict)
    recovered_by: str = ""
    stand_ins: tuple[str, ...] = ()


DrillEvent = DrillStep | DrillReport
"""What a drill yields: steps, then exactly one report."""
