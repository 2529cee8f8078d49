"""Settings as values, where files live, and what the environment says. Reading and writing the file: ``settings_file``.

The environment wins over settings.toml; both win over the defaults here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

from vpa_desktop.catalog import LLMProvider, LLMProviderConfig
from vpa_desktop.errors import ConfigError

Strategy = Literal["fixed", "failover", "weighted", "fastest", "cheapest"]
OnLimit = Literal["block", "cheapest", "local"]
UnknownPrice = Literal["block", "allow"]
FollowUp = Literal["rule", "model"]
ThemeChoice = Literal["system", "light", "dark"]

LOCAL_PROVIDER_ID: Final = "local"
"""The provider that is always there: the small model that came with the program."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a failing provider is left alone, and for how long at most (seconds)."""

    failure_threshold: int = 5
    recovery_timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    """How a provider is chosen. An empty default means the first one that is ready, the local model last.

    An answer that gives next to nothing for ``slow_stream_s`` seconds counts as broken (0: never). With
    ``hedge_first_token`` a second provider is asked beside one whose first word is late, for at most ``hedge_share``
    of all requests.
    """

    default_provider: str = ""
    strategy: Strategy = "failover"
    failover_chain: tuple[str, ...] = ()
    fallback_enabled: bool = True
    sticky_minutes: float = 5.0
    continue_after_break: bool = True
    slow_stream_s: float = 20.0
    hedge_first_token: bool = False
    hedge_share: float = 0.05
    circuit_breaker: BreakerSettings = field(default_factory=BreakerSettings)


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """Limits in US dollars per local calendar day and month; None is no limit.

    ``unknown_price`` counts where a limit is set: what an answer costs whose price nobody knows cannot be kept to it.
    ``cost_tracking`` off keeps no costs, but where a limit is set they are kept all the same.
    """

    daily_limit_usd: Decimal | None = None
    monthly_limit_usd: Decimal | None = None
    on_limit: OnLimit = "block"
    unknown_price: UnknownPrice = "block"
    warn_at: tuple[float, ...] = (0.5, 0.8, 1.0)
    cost_tracking: bool = True


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """The cache of whole answers."""

    enabled: bool = True
    ttl_s: float = 86_400.0
    max_entries: int = 5_000


@dataclass(frozen=True, slots=True)
class RagSettings:
    """How documents are cut and how much of them goes into a prompt (sizes in tokens of the embedder).

    ``embedding_host`` is where the person has agreed to send text for its vectors; nothing goes to another one.
    ``follow_up`` says who makes a follow-up question whole for the search: a rule here, or the model, which costs.
    """

    top_k: int = 5
    context_tokens: int = 900
    chunk_tokens: int = 200
    chunk_overlap_tokens: int = 40
    embedding_model: str = "default"
    embedding_host: str = ""
    rerank: str = "auto"
    mind_battery: bool = True
    follow_up: FollowUp = "rule"


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """What may leave the machine."""

    redact_outgoing: bool = True
    local_only_collections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    """Whether newer releases are looked for, and where; ``ca_file`` is trusted beside what the system trusts."""

    check: bool = False
    address: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """How the window looks and types."""

    theme: ThemeChoice = "system"
    text_scale: float = 1.0
    enter_sends: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the person has chosen, with the defaults for the rest.

    ``fixed`` and ``bounded`` are the keys that a policy decides or limits, each with the sentence that says so.
    """

    environment: str = "production"
    providers: Mapping[str, LLMProviderConfig] = field(default_factory=dict)
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    rag: RagSettings = field(default_factory=RagSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    updates: UpdateSettings = field(default_factory=UpdateSettings)
    window: WindowSettings = field(default_factory=WindowSettings)
    roles: Mapping[str, Any] = field(default_factory=dict)
    roles_problem: str = ""
    fixed: Mapping[str, str] = field(default_factory=dict)
    bounded: Mapping[str, str] = field(default_factory=dict)
    default_model: str = ""
    offline: bool = False
    vault: str = "keyring"

    def with_local_model(self) -> Settings:
        """The same settings with the packaged local model among the providers, unless the person defined one there."""
        if LOCAL_PROVIDER_ID in self.providers:
            return self
        local = LLMProviderConfig(LLMProvider.LLAMA_CPP, provider_id=LOCAL_PROVIDER_ID, timeout=120.0)
        return replace(self, providers={**self.providers, LOCAL_PROVIDER_ID: local})


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything lives; ``home`` holds the data, and the settings too unless the system has a folder for them."""

    home: Path
    settings_file: Path

    @property
    def policy_file(self) -> Path:
        """The policy beside the settings; an administrator's own place wins over it."""
        return self.settings_file.with_name("policy.toml")

    @property
    def database(self) -> Path:
        return self.home / "vpa.db"

    @property
    def index(self) -> Path:
        return self.home / "index"

    @property
    def backups(self) -> Path:
        return self.home / "backups"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def model_lists(self) -> Path:
        """What providers said which models they offer; can be deleted at any time."""
        return self.home / "models.json"

    @property
    def update_file(self) -> Path:
        """When newer releases were looked for; can be deleted at any time."""
        return self.home / "updates.json"

    @property
    def key_file(self) -> Path:
        """The encrypted key file, used only where the person chose it over the system keyring."""
        return self.home / "keys.vault"

    @property
    def serve_tokens(self) -> Path:
        """What clients of the local endpoint show."""
        return self.home / "serve-tokens"

    @property
    def window_lock(self) -> Path:
        """Held by the window that is open on this data folder."""
        return self.home / "window.lock"

    @property
    def window_geometry(self) -> Path:
        """Where the window was."""
        return self.home / "window.geometry"

    def make(self) -> None:
        """Create the folders for this person only (0700); raises ConfigError with the reason."""
        try:
            for folder in (self.home, self.index, self.backups, self.logs, self.settings_file.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_private()
        except OSError as exc:
            raise ConfigError(
                f"The data folder {self.home} cannot be used",
                exc.strerror or str(exc),
                "Choose another one with --home or VPA_HOME, or mend its permissions",
            ) from exc

    def _make_private(self) -> None:
        """Close what was there before to others: our own folders, and the home where it holds nothing else."""
        ours = {self.database.name, "index", "backups", "logs", self.settings_file.name}
        folders = [self.index, self.backups, self.logs]
        if all(entry.name.startswith((self.database.name, *ours)) for entry in self.home.iterdir()):
            folders.append(self.home)
        for folder in folders:
            if folder.stat().st_mode & 0o077:
                folder.chmod(0o700)
        if self.settings_file.is_file() and self.settings_file.stat().st_mode & 0o077:
            self.settings_file.chmod(0o600)


def find_paths(home: Path | None = None, environ: Mapping[str, str] = os.environ) -> Paths:
    """Return where files live: ``--home``, else VPA_HOME, else the system's own folders."""
    chosen = home or (Path(environ["VPA_HOME"]) if environ.get("VPA_HOME") else None)
    if chosen is not None:
        folder = chosen.expanduser().absolute()
        return Paths(folder, folder / "settings.toml")
    import platformdirs

    return Paths(
        Path(platformdirs.user_data_dir("vpa-desktop", appauthor=False)),
        Path(platformdirs.user_config_dir("vpa-desktop", appauthor=False)) / "settings.toml",
    )


def resource_path(*parts: str) -> Path:
    """Return the path of a file that came with the program; in a wheel they lie inside the package."""
    package = Path(__file__).resolve().parent
    packaged = package / "_resources"
    root = packaged if packaged.is_dir() else package.parent / "resources"
    return root.joinpath(*parts)


_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})


def read_switch(environ: Mapping[str, str], name: str, default: bool) -> bool:
    """Return an on-or-off variable of the environment; raises ConfigError for anything else."""
    value = environ.get(name)
    if value is None:
        return default
    lowered = value.strip().lower()
    if lowered in _TRUE or lowered in _FALSE:
        return lowered in _TRUE
    raise ConfigError(f'{name} is "{value}"', "It can be 1, true, yes, on or 0, false, no, off", f"Set or unset {name}")


def apply_environment(settings: Settings, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings with what the environment says put over them; raises ConfigError."""
    routing = settings.routing
    if wanted := environ.get("VPA_DEFAULT_LLM_PROVIDER", "").strip():
        routing = replace(routing, default_provider=wanted)
    routing = replace(
        routing, fallback_enabled=read_switch(environ, "VPA_ENABLE_LLM_FALLBACK", routing.fallback_enabled)
    )
    budget = replace(
        settings.budget,
        cost_tracking=read_switch(environ, "VPA_LLM_COST_TRACKING", settings.budget.cost_tracking),
    )
    vault = environ.get("VPA_VAULT", settings.vault).strip() or "keyring"
    if vault not in ("keyring", "file", "memory"):
        raise ConfigError(f'VPA_VAULT is "{vault}"', "It can be keyring, file or memory", "Set or unset VPA_VAULT")
    return replace(
        settings,
        environment=environ.get("VPA_ENVIRONMENT", settings.environment) or settings.environment,
        routing=routing,
        budget=budget,
        default_model=environ.get("VPA_DEFAULT_LLM_MODEL", settings.default_model),
        offline=read_switch(environ, "VPA_OFFLINE", settings.offline),
        vault=vault,
    )


def get_config(environment: str = "production") -> Settings:
    """Return the settings in force for an environment name, as the source document's ``get_config`` does."""
    from vpa_desktop.old_config import heed_old_variables
    from vpa_desktop.settings_file import load_settings

    settings, _ = heed_old_variables(load_settings(find_paths().settings_file).settings, os.environ)
    return replace(apply_environment(settings), environment=environment)
