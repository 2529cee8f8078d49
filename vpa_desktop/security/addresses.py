"""Where a configured provider really sends a request, read for a rule that nobody may talk his way around.

Not the address check before sending (``providers``) and not a guess in the person's favour (``catalog``): an address
that is written in an unusual way is no address here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from vpa_desktop.catalog import KINDS, LLMProvider, LLMProviderConfig

_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:[/?#][!-~]*)?",
    re.IGNORECASE | re.ASCII,
)
_HOST_PATTERN: Final = re.compile(r"(?:[a-z0-9*?._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Host:
    """A host's name in small letters and its port."""

    name: str
    port: int

    @property
    def is_this_machine(self) -> bool:
        """True for localhost and a whole loopback address; never for a name that only begins like one."""
        if self.name == "localhost":
            return True
        try:
            return ip_address(self.name).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=256)
def host_of(url: str) -> Host | None:
    """Return the host of an address; None where it is written in a way that two readers could read differently."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return None
    port = int(match["port"] or (443 if match["scheme"].lower() == "https" else 80))
    return Host(match["host"].lower().strip("[]").rstrip("."), port)


def is_host_pattern(text: str) -> bool:
    """True for what a list of hosts may hold: a name or number, ``*`` in it, a port after it; no address."""
    return _HOST_PATTERN.fullmatch(text) is not None


@lru_cache(maxsize=256)
def is_listed(host: Host, patterns: tuple[str, ...]) -> bool:
    """True where a pattern fits the host; one with a port fits that port only."""
    for pattern in patterns:
        name, colon, port = pattern.lower().rpartition(":")
        if not colon or not port.isdecimal() or (":" in name and not name.endswith("]")):
            name, port = pattern.lower(), ""
        if fnmatchcase(host.name, name.strip("[]")) and (not port or int(port) == host.port):
            return True
    return False


def has_address(config: LLMProviderConfig) -> bool:
    """False for kinds that run inside the program."""
    kind = KINDS.get(config.kind)
    return kind is None or not kind.is_local


def runs_here(config: LLMProviderConfig) -> bool:
    """True where the model itself is on this machine: inside the program, or in an Ollama at a loopback address.

    What else listens on this machine may pass a question on; the person's own ``local_only`` proves nothing.
    """
    if not has_address(config):
        return True
    host = host_of(config.endpoint)
    return config.kind == LLMProvider.OLLAMA and host is not None and host.is_this_machine


def is_handed_on(config: LLMProviderConfig, model: str) -> bool:
    """True for a model that an Ollama on this machine does not run but asks ollama.com for (``gpt-oss:120b-cloud``)."""
    return config.kind == LLMProvider.OLLAMA and model.lower().endswith((":cloud", "-cloud"))


def own_host(config: LLMProviderConfig) -> Host | None:
    """Return the host that the kind has where nobody has chosen another."""
    kind = KINDS.get(config.kind)
    return host_of(kind.default_endpoint) if kind and kind.default_endpoint else None
