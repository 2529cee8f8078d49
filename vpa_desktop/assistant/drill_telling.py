"""A fire drill in words: each step as a sentence, with the chain as it stands then. It asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from vpa_desktop.assistant.drill_server import RETRY_AFTER_S
from vpa_desktop.config import RoutingSettings
from vpa_desktop.drills import FAULT_WORDS, DrillFault, DrillPlace, DrillReport, DrillStep, PlaceState, StepKind
from vpa_desktop.errors import ProviderError
from vpa_desktop.receipts import duration

if TYPE_CHECKING:
    from vpa_desktop.assistant.drill import Asked, Drill, Failure

COMMITS: Final[dict[DrillFault, str]] = {
    "429": f"answers 429 and asks to wait {RETRY_AFTER_S} s",
    "500": "answers 500",
    "timeout": "takes the question and says nothing",
    "cut": "begins its answer and breaks off",
    "refuse": "refuses connections",
}
BREAKERS: Final = {"closed": "closed", "open": "open", "half_open": "half-open"}


class Telling:
    """Follows one drill and keeps what it has told."""

    def __init__(self, drill: Drill) -> None:
        self._drill = drill
        self._name = drill.failing.provider_id
        self._states: dict[str, PlaceState] = {}
        self._steps: list[DrillStep] = []
        self._was_open = False

    def opening(self, own: RoutingSettings) -> Iterator[DrillStep]:
        """What is to happen, and where the drill differs from the person's own chain."""
        chain = self._drill.chain
        if chain.added:
            names = " and ".join(chain.added)
            yield self._say("note", f"You have fewer than two providers: {names} stands in for a second one.")
        if chain.unready:
            names = ", ".join(chain.unready)
            yield self._say(
                "note", f"Without a key: {names}. The drill needs none; a real question would pass over them."
            )
        if chain.configs[0].provider_id != self._name:
            yield self._say("note", f"{self._name} is asked first in this drill; in your chain it comes later.")
        if own.strategy in ("weighted", "fastest", "cheapest"):
            yield self._say("note", f"Your strategy is {own.strategy}; the drill asks in the order of the chain.")
        if own.hedge_first_token:
            yield self._say("note", "Your settings ask a second provider beside a slow one; the drill waits instead.")
        said = f"From now on {self._name} {COMMITS[self._drill.fault]}."
        if self._drill.fault == "timeout":
            said += f" The drill waits {self._drill.first_token_s:g} s for it; your limit is {self._own_limit()}."
        yield self._say("fault", said, provider=self._name)

    def _own_limit(self) -> str:
        return f"{self._drill.failing.timeout:g} s"

    def asked(self, request: int, provider: str) -> DrillStep:
        """A provider is asked."""
        self._states[provider] = "asked"
        return self._say("asked", f"Request {request}: {provider} is asked.", request, provider)

    def failures(self, failures: Sequence[Failure]) -> Iterator[DrillStep]:
        """Providers failed, and what that means for them."""
        for error, ms in failures:
            self._states[error.provider] = "failed"
            why = f" {error.why}." if error.why else ""
            said = f"{error.provider} failed after {duration(ms)}: {error.what}.{why}{self._patience(error)}"
            yield self._say("failed", said, 1, error.provider, ms)

    def _patience(self, error: ProviderError) -> str:
        return f" It asked for {error.retry_after_s:g} s of patience." if error.retry_after_s else ""

    def first(self, asked: Asked) -> Iterator[DrillStep]:
        """How the first request ended."""
        if asked.response is None:
            yield self._nobody(1, asked)
            return
        said = asked.response
        self._states[said.provider] = "answered"
        ms = said.attempts[-1].ms
        how = "gave the rest of the answer" if said.content and self._drill.fault == "cut" else "answered whole"
        if not asked.is_whole:
            how = "answered, but not whole,"
        yield self._say("answered", f"{said.provider} {how} in {duration(ms)}.", 1, said.provider, ms)
        yield from self._breaker(1)

    def request(self, number: int, asked: Asked) -> Iterator[DrillStep]:
        """A further request in one sentence, and the breaker where it has opened."""
        self._states = {a.provider: _STATES.get(a.outcome, "failed") for a in asked.attempts}
        if asked.response is None:
            yield self._nobody(number, asked)
            return
        parts = []
        for attempt in asked.attempts:
            if attempt.provider != self._name or attempt.outcome == "ok":
                continue
            reason = attempt.reason.rstrip(".")
            left_out = f"{attempt.provider} is left out ({reason})"
            failed = f"{attempt.provider} failed after {duration(attempt.ms)}"
            parts.append(left_out if attempt.outcome == "skipped" else failed)
        took = duration(asked.attempts[-1].ms)
        parts.append(f"{asked.response.provider} answered in {took}")
        said = f"Request {number}: {'; '.join(parts)}."
        yield self._say("request", said, number, asked.response.provider, asked.attempts[-1].ms)
        yield from self._breaker(number)

    def well_again(self, wait_s: float) -> DrillStep:
        """The fault is over and the wait too."""
        self._states = {}
        waited = f" {wait_s:.0f} s pass; the drill moves its clock on instead of waiting." if wait_s else ""
        return self._say("time", f"{self._name} is well again.{waited}", provider=self._name)

    def recovery(self, number: int, last: Asked) -> Iterator[DrillStep]:
        """The request after the fault."""
        self._states = {a.provider: _STATES.get(a.outcome, "failed") for a in last.attempts}
        if last.response is None:
            yield self._nobody(number, last)
            return
        name, ms = last.response.provider, last.attempts[-1].ms
        if name == self._name:
            state = BREAKERS[self._drill.breaker_of(name)]
            said = (
                f"Request {number} tries {name}: answered whole in {duration(ms)}. Its breaker is {state}: back on it."
            )
            yield self._say("back", said, number, name, ms)
        else:
            yield self._say(
                "lost", f"Request {number}: {name} answered, {self._name} was not asked again.", number, name
            )

    def breakers(self) -> dict[str, str]:
        """The state of each provider's breaker now."""
        return {c.provider_id: self._drill.breaker_of(c.provider_id) for c in self._drill.chain.configs}

    def report(self, first: Asked, every: Sequence[Asked], last: Asked, during: dict[str, str]) -> DrillReport:
        """The whole drill in one value."""
        answered_by = first.response.provider if first.response else ""
        recovered_by = last.response.provider if last.response else ""
        left_alone = any(a.provider == self._name and a.outcome == "skipped" for e in every for a in e.attempts)
        passed = all(e.is_whole for e in every) and last.is_whole and left_alone and recovered_by == self._name
        return DrillReport(
            fault=self._drill.fault,
            provider=self._name,
            passed=passed,
            answered_by=answered_by,
            summary=self._summary(passed, answered_by, len(every)),
            steps=tuple(self._steps),
            attempts=first.attempts,
            breaker=during,
            recovered_by=recovered_by,
            stand_ins=self._drill.chain.added,
        )

    def _summary(self, passed: bool, answered_by: str, requests: int) -> str:
        fault = FAULT_WORDS[self._drill.fault]
        if not answered_by:
            return f"Nobody answered after {fault} at {self._name}. {self._why_nobody()}"
        if passed:
            return (
                f"The chain held: {fault} at {self._name}, and {answered_by} answered. {requests} of {requests} "
                f"requests came whole, and {self._name} was asked again when it was well."
            )
        return f"{answered_by} answered after {fault} at {self._name}, but not every step went as it should."

    def _why_nobody(self) -> str:
        routing = self._drill.manager.routing
        if not routing.fallback_enabled:
            return "Failover is switched off, so no other provider was asked: switch it on in Settings, Routing."
        if routing.strategy == "fixed":
            return 'The strategy is "fixed", which asks one provider only: choose another one in Settings, Routing.'
        if self._drill.fault == "cut" and not routing.continue_after_break:
            return "Your settings stop an answer that breaks off (routing.continue_after_break)."
        return "No other provider could be asked."

    def _nobody(self, number: int, asked: Asked) -> DrillStep:
        error = f" {asked.error}" if asked.error else ""
        return self._say("lost", f"Request {number}: nobody answered.{error}", number)

    def _breaker(self, number: int) -> Iterator[DrillStep]:
        """The breaker of the failing provider, told once when it is opened and once after the first request."""
        state, wait_s = self._drill.breaker_of(self._name), self._drill.wait_s()
        if state != "closed" and not self._was_open:
            self._was_open = True
            said = f"The breaker of {self._name} is open: it is left alone for {wait_s:.0f} s."
            yield self._say("breaker", said, number, self._name)
        elif number == 1 and state == "closed":
            alone = f", but it is left alone for {wait_s:.0f} s" if wait_s else " after one failure"
            yield self._say("breaker", f"The breaker of {self._name} stays closed{alone}.", number, self._name)

    def _say(
        self, kind: StepKind, text: str, request: int = 0, provider: str = "", ms: float | None = None
    ) -> DrillStep:
        rounded = None if ms is None else round(ms, 1)
        step = DrillStep(kind, text, request, provider, rounded, self._places())
        self._steps.append(replace(step, chain=()))
        return step

    def _places(self) -> tuple[DrillPlace, ...]:
        drill = self._drill
        ordered = sorted(drill.chain.configs, key=lambda config: config is not drill.failing)
        return tuple(
            DrillPlace(
                config.provider_id,
                str(config.model) or "stand-in",
                is_local=config.is_local,
                is_added=config.provider_id in drill.chain.added,
                state=self._states.get(config.provider_id, ""),
                breaker=drill.breaker_of(config.provider_id),
                reopens_in_s=round(drill.wait_s(config.provider_id), 1),
                requests=len(drill.outcomes[config.provider_id]),
                failed=drill.outcomes[config.provider_id].count(False),
            )
            for config in ordered
        )


_STATES: Final[dict[str, PlaceState]] = {"ok": "answered", "skipped": "skipped"}
