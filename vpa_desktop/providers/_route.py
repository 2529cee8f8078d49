"""Where a request may go, and by which way: address rules and proxies. No network, no TLS.

A key leaves this machine only encrypted, unless the person allowed plain http for that one provider. A password for a
proxy stands in the environment (HTTPS_PROXY), never in settings.toml, which is read by others and copied about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult
from urllib.request import getproxies, proxy_bypass

from vpa_desktop.catalog import is_loopback, split_address
from vpa_desktop.errors import AuthenticationFailed, PolicyRefused, ProviderUnavailable
from vpa_desktop.providers._failures import Peer

HOST: Final = re.compile(r"[\w.:-]*\w[\w.:-]*")
"""A name in any script, or an address with dots or colons."""

QUOTES: Final = "\"'`“”‘’«»"


def check_address(peer: Peer, url: str, *, offline: bool) -> None:
    """Raise PolicyRefused where this address must not be talked to at all."""
    parts = split_address(url)
    if not HOST.fullmatch(parts.hostname or "") or parts.scheme not in ("http", "https"):
        raise no_address(peer)
    if "@" in parts.netloc:
        raise PolicyRefused(
            f"{peer.name} was not asked",
            "Its endpoint has a user name or password in it, and a key stands in no address",
            "Take it out of the endpoint and enter the key in Settings, Keys",
            rule="endpoint",
        )
    if is_loopback(url):
        return
    if offline:
        raise PolicyRefused(
            f"{peer.name} was not asked",
            "The program is set to stay offline (VPA_OFFLINE), so nothing leaves this machine",
            "Choose a local model, or start without VPA_OFFLINE",
            rule="offline",
        )
    if parts.scheme == "http" and not peer.options.plain_http:
        raise PolicyRefused(
            f"{peer.name} was not asked",
            f"http://{parts.netloc} is not encrypted: anyone on the way could read key and text",
            "Use an https:// endpoint, or allow plain http for this provider in Settings, Providers",
            rule="plain_http",
        )


def no_address(peer: Peer) -> PolicyRefused:
    """The error for an endpoint that no request can be sent to."""
    return PolicyRefused(
        f'"{peer.address}" is not an address {peer.name} can be reached at',
        "An endpoint begins with https://, or with http:// on this machine, and a host's name follows",
        "Correct the endpoint in Settings, Providers",
        rule="endpoint",
    )


def check_headers(peer: Peer, headers: Mapping[str, str]) -> None:
    """Raise before anything is sent where a header cannot be: the key first, since it is mostly that."""
    check_key(peer)
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise PolicyRefused(
                f"{peer.name} was not asked",
                f"There is a character in its setting for {name} that cannot be sent",
                "Correct the API version in Settings, Providers, and the key in Settings, Keys",
                rule="header",
            )


def check_key(peer: Peer) -> None:
    """Raise AuthenticationFailed for a key that no server could take: it was pasted with something around it."""
    key = peer.secret
    quoted = bool(key) and (key[0] in QUOTES or key[-1] in QUOTES)
    if key.isascii() and key.isprintable() and " " not in key and not quoted:
        return
    if quoted:
        why = "It stands in quotation marks, which are not part of a key"
    elif key.split() != [key]:
        why = "There is a space or a line break in it"
    else:
        why = "There is a character in it that no key has"
    raise peer.error(
        AuthenticationFailed,
        f"The key of {peer.name} was not sent",
        why,
        "Enter it again in Settings, Keys",
        code="invalid_characters_in_key",
    )


def proxy_for(peer: Peer, url: str) -> str:
    """The proxy this request goes through, "" for none; raises where the one that is set cannot be used."""
    if is_loopback(url):
        return ""
    chosen = peer.options.proxy
    proxy = _of_environment(split_address(url)) if chosen is None else chosen.strip()
    if not proxy:
        return ""
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    parts = split_address(proxy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        kind = f"of a kind ({parts.scheme}) that cannot be used" if parts.hostname else "not an address"
        raise peer.error(
            ProviderUnavailable,
            f"{peer.name} could not be reached",
            f"The proxy of this {'machine' if chosen is None else 'provider'} is {kind}",
            "Set HTTPS_PROXY to an http:// proxy, or unset it"
            if chosen is None
            else "Set an http:// proxy in Settings, Providers, or none",
            error_class="network",
            retryable=False,
        )
    if chosen is not None and "@" in parts.netloc:
        raise PolicyRefused(
            f"{peer.name} was not asked",
            "Its proxy is set with a user name or password, and settings are no place for one",
            "Take it out in Settings, Providers, and put the proxy with its password into HTTPS_PROXY instead",
            rule="proxy",
        )
    return proxy


def _of_environment(target: SplitResult) -> str:
    if proxy_bypass(target.hostname or ""):
        return ""
    proxies = getproxies()
    return proxies.get(target.scheme) or proxies.get("all") or ""
