"""One limit and where somebody stands against it, with the sentences about it. Reads no ledger, refuses nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from vpa_desktop.errors import BudgetExceeded, ConfigError

ALLOW_STEP = ", or allow unknown prices in Settings, Limits"
NEXT_STEP = "Raise the limit in Settings, Limits, ask the local model, or send it once anyway"


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be spent in a local calendar day or month; ``user_id`` None is by everybody together.

    ``whose`` names the policy that set it, which nobody may pass this once; empty for the person's own.
    """

    period: Literal["daily", "monthly"]
    usd: Decimal
    user_id: str | None = None
    whose: str = ""
    allows_unknown_prices: bool = False

    @property
    def name(self) -> str:
        """What tells it apart from the others."""
        return " ".join(part for part in (self.period, self.user_id, self.whose) if part)

    @property
    def next_step(self) -> str:
        """What to do where it refuses."""
        return "Ask the local model, or whoever keeps the policy" if self.whose else NEXT_STEP


@dataclass(frozen=True, slots=True)
class Standing:
    """What is spent and set aside against one limit, since ``start`` (UTC).

    ``clock_was_at`` is the time that counts where the clock was set back since.
    """

    limit: Limit
    start: datetime
    spent_usd: Decimal
    reserved_usd: Decimal
    clock_was_at: datetime | None = None

    @property
    def claimed_usd(self) -> Decimal:
        """Spent and set aside."""
        return self.spent_usd + self.reserved_usd

    @property
    def period_name(self) -> str:
        """The period and the limit in it: with another limit the shares are others."""
        return f"{self.start.isoformat()} {self.limit.usd}"

    def has_reached(self, share: float) -> bool:
        """True where this share of the limit is spent; nothing of nothing is none."""
        return self.spent_usd > 0 and self.spent_usd >= self.limit.usd * Decimal(str(share))

    def warning(self) -> str:
        """The sentence for a share that was reached."""
        spent, limit = dollars(self.spent_usd), f"your {self.limit.period} limit of {dollars(self.limit.usd)}"
        if self.spent_usd >= self.limit.usd:
            return f"{limit[0].upper()}{limit[1:]} is used up: {spent} is spent"
        return f"{spent} of {limit} is spent ({self.spent_usd * 100 / self.limit.usd:.0f} %)"


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning that was said in this session, and of which period."""

    limit: Limit
    start: datetime
    sentence: str


def usable_amount(value: float | Decimal | None) -> Decimal | None:
    """An amount that can be a limit; raises ConfigError."""
    amount = None if value is None else Decimal(str(value))
    if amount is not None and not (amount.is_finite() and amount >= 0):
        raise ConfigError(f"{value} is no limit", "It is an amount in US dollars, 0 or more", "None is no limit")
    return amount


def dollars(amount: Decimal) -> str:
    """An amount to the cent; one below a cent with the figures that matter."""
    return f"${amount:.2f}" if amount == 0 or amount >= Decimal("0.01") else f"${amount:.6f}".rstrip("0")


def refusal(standing: Standing, needed: Decimal | None) -> BudgetExceeded:
    """The error where an answer could pass a limit."""
    limit = standing.limit
    parts = [f"${standing.spent_usd:.4f} is spent"]
    if standing.reserved_usd:
        parts.append(f"${standing.reserved_usd:.4f} is set aside for answers on their way")
    if needed is not None:
        parts.append(f"this answer could cost up to ${needed:.4f}")
    why = " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else parts[0]
    return BudgetExceeded(
        f"The {limit.period} limit of {dollars(limit.usd)} {_would(standing)}",
        why + _clock(standing) + _whose(limit),
        limit.next_step,
        limit=limit.usd,
        spent=standing.spent_usd,
        needed=needed,
        reserved=standing.reserved_usd,
        period=limit.period,
        whose=limit.whose,
    )


def unpriced(standing: Standing, name: str) -> BudgetExceeded:
    """The error where nobody knows what an answer costs, and a limit is to be kept."""
    limit = standing.limit
    return BudgetExceeded(
        f"The {limit.period} limit of {dollars(limit.usd)} could not be kept",
        f"The price of {name or 'this model'} is not known"
        + (f". {limit.whose} sets this limit" if limit.whose else ""),
        "Set its prices in Settings, Providers (0 where it is free)" + ("" if limit.whose else ALLOW_STEP),
        limit=limit.usd,
        spent=standing.spent_usd,
        needed=None,
        reserved=standing.reserved_usd,
        period=limit.period,
        whose=limit.whose,
    )


def _whose(limit: Limit) -> str:
    return f". {limit.whose} sets this limit" if limit.whose else ""


def _would(standing: Standing) -> str:
    return "is used up" if standing.spent_usd >= standing.limit.usd else "would be passed"


def _clock(standing: Standing) -> str:
    """What the clock has to do with it, where it was ahead of now: that day counts until it has come."""
    if standing.clock_was_at is None:
        return ""
    day = standing.clock_was_at
    return f". The clock of this computer was set back: what was spent at {day:%Y-%m-%d %H:%M} still counts"
