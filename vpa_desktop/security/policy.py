"""What an administrator, or the person, forbids: values in, a verdict out. Reads no file, asks nobody, keeps nothing.

Who may be asked with which model, and what may be spent, for everybody and for roles. The caller enforces it: the
gateway, when a route is made and before each provider is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final, Protocol

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import PolicyRefused
from vpa_desktop.messages import LOCAL_USER
from vpa_desktop.security.addresses import has_address, host_of, is_handed_on, is_listed, own_host, runs_here

ASK: Final = "Choose one that is allowed, or talk to whoever looks after the policy"

PASSES_KEPT: Final = 1_024


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts for everybody or for one role. None in a list means that nothing is said; empty means nobody.

    ``name`` is what the file calls them: "" for everybody, else ``roles.NAME``.
    """

    name: str = ""
    providers: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    denied_models: tuple[str, ...] = ()
    local_only: bool = False
    max_tokens: int | None = None
    daily_limit_usd: Decimal | None = None
    monthly_limit_usd: Decimal | None = None

    def rule(self, everybody: str, role: str) -> str:
        """The key in the file, as an error's ``rule`` names it."""
        return f"{self.name}.{role}" if self.name else everybody

    @property
    def is_limited(self) -> bool:
        """True where a limit is set."""
        return self.daily_limit_usd is not None or self.monthly_limit_usd is not None


@dataclass(frozen=True, slots=True)
class LimitRule:
    """A limit in US dollars beside the person's own. ``user_id`` None counts what everybody has spent.

    ``name`` says whose rule it is, as a sentence about a refusal needs it. No leave of the person's passes it.
    """

    name: str
    daily_usd: Decimal | None
    monthly_usd: Decimal | None
    user_id: str | None = None
    allows_unknown_prices: bool = False


class LimitRules(Protocol):
    """Where a budget learns which limits count beside the settings'."""

    def limits_for(self, user_id: str) -> tuple[LimitRule, ...]: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy: an administrator's file, or the roles of settings.toml.

    ``whose`` begins a sentence ("Your administrator's policy"); ``broken`` is the sentence why it cannot be read:
    then nothing leaves this machine. ``users`` are in small letters.
    """

    whose: str
    source: str = ""
    is_administrators: bool = False
    everybody: Rules = field(default_factory=Rules)
    roles: Mapping[str, Rules] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    default_role: str = ""
    redact_outgoing: bool = False
    allows_unknown_prices: bool = False
    users_may_choose: bool = False
    broken: str = ""

    def rules_for(self, user_id: str) -> tuple[Rules, ...]:
        """Everybody's rules, then those of the user's role."""
        role = self.roles.get(self.users.get(user_id.casefold(), self.default_role))
        return (self.everybody,) if role is None else (self.everybody, role)

    @property
    def is_limiting(self) -> bool:
        """True where it limits what anybody may spend."""
        return any(rules.is_limited for rules in (self.everybody, *self.roles.values()))

    @property
    def keeps_here(self) -> bool:
        """True where somebody's questions must not leave this machine."""
        return any(rules.local_only for rules in (self.everybody, *self.roles.values()))


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """Every policy in force; what one of them forbids is forbidden. ``login`` is the account the program runs under."""

    policies: tuple[Policy, ...] = ()
    login: str = LOCAL_USER
    _passed: dict[tuple[int, str | None, str | None], LLMProviderConfig] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __bool__(self) -> bool:
        return bool(self.policies)

    @property
    def users_may_choose(self) -> bool:
        """True where a request may say for whom it is asked."""
        return all(policy.users_may_choose for policy in self.policies)

    def user_of(self, asked: str) -> str:
        """Return whose rules and limits count for a request that names this user."""
        if not self.policies or (asked != LOCAL_USER and self.users_may_choose):
            return asked
        return self.login

    def refusal(self, config: LLMProviderConfig, model: str | None, user_id: str | None) -> PolicyRefused | None:
        """Say why this provider may not be asked with this model for this user; None where it may.

        Without a model only the provider is judged, without a user only by what counts for everybody.
        """
        place = (id(config), model, user_id)
        if self._passed.get(place) is config:  # the usual case, in a fraction of a microsecond
            return None
        refusal = self._judge(config, model, user_id)
        if refusal is None:
            if len(self._passed) >= PASSES_KEPT:
                self._passed.clear()
            self._passed[place] = config
        return refusal

    def _judge(self, config: LLMProviderConfig, model: str | None, user_id: str | None) -> PolicyRefused | None:
        for policy in self.policies:
            if policy.broken:
                if not runs_here(config) or (model is not None and is_handed_on(config, model)):
                    return _refused(config, policy, policy.broken, "policy.unreadable", "Mend the policy's file")
                continue
            for rules in (policy.everybody,) if user_id is None else policy.rules_for(user_id):
                found = _of_provider(config, policy, rules, model)
                if found is None and model is not None:
                    found = _of_model(config, model, policy, rules)
                if found is not None:
                    return found
        return None

    def refusal_here(self, config: LLMProviderConfig, model: str | None = None) -> PolicyRefused | None:
        """Say why the person at this machine may not ask this provider, or this model of it, whoever he says he is."""
        return self.refusal(config, model, None if self.users_may_choose else self.login)

    def max_tokens(self, user_id: str) -> int | None:
        """Return how long an answer may be at most; None where nobody has said."""
        said = [rules.max_tokens for p in self.policies for rules in p.rules_for(user_id)]
        return min((limit for limit in said if limit is not None), default=None)

    def limits_for(self, user_id: str) -> tuple[LimitRule, ...]:
        """Return the limits that count for this user, everybody's first."""
        found = []
        for policy in self.policies:
            for rules in policy.rules_for(user_id):
                if rules.is_limited:
                    name = f"{policy.whose}, role {rules.name.removeprefix('roles.')}" if rules.name else policy.whose
                    counted = user_id if rules.name else None
                    limits = (rules.daily_limit_usd, rules.monthly_limit_usd)
                    found.append(LimitRule(name, *limits, counted, policy.allows_unknown_prices))
        return tuple(found)


def _of_provider(
    config: LLMProviderConfig, policy: Policy, rules: Rules, model: str | None = None
) -> PolicyRefused | None:
    name = config.provider_id
    if rules.providers is not None and name not in rules.providers:
        why = f"{policy.whose} allows only {_listed(rules.providers)}"
        return _refused(config, policy, why, rules.rule("providers.allowed", "providers"))
    if rules.kinds is not None and config.kind not in rules.kinds:
        why = f"{policy.whose} does not allow the kind {config.kind}, only {_listed(rules.kinds)}"
        return _refused(config, policy, why, rules.rule("providers.allowed_kinds", "kinds"))
    if rules.local_only and not _stays(config, policy, model):
        why = f"{policy.whose} allows only models that run on this machine"
        return _refused(config, policy, why, rules.rule("privacy.local_only", "local_only"))
    return _of_address(config, policy, rules) if has_address(config) else None


def _of_address(config: LLMProviderConfig, policy: Policy, rules: Rules) -> PolicyRefused | None:
    """A provider's name is the person's to give: where names or hosts are listed, its address has to be right too."""
    if rules.hosts is None and (rules.providers is None or policy.everybody.hosts is not None):
        return None
    rule = rules.rule("providers.allowed_hosts", "providers")
    for address in (config.endpoint, config.proxy or ""):
        if not address:
            continue
        host = host_of(address)
        if host is None:
            why = f"Its address cannot be told for certain, and {_within(policy)} goes by addresses"
            return _refused(config, policy, why, rule)
        if rules.hosts is None:
            is_allowed = host.is_this_machine or host == own_host(config)
        else:
            is_allowed = is_listed(host, rules.hosts)
        if not is_allowed:
            return _refused(config, policy, f"{policy.whose} does not allow the address {host}", rule)
    return None


def _stays(config: LLMProviderConfig, policy: Policy, model: str | None) -> bool:
    """True where the model runs here; a server on this machine counts where the policy itself lists its address."""
    if model is not None and is_handed_on(config, model):
        return False
    if runs_here(config):
        return True
    host = host_of(config.endpoint)
    return host is not None and host.is_this_machine and is_listed(host, policy.everybody.hosts or ())


def _of_model(config: LLMProviderConfig, model: str, policy: Policy, rules: Rules) -> PolicyRefused | None:
    names = [model.lower(), *([config.deployment.lower()] if config.deployment else [])]
    if any(fnmatchcase(name, pattern.lower()) for name in names for pattern in rules.denied_models):
        why = f"{policy.whose} does not allow the model {model}"
        return _refused(config, policy, why, rules.rule("models.denied", "denied_models"))
    if rules.models is not None and not any(fnmatchcase(names[0], p.lower()) for p in rules.models):
        why = f"{policy.whose} does not allow the model {model}, only {_listed(rules.models)}"
        return _refused(config, policy, why, rules.rule("models.allowed", "models"))
    return None


def _refused(config: LLMProviderConfig, policy: Policy, why: str, rule: str, next_step: str = ASK) -> PolicyRefused:
    where = f" ({policy.source})" if policy.source and not policy.broken else ""
    return PolicyRefused(f"{config.provider_id} was not asked", why + where, next_step, rule=rule)


def _within(policy: Policy) -> str:
    return policy.whose[:1].lower() + policy.whose[1:]


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def stays_local(config: LLMProviderConfig, model: str) -> bool:
    """True where a request that may not leave this machine may go there, by the person's own settings.

    A model that Ollama passes on to its cloud does not stay, whatever the address.
    """
    return config.is_local and not is_handed_on(config, model)


def leaves_the_machine(provider: str) -> PolicyRefused:
    """The refusal of a provider elsewhere for a question that may only be answered on this machine."""
    return PolicyRefused(
        f"Nothing was sent to {provider}",
        "This conversation may use only models that run on this machine",
        "Choose a local model, or switch off “local only”",
        rule="local_only",
    )
