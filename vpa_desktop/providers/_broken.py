"""What a connection that fails means, in words: one of our errors for each way. Status codes are _failures' business.

It reads the exceptions of aiohttp, since httpx's own names lose the reason on the way.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final, TypeVar
from urllib.parse import urlsplit

import aiohttp

from vpa_desktop.errors import BadReply, ProviderError, ProviderTimeout, ProviderUnavailable
from vpa_desktop.providers._failures import Peer

X = TypeVar("X", bound=BaseException)

CHECK: Final = "Check the network and the endpoint in Settings, Providers"
OTHER_NAME: Final = frozenset({62, 64})
EXPIRED: Final = 10
NOT_YET: Final = 9
ITS_OWN: Final = frozenset({18, 19})
"""OpenSSL's verify codes (x509_vfy.h): another host's or address's name, dates, signed by itself."""

NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})


def unreachable(peer: Peer, exc: BaseException) -> ProviderError:
    """The error for a connection that never came to an answer; says which of the usual reasons it was."""
    causes = [exc]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    if _find(causes, TimeoutError):  # httpx's own class says it of other failures too
        return peer.error(
            ProviderTimeout,
            f"{peer.name} did not answer in time",
            f"No connection to {peer.host} came about within {peer.options.connect_s:g} s",
            CHECK,
        )
    refusal = _find(causes, aiohttp.ClientHttpProxyError)
    if refusal is not None and refusal.status == 407:
        return proxy_wants_password(peer)
    if refusal is not None or _find(causes, aiohttp.ClientProxyConnectionError):
        said = f" (it answered {refusal.status})" if refusal is not None else ""
        return _network(
            peer,
            f"The proxy did not let the request through{said}",
            "Check the proxy settings of this machine, and of this provider in Settings, Providers",
            code="proxy_refused",
        )
    if _find(causes, aiohttp.ClientConnectorDNSError):
        return _network(peer, f"There is no address for the name {peer.host}", CHECK)
    causes.reverse()  # aiohttp's own errors are of these kinds too, but do not say what was wrong
    certificate = _find(causes, ssl.SSLCertVerificationError)
    if certificate is not None:
        why, next_step = _about_certificate(peer, certificate)
        return _network(peer, why, next_step, retryable=False, code="certificate")
    encryption = _find(causes, ssl.SSLError)
    if encryption is not None:
        why, next_step = _about_encryption(peer, encryption)
        return _network(peer, why, next_step, retryable=False)
    if _find(causes, aiohttp.ClientResponseError):
        return malformed(peer, f"{peer.host} does not speak HTTP as it should{_maybe_tls(peer)}")
    if _find(causes, ConnectionRefusedError):
        step = "Start the server there, or check the endpoint in Settings, Providers"
        return _network(peer, f"Nothing listens at {peer.host}", step)
    return _network(peer, f"{peer.host} closed the connection before it answered{_maybe_tls(peer)}", CHECK)


def silent(peer: Peer, seconds: float, *, midstream: bool = False) -> ProviderTimeout:
    """The error for a provider from which nothing came within the time allowed."""
    return peer.error(
        ProviderTimeout,
        f"{peer.name} did not answer in time",
        f"Nothing came for {seconds:g} s",
        "Try again, choose another provider, or allow more time in Settings, Providers",
        status=200 if midstream else None,
        midstream=midstream,
    )


def endless(peer: Peer) -> ProviderTimeout:
    """The error for an answer that kept coming but did not end within the time for all of it."""
    return peer.error(
        ProviderTimeout,
        f"{peer.name} did not finish in time",
        "The answer was still coming when the time allowed for all of it was over",
        "Ask for less at once, or allow more time in Settings, Providers",
        status=200,
        midstream=True,
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
    """The error for a connection that ended before the answer did."""
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
    """The error for an answer that points elsewhere."""
    target = urlsplit(location).netloc.rpartition("@")[2] or "another page"
    return peer.error(
        BadReply,
        f"{peer.name} sends its visitors to {target}",
        f"It answered {status}, and keys never follow to another address",
        "On a guest network, sign in first; if the provider has moved, change the endpoint in Settings, Providers",
        retryable=False,
        status=status,
    )


def proxy_wants_password(peer: Peer) -> ProviderUnavailable:
    """The error for a proxy that lets nobody through without a password."""
    return _network(
        peer,
        "The proxy asks for a user name and password",
        "Put them into the environment, HTTPS_PROXY=http://name:password@proxy:port, and start again",
        retryable=False,
        code="proxy_password",
    )


def _network(
    peer: Peer, why: str, next_step: str, *, retryable: bool = True, code: str | None = None
) -> ProviderUnavailable:
    return peer.error(
        ProviderUnavailable,
        f"{peer.name} could not be reached",
        why,
        next_step,
        error_class="network",
        retryable=retryable,
        code=code,
    )


def _find(causes: Sequence[BaseException], kind: type[X]) -> X | None:
    return next((cause for cause in causes if isinstance(cause, kind)), None)


def _about_certificate(peer: Peer, exc: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """Why a certificate is not trusted, and what to do; other systems than OpenSSL give codes of their own."""
    host, code = peer.host, getattr(exc, "verify_code", 0)
    if code in OTHER_NAME:
        return (
            f"The certificate of {host} was made for another name",
            "Check the endpoint in Settings, Providers; on a guest network, sign in first",
        )
    if code == EXPIRED:
        return f"The certificate of {host} has expired", "Check this machine's clock, or tell whoever runs the server"
    if code == NOT_YET:
        return f"The certificate of {host} is not valid yet", "Check this machine's clock"
    own = "If the server is yours or your company's, choose its certificate file in Settings, Providers"
    if code in ITS_OWN:
        return f"The certificate of {host} is not trusted: it was signed by the server's own authority", own
    return (
        f"The certificate of {host} is not trusted: this machine does not know who signed it",
        f"On a guest network, sign in first. {own}",
    )


def _about_encryption(peer: Peer, exc: ssl.SSLError) -> tuple[str, str]:
    if exc.reason in NOT_TLS:
        return (
            f"{peer.host} does not speak TLS, which an https:// endpoint needs",
            "Check the port, or write http:// if the server is on this machine",
        )
    return f"The encryption with {peer.host} failed", f"{CHECK}; the server may be too old"


def _maybe_tls(peer: Peer) -> str:
    return "; perhaps it wants https://" if peer.endpoint.startswith("http:") else ""
