"""Where a provider's key comes from: the environment first, then the vault. Keys pass through, none is kept here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vpa_desktop.catalog import KINDS, LLMProvider, LLMProviderConfig, is_loopback, split_address
from vpa_desktop.errors import ConfigError


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key and where it was found: "environment", "vault", or "" with no key."""

    key: str | None = field(repr=False)
    source: str


NO_KEY = FoundKey(None, "")

AROUND: Final = " \t\r\n\v\f\"'`\u00a0\u200b\u200c\u200d\u2028\u2029\ufeff\u201c\u201d\u2018\u2019;,"
ALONG: Final = re.compile(
    r"^(?:export\s+|set\s+|\$env:)?[A-Za-z_][A-Za-z0-9_]*(?:KEY|TOKEN)\s*=|^(?:authorization|x-api-key|api-key)\s*:"
    r"|^bearer\s+",
    re.IGNORECASE,
)
"""What is copied along with a key: the line of an environment file, or of a request."""


AZURE_HOST: Final = re.compile(r"\.azure\.(com|us|cn)$|\.azure-api\.(net|us|cn)$")


def environment_names(config: LLMProviderConfig) -> tuple[str, ...]:
    """Return the variables that may hold this provider's key, the most specific first.

    A vendor's own variable (OPENAI_API_KEY) was set for the vendor's host: another one on the net never gets its key,
    only ``VPA_KEY_<ID>``, which names the provider.
    """
    own = "VPA_KEY_" + re.sub(r"[^A-Za-z0-9]", "_", config.provider_id).upper()
    kind = KINDS.get(config.kind)
    return (own, *(kind.key_environment if kind and _is_vendors_host(config) else ()))


def missing_key(config: LLMProviderConfig, environ: Mapping[str, str]) -> str:
    """Return what to say of a provider without a key."""
    own, *_ = environment_names(config)
    for name in KINDS[config.kind].key_environment:
        if environ.get(name) and not _is_vendors_host(config):
            host = split_address(config.endpoint).hostname
            return f"No key yet: {name} is not sent to {host}. Type one for this address, or set {own}"
    return "No key yet"


def _is_vendors_host(config: LLMProviderConfig) -> bool:
    host = split_address(config.endpoint).hostname or ""
    if is_loopback(config.endpoint) or not host:
        return True
    if config.kind == LLMProvider.AZURE_OPENAI:
        return AZURE_HOST.search(host) is not None
    return host == split_address(KINDS[config.kind].default_endpoint).hostname


def environment_key(config: LLMProviderConfig, environ: Mapping[str, str]) -> FoundKey:
    """Return the key the environment holds for this provider."""
    for name in environment_names(config):
        if value := environ.get(name, "").strip():
            return FoundKey(clean_key(value), "environment")
    return NO_KEY


def clean_key(text: str) -> str:
    """Return a key as typed or pasted, without what was copied along with it; raises ConfigError.

    White space, quotes, ``Bearer``, a header's name and the NAME= of an environment file around it are taken off.
    """
    key = _bare(text)
    while (inner := _bare(ALONG.sub("", key, count=1))) != key:
        key = inner
    if not key:
        raise ConfigError("There is no key in what was typed", "It is empty", "Copy the key from the provider's page")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigError(
            "The key was not stored",
            "It has spaces, line breaks or other characters that no key has",
            "Copy it again from the provider's page, in one piece",
        )
    return key


def _bare(text: str) -> str:
    """The text without white space, quotes and characters that cannot be seen around it."""
    return text.strip(AROUND)


def hint(key: str) -> str:
    """Return at most the last four characters, and none of a short key."""
    return f"…{key[-4:]}" if len(key) >= 12 else "…"
