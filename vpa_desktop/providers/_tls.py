"""The TLS contexts of this process: one for the system's trust, and one for each certificate file beside it."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path

import truststore

from vpa_desktop.errors import ProviderUnavailable
from vpa_desktop.providers._failures import Peer


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return the context that trusts the system's store, and SSL_CERT_FILE and ``ca_file`` beside it.

    Raises OSError (ssl.SSLError too) where a file is not there or holds no certificate. A file that was written anew
    is read anew.
    """
    files = [name for name in (os.environ.get("SSL_CERT_FILE"), ca_file) if name]
    return _context(tuple((name, Path(name).stat().st_mtime_ns) for name in files))


def context_for(peer: Peer, ca_file: str | None) -> ssl.SSLContext:
    """The context for this provider; raises ProviderUnavailable where its certificate file cannot be used."""
    try:
        return tls_context(ca_file)
    except OSError as exc:
        at_fault = _unusable(ca_file)
        what = f"The certificate file {ca_file}" if at_fault else "The certificate file that SSL_CERT_FILE names"
        why = "holds no certificate in PEM form" if isinstance(exc, ssl.SSLError) else "cannot be read"
        raise peer.error(
            ProviderUnavailable,
            f"{peer.name} was not asked",
            f"{what} {why}",
            "Choose another file in Settings, Providers" if at_fault else "Correct SSL_CERT_FILE, or unset it",
            error_class="network",
            retryable=False,
        ) from exc


def _unusable(ca_file: str | None) -> bool:
    if not ca_file:
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=ca_file)
    except OSError:
        return True
    return False


@lru_cache(maxsize=16)
def _context(files: tuple[tuple[str, int], ...]) -> ssl.SSLContext:
    """It never writes session keys: SSLKEYLOGFILE is read by ssl.create_default_context, which is not used."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, _ in files:
        context.load_verify_locations(cafile=name)
    return context
