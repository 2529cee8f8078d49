"""Settings under a policy: what it decides is put in their place, and the reason is kept for the window.

Pure. What is forbidden outright is ``policy``'s business; here are the switches that would loosen it by the back door.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from vpa_desktop.catalog import LLMProvider, LLMProviderConfig
from vpa_desktop.config import BudgetSettings, Settings
from vpa_desktop.security.addresses import has_address, host_of, is_listed, runs_here
from vpa_desktop.security.policy import Policy, PolicyBook

LISTED_KINDS: Final = (LLMProvider.OPENAI, LLMProvider.ANTHROPIC, LLMProvider.GOOGLE, LLMProvider.AZURE_OPENAI)
"""Kinds whose prices the catalogue has: where a policy limits spending, nobody's own lower price counts."""


def tightened(settings: Settings, book: PolicyBook) -> Settings:
    """Return the settings as they count under the policies; the same object where there is none."""
    if not book:
        return settings
    fixed: dict[str, str] = {}
    bounded: dict[str, str] = {}
    for policy in book.policies:
        if policy.redact_outgoing or policy.broken:
            settings = replace(settings, privacy=replace(settings.privacy, redact_outgoing=True))
            fixed["privacy.redact_outgoing"] = f"{policy.whose} keeps this on."
        if policy.is_limiting:
            settings = replace(settings, budget=_limited(settings.budget, policy))
            bounded |= _bounds(policy, book.login)
            if not policy.allows_unknown_prices:
                settings = replace(settings, budget=replace(settings.budget, unknown_price="block"))
                fixed["budget.unknown_price"] = f"{policy.whose} keeps this."
            fixed["budget.cost_tracking"] = f"{policy.whose} keeps this on."
    return replace(settings, fixed=fixed, bounded=bounded)


def _bounds(policy: Policy, login: str) -> dict[str, str]:
    """The sentence at each limit of the settings: what the one who is logged in may spend at most."""
    found = {}
    for key in ("daily_limit_usd", "monthly_limit_usd"):
        said: list[Decimal | None] = [getattr(rules, key) for rules in policy.rules_for(login)]
        if amounts := [amount for amount in said if amount is not None]:
            found[f"budget.{key}"] = f"{policy.whose} allows at most ${min(amounts):.2f}."
    return found


def _limited(budget: BudgetSettings, policy: Policy) -> BudgetSettings:
    """The limits with everybody's of the policy over them: the lower one counts."""
    values: dict[str, Any] = {"cost_tracking": True}
    for key in ("daily_limit_usd", "monthly_limit_usd"):
        most: Decimal | None = getattr(policy.everybody, key)
        own: Decimal | None = getattr(budget, key)
        if most is not None:
            values[key] = most if own is None else min(own, most)
    return replace(budget, **values)


def taken_at_its_word(config: LLMProviderConfig, book: PolicyBook) -> LLMProviderConfig:
    """Return the provider without what its owner may say but a policy does not believe; the same one where all is well.

    That is ``local_only`` for another machine's address, and a price of his own where the catalogue knows better.
    """
    if config.local_only and not runs_here(config) and not _is_vouched_for(config, book):
        config = replace(config, local_only=None)
    if config.kind in LISTED_KINDS and any(policy.is_limiting for policy in book.policies):
        config = replace(
            config,
            cost_per_token=None,
            input_cost_per_million=None,
            output_cost_per_million=None,
            cached_input_cost_per_million=None,
        )
    return config


def _is_vouched_for(config: LLMProviderConfig, book: PolicyBook) -> bool:
    """True for a server on this machine, unless a policy that is about privacy does not list it."""
    host = host_of(config.endpoint)
    if host is None or not host.is_this_machine:
        return False
    strict = [p for p in book.policies if p.broken or p.redact_outgoing or p.keeps_here]
    return all(is_listed(host, policy.everybody.hosts or ()) for policy in strict)


def doubtful(configs: Mapping[str, LLMProviderConfig]) -> list[str]:
    """Return the providers that are said to stay on this machine though their address is another one's."""
    hosts = {i: host_of(config.endpoint) for i, config in configs.items() if config.local_only and has_address(config)}
    return [i for i, host in hosts.items() if host is None or not host.is_this_machine]
