"""settings.toml: read with every mistake named, written without losing a comment.

A mistake never stops a start: the rest of the file counts, and each problem is a sentence with its line,
its key, what was found and what is allowed. A start never writes the file.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from vpa_desktop.catalog import KINDS, PROVIDER_ID, LLMProviderConfig
from vpa_desktop.config import (
    BreakerSettings,
    Settings,
)
from vpa_desktop.errors import ConfigError, StorageError
from vpa_desktop.settings_rules import BREAKER_RULES, PROVIDER_FIELDS, PROVIDER_RULES, ROLE_RULES, SECTIONS, Rule

_ROLES = re.compile(r"^\s*\[*\s*[\"']?roles\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings that could be read and a sentence for each thing that could not."""

    settings: Settings
    problems: tuple[str, ...] = ()


def load_settings(path: Path) -> LoadedSettings:
    """Read settings.toml; a missing file is no problem, a broken one costs only its broken lines."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return LoadedSettings(Settings())
    except OSError as exc:
        why = exc.strerror or str(exc)
        return LoadedSettings(Settings(), (f"{path} cannot be read ({why}); the defaults are used",))
    return parse_settings(raw.decode("utf-8", "replace"), path.name)


def parse_settings(text: str, name: str = "settings.toml") -> LoadedSettings:
    """Return the settings in ``text``; problems name the line, the key, what was found and what is allowed."""
    tables, problems = _parse_toml(text, name)
    unread_roles = problems[0] if problems and _ROLES.search(text) else ""
    return _Reader(name, key_lines(text), problems, unread_roles).read(tables)


class _Reader:
    """Turns TOML tables into Settings and collects what did not fit."""

    def __init__(self, name: str, lines: Mapping[str, int], problems: list[str], unread_roles: str = "") -> None:
        self.name = name
        self.unread_roles = unread_roles
        self.lines = lines
        self.problems = problems

    def read(self, tables: Mapping[str, Any]) -> LoadedSettings:
        settings = Settings(providers=self._providers(self._table(tables, "providers")))
        for key, (attribute, kind, rules) in SECTIONS.items():
            table = dict(self._table(tables, key))
            breaker = table.pop("circuit_breaker", None) if key == "routing" else None
            values = self._values(table, rules, key)
            if breaker is not None:
                if isinstance(breaker, dict):
                    found = self._values(breaker, BREAKER_RULES, "routing.circuit_breaker")
                    values["circuit_breaker"] = BreakerSettings(**found)
                else:
                    self._problem("routing.circuit_breaker", breaker, "a table")
            settings = replace(settings, **{attribute: kind(**values)})
        settings = replace(settings, **self._roles(self._table(tables, "roles")))
        for key in tables:
            if key not in SECTIONS and key not in ("providers", "roles"):
                self._problem(key, None, "providers, roles, " + ", ".join(SECTIONS))
        settings = self._guard_limits(self._known_ids(settings))
        return LoadedSettings(settings, tuple(self.problems))

    def _table(self, tables: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        table = tables.get(key, {})
        if isinstance(table, dict):
            return table
        self._problem(key, table, "a table")
        return {}

    def _providers(self, tables: Mapping[str, Any]) -> dict[str, LLMProviderConfig]:
        found: dict[str, LLMProviderConfig] = {}
        for provider_id, table in tables.items():
            key = f"providers.{provider_id}"
            if not PROVIDER_ID.fullmatch(provider_id):
                self._problem(key, provider_id, "letters, digits, - and _ in a provider's name")
            elif not isinstance(table, dict):
                self._problem(key, table, "a table")
            elif (config := self._provider(provider_id, table)) is not None:
                found[provider_id] = config
        return found

    def _provider(self, provider_id: str, table: Mapping[str, Any]) -> LLMProviderConfig | None:
        key = f"providers.{provider_id}"
        values = self._values(table, PROVIDER_RULES, key)
        if "kind" not in values:
            if "kind" not in table:
                self.problems.append(
                    f"{self.name} line {self._line(key)}: {key} has no kind; allowed: {', '.join(KINDS)}. "
                    "This provider is left out"
                )
            return None
        named = {PROVIDER_FIELDS.get(name, name): value for name, value in values.items()}
        return LLMProviderConfig(provider_id=provider_id, **named)

    def _values(self, table: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in table.items():
            rule = rules.get(key)
            if rule is None:
                self._problem(f"{prefix}.{key}", None, ", ".join(rules))
                continue
            try:
                values[key] = rule.read(value)
            except (TypeError, ValueError):
                self._problem(f"{prefix}.{key}", value, rule.allowed)
        return values

    def _roles(self, tables: Mapping[str, Any]) -> dict[str, Any]:
        """Roles limit what may be sent: with a mistake in one of them nothing leaves the machine until it is mended."""
        before = len(self.problems)
        roles: dict[str, Any] = {}
        for name, table in tables.items():
            if not isinstance(table, dict):
                self._problem(f"roles.{name}", table, "a table")
            elif name == "users":
                roles[name] = {user: role for user, role in table.items() if self._is_role(user, role, tables)}
            else:
                roles[name] = self._values(table, ROLE_RULES, f"roles.{name}")
        # What was left out as no TOML may have been a rule: with roles in the file nobody can tell.
        mistakes = [self.unread_roles] if self.unread_roles else self.problems[before:]
        return {"roles": roles, "roles_problem": mistakes[0] if mistakes else ""}

    def _is_role(self, user: str, role: Any, tables: Mapping[str, Any]) -> bool:
        known = [name for name in tables if name != "users"]
        if role in known:
            return True
        self._problem(f"roles.users.{user}", role, ", ".join(known) or "a role of this file")
        return False

    def _known_ids(self, settings: Settings) -> Settings:
        known = {*settings.providers, "local", "openai", "anthropic", "google", "azure"}
        routing = settings.routing
        if routing.default_provider and routing.default_provider not in known:
            self._problem("routing.default_provider", routing.default_provider, ", ".join(sorted(known)))
            routing = replace(routing, default_provider="")
        if lost := [p for p in routing.failover_chain if p not in known]:
            self._problem("routing.failover_chain", lost, ", ".join(sorted(known)))
            routing = replace(routing, failover_chain=tuple(p for p in routing.failover_chain if p in known))
        return replace(settings, routing=routing)

    def _guard_limits(self, settings: Settings) -> Settings:
        """A limit that stands in the file but cannot be read is 0: better nothing is spent than more than was meant."""
        budget = settings.budget
        for key in ("daily_limit_usd", "monthly_limit_usd"):
            if f"budget.{key}" in self.lines and getattr(budget, key) is None:
                nothing: dict[str, Any] = {key: Decimal()}
                budget = replace(budget, **nothing)
                self.problems.append(
                    f"{self.name}: budget.{key} cannot be read, so nothing that costs money is sent until it is mended"
                )
        return replace(settings, budget=budget)

    def _line(self, key: str) -> int | str:
        return self.lines.get(key, "?")

    def _problem(self, key: str, found: Any, allowed: str) -> None:
        said = f"{key} is not a setting" if found is None else f"{key} is {shown(found)}"
        self.problems.append(
            f"{self.name} line {self._line(key)}: {said}; allowed: {allowed}. The rest of the file is used"
        )


def shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _parse_toml(text: str, name: str) -> tuple[dict[str, Any], list[str]]:
    """Parse as much as can be parsed: a line with a mistake is left out and named."""
    problems: list[str] = []
    lines = text.split("\n")
    for _ in range(50):
        try:
            return tomllib.loads("\n".join(lines)), problems
        except tomllib.TOMLDecodeError as exc:
            match = re.search(r"\(at line (\d+)", str(exc))
            at = min(int(match[1]), len(lines)) if match else len(lines)
            reason = str(exc).split(" (at ")[0]
            problems.append(
                f"{name} line {at}: {reason}; found: {shown(lines[at - 1].strip())}; allowed: key = value, "
                "text in quotes. The rest of the file is used"
            )
            _leave_out(lines, at - 1)
        except (ValueError, RecursionError) as exc:  # a number of thousands of digits, brackets without end
            return {}, [f"{name}: {exc}; nothing of the file is used"]
    return {}, problems


def _leave_out(lines: list[str], at: int) -> None:
    """Empty one line; with a broken table head its whole table, so that its keys do not fall into another."""
    while at > 0 and not lines[at].strip():
        at -= 1
    head = lines[at].lstrip().startswith("[")
    lines[at] = ""
    while head and at + 1 < len(lines) and not lines[at + 1].lstrip().startswith("["):
        at += 1
        lines[at] = ""


def key_lines(text: str) -> dict[str, int]:
    """Return the line (from 1) of every dotted key and table, by a plain scan."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if match := re.match(r"\[+\s*([^\]]+?)\s*\]+", stripped):
            table = ".".join(part.strip().strip("\"'") for part in match[1].split("."))
            found.setdefault(table, number)
        elif match := re.match(r"([\w.\"'-]+)\s*=", stripped):
            key = match[1].strip("\"'")
            found.setdefault(f"{table}.{key}" if table else key, number)
    return found


def provider_table(config: LLMProviderConfig) -> dict[str, Any]:
    """Return a provider as it is written under ``[providers.ID]``: only what differs from the defaults; never a key."""
    plain = LLMProviderConfig(config.provider)
    names = {attribute: name for name, attribute in PROVIDER_FIELDS.items()}
    table: dict[str, Any] = {"kind": config.kind}
    for item in fields(config):
        name = names.get(item.name, item.name)
        value = getattr(config, item.name)
        if name in PROVIDER_RULES and name != "kind" and value is not None and value != getattr(plain, item.name):
            table[name] = float(value) if isinstance(value, Decimal) else value
    return table


def save_changes(path: Path, changes: Mapping[str, Any]) -> None:
    """Write values by dotted key into settings.toml, keeping its comments and order; None removes a key or table.

    The new text is checked before it replaces the old one, at once and safely. Raises ConfigError, StorageError.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        document = tomlkit.parse(text)
    except TOMLKitError as exc:
        raise ConfigError(
            f"{path.name} was not changed", f"It has a mistake: {exc}", f"Mend or move {path} and try again"
        ) from exc
    except OSError as exc:
        raise StorageError(f"{path} cannot be read", exc.strerror or str(exc), "Mend its permissions") from exc
    before = set(parse_settings(text, path.name).problems)
    for key, value in changes.items():
        _set(document, key.split("."), value)
    new_text = tomlkit.dumps(document)
    if fresh := [problem for problem in parse_settings(new_text, path.name).problems if problem not in before]:
        raise ConfigError("The settings were not saved", fresh[0], "Choose one of the allowed values")
    write_atomically(path, new_text.encode())


def _set(document: Any, parts: list[str], value: Any) -> None:
    import tomlkit

    table = document
    for part in parts[:-1]:
        if part not in table:
            if value is None:
                return
            table[part] = tomlkit.table(is_super_table=parts[0] == "providers" and part == "providers")
        table = table[part]
    if value is None:
        table.pop(parts[-1], None)
        return
    if isinstance(value, Decimal):
        value = float(value)
    table[parts[-1]] = list(value) if isinstance(value, tuple) else value


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file at once: the old or the new content, never a torn one; for this person only (0600)."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        raise StorageError(
            f"{path} could not be written", exc.strerror or str(exc), "Free some room or mend its permissions"
        ) from exc
