"""The configuration before this program, as changes of settings.toml: from a JSON document or from variables.

Reads only. Every value is looked at by the rules of settings.toml; what does not fit, or has no place any more, is a
sentence. A key is never part of a sentence or of a change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vpa_desktop.catalog import KINDS, PROVIDER_ID, LLMModel, LLMProviderConfig
from vpa_desktop.config import LOCAL_PROVIDER_ID, Settings
from vpa_desktop.old_names import (
    BALANCING,
    KEY_VARIABLES,
    KEYS,
    KINDS_BEFORE,
    LISTS,
    OLD_VARIABLES,
    PROVIDER_WORDS,
    REASONS,
    STILL_VARIABLES,
    STRATEGIES,
    WEIGHTS,
    WORDS,
)
from vpa_desktop.settings_rules import BREAKER_RULES, PROVIDER_FIELDS, PROVIDER_RULES, SECTIONS, Rule

_BREAKER = "routing.circuit_breaker."


@dataclass(slots=True)
class Converted:
    """Changes by dotted key of settings.toml, keys by provider, and a sentence for each thing that has no place."""

    changes: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    left: list[str] = field(default_factory=list)


def convert_text(text: str) -> Converted | None:
    """Return what a file says: JSON, or lines such as ``export NAME=value``; None where it is neither."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        variables = dict(_variables(text))
        return convert_variables(variables) if variables else None
    return convert_json(document) if isinstance(document, dict) else None


def convert_json(document: Mapping[str, Any]) -> Converted:
    """Return what an old JSON configuration says."""
    return _Converter().json(document)


def convert_variables(environ: Mapping[str, str]) -> Converted:
    """Return what old variables say, keys included."""
    return _Converter().variables(environ)


def heed_old_variables(settings: Settings, environ: Mapping[str, str]) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings with what old variables say over them, and a sentence where there are any."""
    given = {name: environ[name] for name in OLD_VARIABLES if environ.get(name, "").strip()}
    if not given:
        return settings, ()
    by_kind = {config.kind: config.provider_id for config in settings.providers.values()}
    found = _Converter(by_kind).variables(given)
    settings = with_changes(settings, found.changes)
    said = (
        f"{', '.join(given)} {'is an old name' if len(given) == 1 else 'are old names'} that will not be heeded for "
        "ever. vpa-desktop migrate legacy writes into settings.toml what they say"
    )
    return settings, (said, *found.left)


def with_changes(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with changes by dotted key."""
    for key, value in changes.items():
        settings = _changed(settings, key, value)
    return settings


def _changed(settings: Settings, key: str, value: Any) -> Settings:
    """The settings with one dotted key changed."""
    section, _, rest = key.partition(".")
    if section == "providers":
        provider_id, _, name = rest.partition(".")
        if name == "kind":
            config = settings.providers.get(provider_id) or LLMProviderConfig(value, provider_id=provider_id)
        else:
            more: dict[str, Any] = {PROVIDER_FIELDS.get(name, name): value}
            config = replace(settings.providers[provider_id], **more)
        return replace(settings, providers={**settings.providers, provider_id: config})
    held = getattr(settings, section)
    if rest.startswith("circuit_breaker."):
        name, value = "circuit_breaker", replace(held.circuit_breaker, **{rest.partition(".")[2]: value})
    else:
        name = rest
    return replace(settings, **{section: replace(held, **{name: value})})


def _variables(text: str) -> Iterator[tuple[str, str]]:
    known = {*OLD_VARIABLES, *STILL_VARIABLES, *KEY_VARIABLES}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name = name.strip()
        if equals and (name in known or name.startswith("VPA_")):
            yield name, value.strip().strip("\"'")


class _Converter:
    def __init__(self, ids: Mapping[str, str] | None = None) -> None:
        self.found = Converted()
        self._ids = dict(ids or {})
        self._usual_model = ""

    # Variables

    def variables(self, environ: Mapping[str, str]) -> Converted:
        for name, value in environ.items():
            if name in KEY_VARIABLES:
                self._key(self._provider(KEY_VARIABLES[name]), value)
            elif name in OLD_VARIABLES:
                kind, word = OLD_VARIABLES[name]
                if kind:
                    self._provider_value(self._provider(kind), word, _plain(value), said=name)
                else:
                    self._value(word, _plain(value), said=name)
            elif name in STILL_VARIABLES:
                self._value(STILL_VARIABLES[name], _plain(value), said=name)
            else:
                self._leave(name, name.removeprefix("VPA_").lower())
        return self._finished()

    # JSON

    def json(self, document: Mapping[str, Any]) -> Converted:
        if isinstance(document.get("provider"), str) and not any(name in document for name in LISTS):
            self._provider_table("", document)  # one provider by itself
            return self._finished()
        self._section(document, "")
        return self._finished()

    def _section(self, table: Mapping[str, Any], above: str) -> None:
        for key, value in table.items():
            word = str(key).lower()
            if word in LISTS:
                self._providers(value)
            elif word in WEIGHTS and isinstance(value, dict):
                for name, weight in value.items():
                    self._provider_value(self._named(str(name)), "weight", weight, said=f"{key}.{name}")
            elif word == "api_keys" and isinstance(value, dict):
                for name, secret in value.items():
                    self._key(self._named(str(name)), secret)
            elif isinstance(value, dict):
                self._section(value, word)
            else:
                self._value(word, value, said=f"{above}.{key}" if above else str(key), above=above)

    def _providers(self, value: Any) -> None:
        tables = value.items() if isinstance(value, dict) else ((None, each) for each in _list(value))
        for name, table in tables:
            if isinstance(table, dict):
                self._provider_table(str(name or table.get("id") or table.get("name") or ""), table)
            else:
                self.found.left.append(f"providers.{name} was left out: it is not a table")

    def _provider_table(self, name: str, table: Mapping[str, Any]) -> None:
        kind = _kind(table.get("provider") or table.get("type") or table.get("kind") or name)
        if kind is None:
            self.found.left.append(f"{name or 'a provider'} was left out: its kind is none of {', '.join(KINDS)}")
            return
        provider_id = self._provider(kind, name or kind)
        for key, value in table.items():
            if key in ("provider", "type", "kind", "id", "name"):
                continue
            if key in KEYS:
                self._key(provider_id, value)
            else:
                self._provider_value(provider_id, str(key), value, said=f"{provider_id}.{key}")

    # What both say

    def _provider(self, kind: str, name: str = "") -> str:
        """The id here of a provider of before; it is added where it is new."""
        before = name or kind
        if before not in self._ids:
            clean = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in before).strip("-_")
            taken = not PROVIDER_ID.fullmatch(clean) or clean == LOCAL_PROVIDER_ID
            self._ids[before] = kind if taken else clean
            self.found.changes.setdefault(f"providers.{self._ids[before]}.kind", kind)
        return self._ids[before]

    def _named(self, name: str) -> str:
        """The id of a provider that is only named: of one that was defined, else of its kind."""
        if name in self._ids:
            return self._ids[name]
        kind = _kind(name)
        if kind is None or name == LOCAL_PROVIDER_ID:
            return name
        return self._provider(kind)

    def _key(self, provider_id: str, secret: Any) -> None:
        if isinstance(secret, str) and secret.strip() and not secret.startswith(("${", "your-", "your_", "<")):
            self.found.keys[provider_id] = secret.strip()

    def _provider_value(self, provider_id: str, word: str, value: Any, *, said: str) -> None:
        name = PROVIDER_WORDS.get(word.lower())
        if value is None or value == "":
            return
        if name is None:
            self._leave(said, word.lower())
            return
        self._set(f"providers.{provider_id}.{name}", _model(value) if name == "model" else value, said)

    def _value(self, word: str, value: Any, *, said: str, above: str = "") -> None:
        key = WORDS.get(f"{above}.{word}") or WORDS.get(word)
        if word in ("default_model", "default_llm_model"):
            self._usual_model = str(value)
        elif word in BALANCING:
            if value is True:
                self.found.changes.setdefault("routing.strategy", "weighted")
        elif key is None:
            self._leave(said, word)
        elif value is not None:
            self._set(key, self._meant(key, value), said)

    def _meant(self, key: str, value: Any) -> Any:
        if key == "routing.strategy":
            return STRATEGIES.get(str(value).lower(), value)
        if key == "routing.default_provider":
            return self._named(_word(value))
        if key == "routing.failover_chain":
            names = value.split(",") if isinstance(value, str) else _list(value)
            return [self._named(_word(name)) for name in names]
        return value

    def _set(self, key: str, value: Any, said: str) -> None:
        rule = _rule(key)
        try:
            self.found.changes[key] = rule.read(value)
        except (TypeError, ValueError):
            self.found.left.append(f"{said} was left out: it is {str(value)[:40]!r}; allowed: {rule.allowed}")

    def _leave(self, said: str, word: str) -> None:
        self.found.left.append(f"{said} was left out: {REASONS.get(word, 'nothing here has that meaning')}")

    def _finished(self) -> Converted:
        changes = self.found.changes
        default = changes.get("routing.default_provider") or (changes.get("routing.failover_chain") or ("",))[0]
        if self._usual_model and default:
            changes.setdefault(f"providers.{default}.model", _model(self._usual_model))
        known = {key.split(".")[1] for key in changes if key.startswith("providers.") and key.endswith(".kind")}
        for key in ("routing.failover_chain", "routing.default_provider"):
            self._keep_known(key, known | set(self._ids.values()) | {LOCAL_PROVIDER_ID})
        for key in [key for key in changes if key.startswith("providers.") and key.split(".")[1] not in known]:
            if key.split(".")[1] not in self._ids.values():
                self.found.left.append(f"{key} was left out: there is no provider of that name")
                del changes[key]
        self.found.changes = dict(sorted(changes.items(), key=lambda item: not item[0].endswith(".kind")))
        return self.found

    def _keep_known(self, key: str, known: set[str]) -> None:
        value = self.found.changes.get(key)
        names = (value,) if isinstance(value, str) else value or ()
        if lost := [name for name in names if name not in known]:
            self.found.left.append(f"{', '.join(lost)} was left out of {key}: there is no provider of that name")
            kept = tuple(name for name in names if name in known)
            if isinstance(value, str) or not kept:
                del self.found.changes[key]
            else:
                self.found.changes[key] = kept


def _rule(key: str) -> Rule:
    section, _, rest = key.partition(".")
    if section == "providers":
        return PROVIDER_RULES[rest.partition(".")[2]]
    if key.startswith(_BREAKER):
        return BREAKER_RULES[key.removeprefix(_BREAKER)]
    return SECTIONS[section][2][rest]


def _kind(value: Any) -> str | None:
    return KINDS_BEFORE.get(_word(value).lower())


def _word(value: Any) -> str:
    """A name as text; of ``LLMProvider.OPENAI`` the last part."""
    return str(value).strip().rpartition(".")[2] if str(value).startswith("LLM") else str(value).strip()


def _model(value: Any) -> Any:
    """A model by its name; an old constant such as GPT_4 is looked up."""
    return LLMModel[_word(value)].value if _word(value) in LLMModel.__members__ else value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _plain(text: str) -> Any:
    """A variable's text as the number or the switch that it means."""
    lowered = text.strip().lower()
    if lowered in ("true", "yes", "on", "false", "no", "off"):
        return lowered in ("true", "yes", "on")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()
