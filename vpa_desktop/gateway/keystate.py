"""How one of several keys stands, and what to say when none is left. Pure values and words; asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vpa_desktop.errors import AuthenticationFailed, ErrorClass, ProviderError, RateLimited
from vpa_desktop.gateway.cooldown import REASONS, Cooldowns
from vpa_desktop.records import KeyStanding

REFUSALS: Final[Mapping[ErrorClass, str]] = {
    "rate_limit": "has reached its limit for now",
    "quota": "has no credit left",
    "auth": "was refused",
    "permission": "is not allowed to do this",
}
"""What may be said of a key."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """How a key stands: in use, waiting until its limit is over, or refused and tried again then."""

    standing: KeyStanding = "in use"
    reason: str = ""
    until: datetime | None = None


def state_of(cooldowns: Cooldowns, pause_id: str, refusals: Mapping[str, ProviderError], now: datetime) -> KeyState:
    """Return the worst that is held against a key, whichever model it was for; ``refusals`` are by model."""
    resting = [(cooldowns.left_s(pause_id, model), error) for model, error in refusals.items()]
    resting = [(left_s, error) for left_s, error in resting if left_s]
    if not resting:
        return KeyState()
    left_s, error = max(resting, key=lambda r: (r[1].error_class != "rate_limit", r[0]))
    standing: KeyStanding = "waiting" if error.error_class == "rate_limit" else "refused"
    return KeyState(standing, f"It {refusal_in_words(error)}", now + timedelta(seconds=left_s))


def state_of_only(cooldowns: Cooldowns, provider_id: str, model: str, now: datetime) -> KeyState:
    """Return how the one key of a provider stands: the provider's pause is its own."""
    left_s = cooldowns.left_s(provider_id, model)
    if not left_s:
        return KeyState()
    reason = cooldowns.reason(provider_id, model).partition(";")[0]
    standing: KeyStanding = "waiting" if reason == REASONS["rate_limit"] else "refused"
    return KeyState(standing, reason[:1].upper() + reason[1:], now + timedelta(seconds=left_s))


def to_keep(left_s: float, label: str, error: ProviderError, now: datetime) -> dict[str, str]:
    """Return what is kept of a key that rests, over a restart; ``label`` says then whether it is still the same key."""
    until = now + timedelta(seconds=left_s)
    return {"label": label, "until": until.isoformat(), "class": error.error_class, "why": error.why}


def from_kept(kept: object, label: str, now: datetime) -> ProviderError | None:
    """Return the refusal that was kept of a key, with the wait that is left of it; None where it is over or odd."""
    if not isinstance(kept, Mapping) or kept.get("label") != label or kept.get("class") not in REFUSALS:
        return None
    try:
        left_s = (datetime.fromisoformat(str(kept.get("until"))) - now).total_seconds()
    except (ValueError, TypeError):
        return None
    if left_s <= 0:
        return None
    error_class: ErrorClass = kept["class"]
    return ProviderError("The key was refused", str(kept.get("why", "")), error_class=error_class, retry_after_s=left_s)


def nobody_left(
    provider: str, model: str, facts: Sequence[tuple[float, str, ProviderError]], keys: int
) -> ProviderError:
    """Return the error where no key can be used: ``facts`` are seconds until it is back, its name, its refusal."""
    if not facts:
        return AuthenticationFailed(
            f"{provider} has no key that may still be used",
            "Its last one was replaced, and its time is over",
            "Add one in Settings, Keys",
            provider=provider,
            model=model,
        )
    wait_s, _, soonest = min(facts, key=lambda fact: fact[0])
    classes = {error.error_class for _, _, error in facts}
    kind = RateLimited if soonest.error_class in ("rate_limit", "quota") else AuthenticationFailed
    why = "; ".join(f"{name} {refusal_in_words(error)}" for _, name, error in facts)
    return kind(
        _headline(provider, classes, keys),
        why[:1].upper() + why[1:],
        _advice(provider, classes, wait_s),
        provider=provider,
        model=model,
        error_class=soonest.error_class,
        retryable=soonest.error_class == "rate_limit",
        status=soonest.status,
        code=soonest.code,
        retry_after_s=wait_s,
        request_id=soonest.request_id,
    )


def refusal_in_words(error: ProviderError) -> str:
    """Return what is said of a key that was refused: what it is, and what the provider answered."""
    why = error.why.removeprefix("It answered ")
    answer = f"{why[:1].lower()}{why[1:]}" if why == error.why else f"it answered {why}"
    return f"{REFUSALS[error.error_class]}: {answer}" if why else REFUSALS[error.error_class]


def _headline(provider: str, classes: set[ErrorClass], keys: int) -> str:
    if classes == {"auth"}:
        return f"{provider} refused all of its {keys} keys"
    if classes == {"quota"}:
        return f"None of the {keys} keys of {provider} has credit left"
    if classes == {"rate_limit"}:
        return f"All {keys} keys of {provider} have reached their limits for now"
    return f"None of the {keys} keys of {provider} can be used now"


def _advice(provider: str, classes: set[ErrorClass], wait_s: float) -> str:
    if "rate_limit" in classes:
        return f"Try again in {max(1.0, wait_s):.0f} s, or choose another provider"
    if classes == {"quota"}:
        return "Add credit or raise the limits at the provider, or choose another provider"
    return f"Check them in Settings, Keys, or with: vpa-desktop keys test {provider}"
