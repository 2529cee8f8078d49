"""Opens the system for one command and closes it again."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from vpa_desktop.cli.output import Output
from vpa_desktop.config import Paths
from vpa_desktop.errors import ConfigError
from vpa_desktop.security.redaction import install_log_redaction
from vpa_desktop.system import System, build_system


@asynccontextmanager
async def opened(paths: Paths, out: Output, more: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[System]:
    """Yield the system; mistakes in the settings and notices of the database are said on stderr.

    ``more`` are variables that count over those of the environment.
    """
    install_log_redaction()
    environ = {**os.environ, **more}
    if environ.get("VPA_VAULT") == "file" and not environ.get("VPA_VAULT_PASSPHRASE") and sys.stdin.isatty():
        environ["VPA_VAULT_PASSPHRASE"] = getpass.getpass("Passphrase of the key file: ")
    system = await build_system(paths, environ=environ)
    try:
        _warn(system.problems if system.db.read_only else (*system.problems, *system.db.notices), out)
        yield system
        if system.db.read_only:  # else the error that a change ends with says the same
            _warn(system.db.notices, out)
    finally:
        await system.aclose()


def _warn(problems: Iterable[str], out: Output) -> None:
    for problem in problems:
        out.note(f"warning: {problem.rstrip('.')}.")


def read_secret(prompt: str) -> str:
    """Return a key from a prompt that does not echo, or from what is piped in; raises ConfigError for nothing."""
    text = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.read()
    if not text.strip():
        raise ConfigError("No key was given", "Nothing was typed or piped in", "Type it at the prompt, or pipe it in")
    return text
