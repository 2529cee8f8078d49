"""What time a provider's server says it is: one request without a key and without a question. No answer is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import BadReply
from vpa_desktop.providers._failures import Peer
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._options import Options


@dataclass(frozen=True, slots=True)
class RemoteTime:
    """How far this machine's clock is ahead of a server's, with the server's name; right to about a second."""

    host: str
    ahead: timedelta


async def remote_time(config: LLMProviderConfig, http: HttpSession, timeout_s: float = 5.0) -> RemoteTime:
    """Ask for the head of a page of the provider's address; raises ProviderError, PolicyRefused."""
    name = config.provider_id or config.kind
    options = Options.of(replace(config, connect_timeout=timeout_s, total_timeout=timeout_s))
    peer = Peer(name, name, "", config.endpoint, False, timeout_s, "", options)
    started = datetime.now(UTC)
    async with http.open(peer, "GET", config.endpoint, headers={}) as reply:
        ours = started + (datetime.now(UTC) - started) / 2
        said = reply.headers.get("date", "")
    try:
        theirs = parsedate_to_datetime(said)
    except ValueError as exc:
        raise BadReply(f"{peer.host} did not say what time it is", "Its answer has no date", provider=name) from exc
    return RemoteTime(peer.host, ours - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)))
