"""What stands in one event of a stream, and what does not belong into one. No vendor's fields, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from vpa_desktop.errors import ProviderError
from vpa_desktop.providers._broken import malformed
from vpa_desktop.providers._failures import Peer
from vpa_desktop.providers._http import Reply
from vpa_desktop.providers._sse import SSEEvent

PING: Final = "ping"
KNOWN_EVENTS: Final = re.compile(r"(?:message|content_block|response|completion|chunk|delta)?(?:[._]\S*)?")
"""Names of events that carry the answer, or none; what another one carries need not be JSON."""


def web_page(peer: Peer, reply: Reply) -> ProviderError:
    """The error for HTML where an answer should be: a sign-in page of the network, or a wrong address."""
    return malformed(
        peer,
        f"A web page came back from {peer.host} instead of data; on a guest network that is its sign-in page",
        status=reply.status,
    )


def payload_of(sse: SSEEvent, peer: Peer, reply: Reply) -> Mapping[str, Any] | None:
    """The JSON of one event; None for one that says nothing: cut off, a ping, or of a name nobody knows."""
    try:
        payload = json.loads(sse.data)
    except (ValueError, RecursionError) as exc:
        if not sse.whole:
            return None  # the end of the stream cut it: not more than a truncation
        if sse.event == "error":
            return {"error": sse.data}
        if sse.data == PING or not KNOWN_EVENTS.fullmatch(sse.event):
            return None
        raise malformed(peer, "An event of the stream is not JSON", status=reply.status, midstream=True) from exc
    if isinstance(payload, dict):
        return payload
    return {"error": str(payload)} if sse.event == "error" else None
