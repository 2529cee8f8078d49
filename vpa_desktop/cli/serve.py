"""``serve``: the router behind a local endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.cli.output import Output
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.errors import ConfigError
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.serve.tokens import TokenFile
from vpa_desktop.system import System

if TYPE_CHECKING:
    from vpa_desktop.serve.endpoint import Endpoint

NEEDED = ("starlette", "uvicorn", "httptools")
INTERRUPTED = 130


async def serve(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Serve until interrupted, or show a token; exit code 130 after Ctrl+C, 0 after being asked to end."""
    paths.make()
    tokens = TokenFile(paths.serve_tokens)
    if options.show_token or options.new_token:
        token = tokens.renew(options.user) if options.new_token else tokens.token_of(options.user)
        out.line(token)
        out.document({"user": options.user, "token": token})
        return 0
    _require_extra()
    from vpa_desktop.serve.listening import Listener, open_socket, url_of

    tokens.token_of(options.user)
    sock = open_socket(options.host, options.port)
    try:
        url = url_of(sock)
        async with opened(paths, out) as system:
            await system.keys_ready()
            system.stay_open()
            listener = Listener(endpoint_of(system, tokens), sock)

            async def ready() -> None:
                _say_how(url, options, out)

            with listener.on_signals():
                ended_by = await listener.run(ready)
    finally:
        sock.close()
    return INTERRUPTED if ended_by == signal.SIGINT else 0


def endpoint_of(system: System, tokens: TokenFile) -> Endpoint:
    """The endpoint over this system: its router, limits, masking and audit."""
    from vpa_desktop.serve.answering import Desk
    from vpa_desktop.serve.endpoint import Endpoint
    from vpa_desktop.serve.names import ModelNames
    from vpa_desktop.serve.trail import Trail

    async def known(provider_id: str) -> Sequence[ModelInfo]:
        if provider_id not in system.setup.configs():
            return ()
        return (await system.catalogue.known(provider_id)).models

    def may_ask(config: LLMProviderConfig, model: str, user: str) -> bool:
        book = system.policy.book
        return book.refusal(config, model, book.user_of(user)) is None

    names = ModelNames(system.manager, known, lambda: system.settings.default_model, may_ask=may_ask)
    trail = Trail(None if system.db.read_only else AuditLog(system.db))
    return Endpoint(Desk(system.manager, lambda: system.settings, system.desk), names, tokens, trail)


def _say_how(url: str, options: argparse.Namespace, out: Output) -> None:
    show = "vpa-desktop serve --show-token" + (f" --user {options.user}" if options.user != "local" else "")
    out.line(f"Listening on {url} (this machine only; Ctrl+C ends it).")
    out.line(f"Use it with: OPENAI_BASE_URL={url} OPENAI_API_KEY=$({show})")
    out.document({"url": url, "pid": os.getpid(), "user": options.user})


def missing_extra() -> list[str]:
    """What of the extra ``serve`` is not installed."""
    return [name for name in NEEDED if find_spec(name) is None]


def _require_extra() -> None:
    if missing := missing_extra():
        raise ConfigError(
            "The endpoint was not started",
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            'Install the extra: pip install "vpa-desktop[serve]"',
        )
