"""What is known about models that providers do not say: windows, abilities, and the day they stop answering.

The facts are data (``resources/models/models.toml``, dated, each with its source), read at the first question.
Not prices, and nothing that a provider lists itself: where it says something, its word wins (``merged``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final, Literal

from vpa_desktop.catalog import KINDS, LLMProvider, LLMProviderConfig, ModelInfo, split_address
from vpa_desktop.config import resource_path

RETIRING_WITHIN: Final = timedelta(days=60)
"""How long before its end a model is said to be ending."""

_OWN_VENDOR: Final[Mapping[str, str]] = {
    LLMProvider.OPENAI: "openai",
    LLMProvider.ANTHROPIC: "anthropic",
    LLMProvider.GOOGLE: "google",
}
_VENDOR_OF_HOST: Final[Mapping[str, str]] = {
    "api.openai.com": "openai",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.x.ai": "xai",
}
_VENDOR_OF_PREFIX: Final[Mapping[str, str]] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "mistralai": "mistral",
    "deepseek": "deepseek",
    "x-ai": "xai",
}
"""How a broker (OpenRouter) names the vendor before the model."""

_SNAPSHOT: Final = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
_KEYS: Final = {
    "context": "context_tokens",
    "output": "max_output_tokens",
    "images": "images",
    "tools": "tools",
    "reasoning": "reasoning",
    "chat": "chat",
}

Ending = Literal["", "ending", "ended"]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What a family of names has in common."""

    vendor: str
    match: tuple[str, ...]
    but_not: tuple[str, ...]
    facts: Mapping[str, Any]

    def fits(self, vendor: str, name: str) -> bool:
        if self.vendor not in ("*", vendor) or any(fnmatchcase(name, p) for p in self.but_not):
            return False
        return any(fnmatchcase(name, p) for p in self.match)


@dataclass(frozen=True, slots=True)
class _Table:
    """The file as read."""

    as_of: date
    vendors: Mapping[str, Mapping[str, Mapping[str, Any]]]
    patterns: Sequence[_Pattern]


@lru_cache(maxsize=1)
def _table() -> _Table:
    raw = tomllib.loads(resource_path("models", "models.toml").read_text("utf-8"))
    patterns = [
        _Pattern(
            p["vendor"],
            tuple(p["match"]),
            tuple(p.get("not", ())),
            {k: v for k, v in p.items() if k in _KEYS},
        )
        for p in raw["pattern"]
    ]
    return _Table(raw["as_of"], {k: v for k, v in raw.items() if k not in ("as_of", "pattern")}, patterns)


def facts_as_of() -> date:
    """Return the day the table was made."""
    return _table().as_of


@lru_cache(maxsize=4_096)
def _known(vendor: str, name: str) -> ModelInfo:
    """What the table says of one vendor's model; every field None where it knows nothing."""
    table = _table()
    line = _line(table.vendors.get(vendor, {}), name)
    pattern = next((p.facts for p in table.patterns if p.fits(vendor, name)), {})
    found = {**pattern, **line}
    ends = found.get("retires")
    info = ModelInfo(name, **{field: found[key] for key, field in _KEYS.items() if key in found})
    return replace(info, retires_on=ends.isoformat()) if isinstance(ends, date) else info


def _line(lines: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """The line of a model, of its exact name or of the name without its date."""
    undated = _SNAPSHOT.sub("", name)
    spellings = (name, undated, re.sub(r"-\d{3}$", "", undated), undated.replace(".", "-"))
    return next((lines[spelling] for spelling in spellings if spelling in lines), {})


def facts_for(config: LLMProviderConfig, model: str) -> ModelInfo:
    """Return what the table knows of a model at this provider, under the name it was asked by.

    A day of an end holds at the vendor's own address only: another host may go on longer, or stop sooner.
    A server of one's own gives a model any window it likes: of those only what the name says is taken.
    """
    return _facts(config.kind, config.endpoint, config.deployment, model)


@lru_cache(maxsize=4_096)
def _facts(kind: str, endpoint: str, deployment: str | None, model: str) -> ModelInfo:
    """Asked several times for every request: a hit is 40 times as fast."""
    vendor, name, is_own = _place(kind, endpoint, deployment, model.removeprefix("models/").lower())
    info = _known(vendor, name)
    if not is_own:
        info = replace(info, retires_on=None, max_output_tokens=None)
    return replace(info, id=model)


def _place(kind: str, endpoint: str, deployment: str | None, name: str) -> tuple[str, str, bool]:
    """The vendor whose model this is ("" unknown), the vendor's name of it, and whether the vendor itself is asked."""
    host = (split_address(endpoint).hostname or "").lower()
    if name.startswith("ft:"):
        return _OWN_VENDOR.get(kind, ""), name.split(":")[1], False
    if kind in _OWN_VENDOR:
        own = (split_address(KINDS[kind].default_endpoint).hostname or "").lower()
        return _OWN_VENDOR[kind], name, host == own
    if kind == LLMProvider.AZURE_OPENAI:
        # A deployment has any name; the model is known only where the settings name it beside the deployment.
        return ("openai" if deployment and name != deployment.lower() else ""), name, False
    if host in _VENDOR_OF_HOST:
        return _VENDOR_OF_HOST[host], name, True
    prefix, _, rest = name.partition("/")
    if host.endswith("openrouter.ai") and prefix in _VENDOR_OF_PREFIX:
        return _VENDOR_OF_PREFIX[prefix], rest.partition(":")[0], False
    return "", name, False


@lru_cache(maxsize=4_096)
def merged(said: ModelInfo, known: ModelInfo) -> ModelInfo:
    """Return what the provider said, with its gaps filled from what is known."""
    gaps = {
        f.name: getattr(known, f.name)
        for f in fields(ModelInfo)
        if f.name != "id" and getattr(said, f.name) in (None, "") and getattr(known, f.name) not in (None, "")
    }
    return replace(said, **gaps)


def ending(info: ModelInfo, today: date) -> Ending:
    """Say whether a model has stopped answering ("ended") or will within 60 days ("ending")."""
    last = last_day(info)
    if last is None or last - today > RETIRING_WITHIN:
        return ""
    return "ended" if today > last else "ending"


def last_day(info: ModelInfo) -> date | None:
    """Return the last day a model answers, None where none is known or what was said is no date."""
    try:
        return date.fromisoformat((info.retires_on or "")[:10])
    except ValueError:
        return None


def ending_sentence(info: ModelInfo, today: date) -> str:
    """Say in one sentence that a model has ended or is about to; empty where neither is so."""
    last = last_day(info)
    state = ending(info, today)
    if last is None or not state:
        return ""
    day = f"{last.day} {last:%B} {last.year}"
    if state == "ended":
        return f"{info.id} no longer answers since {day}. Choose another model"
    return f"{info.id} ends on {day}. Choose another model before then"
