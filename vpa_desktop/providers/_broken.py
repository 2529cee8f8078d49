"""What a connection that fails means, in words: one of our errors for each way. Status codes are _failures' business.

It reads the exceptions of aiohttp, since httpx's own names lose the reason on the way.
"""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import aiohttp

from vpa_desktop.errors import BadReply, ProviderError, ProviderTimeout, ProviderUnavailable
from vpa_desktop.providers._failures import Peer


class ProxyUnusable(OSError):
    """The environment names a proxy of a kind that cannot be used."""


def unreachable(peer: Peer, exc: BaseException) -> ProviderError:
    """The error for a connection that never came to an answer; says which of the usual reasons it was."""
    causes = [exc]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    retryable = True
    next_step = "Check the network and the endpoint in Settings, Providers"
    if any(isinstance(cause, TimeoutError) for cause in causes):  # httpx's own class says it of other failures too
        return peer.error(
            ProviderTimeout,
            f"{peer.name} did not answer in time",
            f"No connection to {peer.host} came about",
            next_step,
        )
    if isinstance(exc, ProxyUnusable):
        why, retryable = str(exc), False
        next_step = "Set HTTPS_PROXY to an http:// proxy, or unset it"
    elif any(isinstance(cause, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError) for cause in causes):
        why, next_step = "The proxy did not let the request through", "Check the proxy settings of this machine"
    elif any(isinstance(cause, aiohttp.ClientConnectorDNSError) for cause in causes):
        why = f"There is no address for the name {peer.host}"
    elif any(isinstance(cause, ssl.SSLError | ssl.CertificateError) for cause in causes):
        why, retryable = f"The certificate of {peer.host} is not trusted, or the encryption failed", False
        next_step = "On a guest network, sign in first; behind a company proxy, set SSL_CERT_FILE to its certificate"
    elif any(isinstance(cause, aiohttp.ClientResponseError) for cause in causes):
        return malformed(peer, f"{peer.host} does not speak HTTP as it should")
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        why = f"Nothing listens at {peer.host}"
        next_step = "Start the server there, or check the endpoint in Settings, Providers"
    else:
        why = f"{peer.host} closed the connection before it answered"
    return peer.error(
        ProviderUnavailable,
        f"{peer.name} could not be reached",
        why,
        next_step,
        error_class="network",
        retryable=retryable,
    )


def silent(peer: Peer, *, midstream: bool = False) -> ProviderTimeout:
    """The error for a provider from which nothing came within the time allowed."""
    return peer.error(
        ProviderTimeout,
        f"{peer.name} did not answer in time",
        f"Nothing came for {peer.timeout_s:g} s",
        "Try again, choose another provider, or allow more time in Settings, Providers",
        status=200 if midstream else None,
        midstream=midstream,
    )


def malformed(peer: Peer, why: str, *, status: int | None = None, midstream: bool = False) -> BadReply:
    """The error for bytes that are not what the protocol says."""
    return peer.error(
        BadReply,
        f"{peer.name} sent something that is not an answer",
        why,
        "Check the endpoint in Settings, Providers, or choose another provider",
        status=status,
        midstream=midstream,
    )


def lost(peer: Peer, status: int) -> ProviderUnavailable:
    return peer.error(
        ProviderUnavailable,
        f"The connection to {peer.name} was lost in the middle of the answer",
        f"{peer.host} closed it, or the network failed",
        "Try again, or choose another provider",
        error_class="network",
        status=status,
        midstream=True,
    )


def redirected(peer: Peer, status: int, location: str) -> BadReply:
    target = urlsplit(location).netloc.rpartition("@")[2] or "another page"
    return peer.error(
        BadReply,
        f"{peer.name} sends its visitors to {target}",
        f"It answered {status}, and keys never follow to another address",
        "On a guest network, sign in first; if the provider has moved, change the endpoint in Settings, Providers",
        retryable=False,
        status=status,
    )
