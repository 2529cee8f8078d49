"""policy.toml: where it may lie, whose it is, and how it is read. What it forbids is ``policy``'s business.

Unlike settings.toml it is read strictly: whatever cannot be read, and every key that is not known, closes the way out
of this machine until it is mended. A policy never vanishes by a mistake.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISREG, S_IWGRP, S_IWOTH
from typing import Any, Final

from vpa_desktop.catalog import KINDS
from vpa_desktop.config import Paths, Settings
from vpa_desktop.errors import ConfigError
from vpa_desktop.messages import LOCAL_USER
from vpa_desktop.security.addresses import is_host_pattern
from vpa_desktop.security.policy import Policy, PolicyBook, Rules
from vpa_desktop.settings_file import key_lines, shown
from vpa_desktop.settings_rules import MONEY, ROLE_RULES, SWITCH, TEXTS, Rule

NAME: Final = "policy.toml"
NOBODY: Final = "unknown"
CLOSED: Final = "Nothing leaves this machine until it is mended"
WORLD: Final = S_IWGRP | S_IWOTH
MOST_BYTES: Final = 1_000_000


def _kinds(value: Any) -> tuple[str, ...]:
    names = tuple(TEXTS.read(value))
    if not set(names) <= set(KINDS):
        raise ValueError
    return names


def _hosts(value: Any) -> tuple[str, ...]:
    names = tuple(TEXTS.read(value))
    if not all(is_host_pattern(name) for name in names):
        raise ValueError
    return names


def _is_allowed(value: Any) -> bool:
    if value not in ("block", "allow"):
        raise ValueError
    return bool(value == "allow")


_TABLES: Final[dict[str, dict[str, Rule]]] = {
    "limits": {
        "daily_limit_usd": MONEY,
        "monthly_limit_usd": MONEY,
        "max_tokens": ROLE_RULES["max_tokens"],
        "unknown_price": Rule('"block" or "allow"', _is_allowed),
    },
    "providers": {
        "allowed": TEXTS,
        "allowed_kinds": Rule(f"a list of kinds: {', '.join(KINDS)}", _kinds),
        "allowed_hosts": Rule('a list of hosts such as "api.openai.com" or "*.openai.azure.com"', _hosts),
    },
    "models": {"allowed": TEXTS, "denied": TEXTS},
    "privacy": {"local_only": SWITCH, "redact_outgoing": SWITCH},
}
_KNOWN: Final = (*_TABLES, "roles", "users")


def system_policy_file() -> Path:
    """Return the administrator's own place: no variable of the environment moves it."""
    if sys.platform in ("win32", "darwin"):
        import platformdirs

        return Path(platformdirs.site_config_dir("vpa-desktop", appauthor=False)) / NAME
    return Path("/etc/vpa-desktop") / NAME  # XDG_CONFIG_DIRS, which platformdirs heeds, is anybody's to set


def login_name() -> str:
    """Return the account the program runs under, by the system's word and not by a variable (USER can be set)."""
    if sys.platform == "win32":
        try:
            return os.getlogin()
        except OSError:  # a service without a session
            return NOBODY
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@dataclass(frozen=True, slots=True)
class Found:
    """A policy file: what it says, and ``weakness`` where its place does not protect it from the person it binds."""

    path: Path
    policy: Policy
    weakness: str = ""
    passed_over: Path | None = None


def read_policy(paths: Paths, system_file: Path | None = None) -> Found | None:
    """Read the administrator's policy.toml, else the one beside the settings; None where there is neither."""
    first = system_file or system_policy_file()
    beside = paths.policy_file
    for path in (first, beside):
        text = _read(path)
        if text is None:
            continue
        weakness = weakness_of(path)
        owned = path == first and not weakness
        whose = "Your administrator's policy" if owned else "The policy"
        base = Policy(whose, str(path), owned, users_may_choose=path != first)
        policy = replace(base, broken=f"{text.what}. {CLOSED}") if isinstance(text, ConfigError) else parse(text, base)
        return Found(path, policy, weakness, beside if path == first and beside.exists() and beside != first else None)
    return None


def _read(path: Path) -> str | ConfigError | None:
    """The file's text, the reason why it cannot be read, None where there is none."""
    try:
        facts = path.stat()
        if not S_ISREG(facts.st_mode):  # reading a pipe or a device could take for ever
            return ConfigError(f"{path} cannot be read: it is no file")
        if facts.st_size > MOST_BYTES:
            return ConfigError(f"{path} cannot be read: it is larger than {MOST_BYTES // 1_000_000} MB")
        return path.read_bytes().decode("utf-8-sig")  # some editors begin a file with a mark of the encoding
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            return ConfigError(f"{path} cannot be read: it is a link to what is not there")
        return None
    except OSError as exc:
        return ConfigError(f"{path} cannot be read: {exc.strerror or exc}")
    except UnicodeDecodeError as exc:
        return ConfigError(f"{path} cannot be read: it is not text in UTF-8 ({exc.reason})")


def weakness_of(path: Path) -> str:
    """Say why a file is not protected from the people it binds; empty where only the administrator can change it."""
    if sys.platform == "win32":
        return ""
    try:
        for place in (path, path.resolve(), path.resolve().parent, path.parent):
            facts = place.stat()
            if facts.st_uid != 0:
                return f"{place} does not belong to root"
            if facts.st_mode & WORLD:
                return f"{place} can be written by others than root"
    except (OSError, RuntimeError) as exc:  # RuntimeError: a link that leads to itself
        return f"{path} cannot be looked at: {getattr(exc, 'strerror', None) or exc}"
    return ""


def parse(text: str, base: Policy) -> Policy:
    """Return what a policy file says, over ``base``; one mistake, and it is a broken one that says where."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # also a number of thousands of digits, brackets without end
        return replace(base, broken=f"{base.source}: {exc}. {CLOSED}")
    try:
        return _Reader(base, key_lines(text)).read(tables)
    except ConfigError as exc:
        return replace(base, broken=f"{exc.what}. {CLOSED}")


class _Reader:
    """Turns the tables into a policy; raises ConfigError at the first thing that does not fit."""

    def __init__(self, base: Policy, lines: Mapping[str, int]) -> None:
        self._base = base
        self._lines = lines

    def read(self, tables: Mapping[str, Any]) -> Policy:
        for key in tables:
            if key not in _KNOWN:
                raise self._mistake(key, None, ", ".join(_KNOWN))
        said = {name: self._values(self._table(tables, name), rules, name) for name, rules in _TABLES.items()}
        roles = {
            name: Rules(
                f"roles.{name}",
                **self._values(self._table(self._table(tables, "roles"), name, "roles."), ROLE_RULES, f"roles.{name}"),
            )
            for name in self._table(tables, "roles")
        }
        users = dict(self._table(tables, "users"))
        may_choose = users.pop("may_choose", self._base.users_may_choose)
        if not isinstance(may_choose, bool):
            raise self._mistake("users.may_choose", may_choose, "true or false")
        by_name: dict[str, str] = {}
        for user, role in users.items():
            if not isinstance(role, str) or role not in roles:
                raise self._mistake(f"users.{user}", role, ", ".join(roles) or "a role of this file")
            if by_name.setdefault(user.casefold(), role) != role:
                raise self._mistake(f"users.{user}", role, "one role for each user, whatever letters are capitals")
        providers, models, privacy = said["providers"], said["models"], said["privacy"]
        is_allowed = said["limits"].pop("unknown_price", False)
        everybody = Rules(
            providers=providers.get("allowed"),
            kinds=providers.get("allowed_kinds"),
            hosts=providers.get("allowed_hosts"),
            models=models.get("allowed"),
            denied_models=models.get("denied", ()),
            local_only=privacy.get("local_only", False),
            **said["limits"],
        )
        return replace(
            self._base,
            everybody=everybody,
            roles=roles,
            users=by_name,
            default_role=by_name.get("default", ""),
            redact_outgoing=privacy.get("redact_outgoing", False),
            allows_unknown_prices=is_allowed,
            users_may_choose=may_choose,
        )

    def _table(self, tables: Mapping[str, Any], key: str, prefix: str = "") -> Mapping[str, Any]:
        table = tables.get(key, {})
        if not isinstance(table, dict):
            raise self._mistake(prefix + key, table, "a table")
        return table

    def _values(self, table: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str) -> dict[str, Any]:
        values = {}
        for key, value in table.items():
            if (rule := rules.get(key)) is None:
                raise self._mistake(f"{prefix}.{key}", None, ", ".join(rules))
            try:
                values[key] = rule.read(value)
            except (TypeError, ValueError):
                raise self._mistake(f"{prefix}.{key}", value, rule.allowed) from None
        return values

    def _mistake(self, key: str, found: Any, allowed: str) -> ConfigError:
        said = f"{key} is not a rule" if found is None else f"{key} is {shown(found)}"
        return ConfigError(f"{self._base.source} line {self._lines.get(key, '?')}: {said}; allowed: {allowed}")


def roles_of(settings: Settings) -> Policy | None:
    """Return the roles of settings.toml as a policy of the person's own; None where there are none."""
    if not settings.roles and not settings.roles_problem:
        return None
    users = settings.roles.get("users", {})
    return Policy(
        "Your settings.toml",
        roles={name: Rules(f"roles.{name}", **said) for name, said in settings.roles.items() if name != "users"},
        users={user.casefold(): role for user, role in users.items()},
        default_role=users.get("default", ""),
        users_may_choose=True,
        broken=f"{settings.roles_problem.rstrip('.')}. {CLOSED}" if settings.roles_problem else "",
    )


def policies_in_force(settings: Settings, found: Found | None) -> PolicyBook:
    """Return the book of everything that forbids: the policy's file and the roles of settings.toml."""
    policies = tuple(p for p in (found.policy if found else None, roles_of(settings)) if p is not None)
    return PolicyBook(policies, login_name() if policies else LOCAL_USER)
