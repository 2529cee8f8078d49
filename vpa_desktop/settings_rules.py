"""What each key of settings.toml may hold: the words for it, and how it is read. Knows no file.

Adding a setting is a field in ``config`` and a line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from vpa_desktop.catalog import KINDS, split_address
from vpa_desktop.config import (
    BudgetSettings,
    CacheSettings,
    PrivacySettings,
    RagSettings,
    RoutingSettings,
    UpdateSettings,
    WindowSettings,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a key may hold: the words for it, and the conversion (raises ValueError or TypeError)."""

    allowed: str
    read: Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(low: float, high: float, whole: bool = False) -> Rule:
    kind = "a whole number" if whole else "a number"

    def read(value: Any) -> float | int:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise TypeError
        if not low <= value <= high:
            raise ValueError
        return value

    return Rule(f"{kind} from {low:g} to {high:g}", read)


def _money(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    try:
        amount = Decimal(str(value))
    except InvalidOperation as exc:
        raise ValueError from exc
    if not amount.is_finite() or amount < 0:
        raise ValueError
    return amount


def _one_of(*names: str) -> Rule:
    def read(value: Any) -> str:
        if value not in names:
            raise ValueError
        return str(value)

    return Rule(", ".join(names), read)


def _address(value: Any) -> str:
    text = _text(value)
    parts = split_address(text)
    if text and (parts.scheme != "https" or not parts.hostname or "@" in parts.netloc):
        raise ValueError
    return text


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return tuple(value)


def _shares(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not all(isinstance(i, (int, float)) and 0 < i <= 10 for i in value):
        raise TypeError
    return tuple(float(item) for item in value)


TEXT: Final = Rule("text in quotes", _text)
SWITCH: Final = Rule("true or false", _switch)
MONEY: Final = Rule("an amount in US dollars, 0 or more", _money)
TEXTS: Final = Rule("a list of texts", _texts)
ADDRESS: Final = Rule("an address that begins with https://, without a user name or password", _address)

PROVIDER_RULES: Final[dict[str, Rule]] = {
    "kind": _one_of(*KINDS),
    "model": TEXT,
    "api_endpoint": TEXT,
    "api_version": TEXT,
    "deployment": TEXT,
    "model_path": TEXT,
    "enabled": SWITCH,
    "weight": _number(0, 1_000_000),
    "max_tokens": _number(1, 10_000_000, whole=True),
    "temperature": _number(0, 2),
    "timeout_s": _number(0.1, 86_400),
    "max_retries": _number(0, 20, whole=True),
    "max_concurrency": _number(1, 10_000, whole=True),
    "local_only": SWITCH,
    "protocol": _one_of("auto", "responses", "chat"),
    "effort": _one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "context_tokens": _number(256, 100_000_000, whole=True),
    "keep_loaded_minutes": _number(0, 10_080),
    "connect_timeout_s": _number(0.1, 600),
    "idle_timeout_s": _number(0.1, 86_400),
    "total_timeout_s": _number(0.1, 86_400),
    "proxy": TEXT,
    "ca_file": TEXT,
    "allow_plain_http": SWITCH,
    "input_cost_per_million": MONEY,
    "output_cost_per_million": MONEY,
    "cached_input_cost_per_million": MONEY,
}
PROVIDER_FIELDS: Final = {
    "kind": "provider",
    "timeout_s": "timeout",
    "connect_timeout_s": "connect_timeout",
    "idle_timeout_s": "idle_timeout",
    "total_timeout_s": "total_timeout",
}
"""Keys whose field in LLMProviderConfig has another name."""

SECTIONS: Final[dict[str, tuple[str, type[Any], dict[str, Rule]]]] = {
    "routing": (
        "routing",
        RoutingSettings,
        {
            "default_provider": TEXT,
            "strategy": _one_of("fixed", "failover", "weighted", "fastest", "cheapest"),
            "failover_chain": TEXTS,
            "fallback_enabled": SWITCH,
            "sticky_minutes": _number(0, 10_080),
            "continue_after_break": SWITCH,
            "slow_stream_s": _number(0, 3_600),
            "hedge_first_token": SWITCH,
            "hedge_share": _number(0, 1),
        },
    ),
    "budget": (
        "budget",
        BudgetSettings,
        {
            "daily_limit_usd": MONEY,
            "monthly_limit_usd": MONEY,
            "on_limit": _one_of("block", "cheapest", "local"),
            "unknown_price": _one_of("block", "allow"),
            "warn_at": Rule("a list of shares such as [0.5, 0.8, 1.0]", _shares),
            "cost_tracking": SWITCH,
        },
    ),
    "cache": (
        "cache",
        CacheSettings,
        {"enabled": SWITCH, "ttl_s": _number(0, 31_536_000), "max_entries": _number(0, 1_000_000, whole=True)},
    ),
    "rag": (
        "rag",
        RagSettings,
        {
            "top_k": _number(1, 50, whole=True),
            "context_tokens": _number(100, 1_000_000, whole=True),
            "chunk_tokens": _number(32, 8_192, whole=True),
            "chunk_overlap_tokens": _number(0, 1_024, whole=True),
            "embedding_model": TEXT,
            "embedding_host": TEXT,
            "rerank": TEXT,
            "mind_battery": SWITCH,
            "follow_up": _one_of("rule", "model"),
        },
    ),
    "privacy": ("privacy", PrivacySettings, {"redact_outgoing": SWITCH, "local_only_collections": TEXTS}),
    "updates": ("updates", UpdateSettings, {"check": SWITCH, "address": ADDRESS, "ca_file": TEXT}),
    "window": (
        "window",
        WindowSettings,
        {
            "theme": _one_of("system", "light", "dark"),
            "text_scale": _number(0.5, 4),
            "enter_sends": SWITCH,
        },
    ),
}
BREAKER_RULES: Final = {
    "failure_threshold": _number(1, 1_000, whole=True),
    "recovery_timeout_s": _number(1, 86_400),
}
ROLE_RULES: Final[dict[str, Rule]] = {
    "providers": TEXTS,
    "models": TEXTS,
    "denied_models": TEXTS,
    "daily_limit_usd": MONEY,
    "monthly_limit_usd": MONEY,
    "max_tokens": PROVIDER_RULES["max_tokens"],
    "local_only": SWITCH,
}
"""What a role may say, in settings.toml and in an administrator's policy."""
