"""How one provider is connected to: its time limits, its proxy, its certificates. Values only, nothing is opened.

``first_s`` is how long silence is allowed until the first token, ``idle_s`` between two pieces after it, ``total_s``
for the whole answer from the request to its end. Without a limit of the person's own an answer may take half an hour,
which is long for a model that reasons and short for a server that sends one character a second; two hours on this
machine, where a large model on a slow processor is the person's own business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vpa_desktop.catalog import LLMProviderConfig, is_loopback

CONNECT_S: Final = 10.0
TOTAL_S: Final = 1_800.0
LOCAL_TOTAL_S: Final = 7_200.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a provider's settings say about its connections. ``proxy`` None is the environment's, "" is none."""

    connect_s: float = CONNECT_S
    idle_s: float | None = None
    total_s: float = TOTAL_S
    proxy: str | None = None
    ca_file: str | None = None
    plain_http: bool = False

    @classmethod
    def of(cls, config: LLMProviderConfig) -> Options:
        """The options in a provider's configuration."""
        local = config.is_local or is_loopback(config.endpoint)
        return cls(
            config.connect_timeout,
            config.idle_timeout,
            config.total_timeout or (LOCAL_TOTAL_S if local else TOTAL_S),
            config.proxy,
            config.ca_file or None,
            config.allow_plain_http,
        )
