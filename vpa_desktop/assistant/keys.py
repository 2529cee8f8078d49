"""Keys as they are found and typed: which variables may hold them, what is taken off, what may be shown of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from vpa_desktop.catalog import KINDS, LLMProvider, LLMProviderConfig, is_loopback, split_address
from vpa_desktop.errors import ConfigError


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key and where it was found: "environment", "vault", or "" with no key.

    ``id`` tells a provider's keys apart, ``label`` is the person's name for one. ``held_for`` is the host it was stored
    for where that is another one than the settings say now: it is not sent. ``retires_at`` is set on the old key of a
    rotation.
    """

    key: str | None = field(repr=False)
    source: str
    id: str = ""
    label: str = ""
    held_for: str = ""
    retires_at: datetime | None = None

    @property
    def called(self) -> str:
        """What rows and receipts call it: its label, or its last characters."""
        return self.label or hint(self.key or "")


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


def environment_keys(config: LLMProviderConfig, environ: Mapping[str, str]) -> tuple[FoundKey, ...]:
    """Return the keys the environment holds for this provider, of the first variable that is set.

    ``VPA_KEY_<ID>`` may hold several, separated by commas; a vendor's own variable holds one.
    """
    own, *_ = environment_names(config)
    for name in environment_names(config):
        if value := environ.get(name, "").strip():
            parts = [part for part in value.split(",") if part.strip()] if name == own else [value]
            keys = dict.fromkeys(clean_key(part) for part in parts or [value])
            return tuple(FoundKey(key, "environment", f"environment-{n}") for n, key in enumerate(keys, 1))
    return ()


def environment_key(config: LLMProviderConfig, environ: Mapping[str, str]) -> FoundKey:
    """Return the first key the environment holds for this provider."""
    return next(iter(environment_keys(config, environ)), NO_KEY)


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
