"""The program of the local model's own process: llama.cpp's server on loopback, until its parent goes away.

Nothing else of this package is imported, so that it is up in under a second and a crash in native code
ends only this process. The only place that imports xllamacpp. The parent writes one line of JSON to stdin (the
settings, with the random key: a command line would show it to every user of the machine), reads one line of JSON
from stdout (the port, or what went wrong), and keeps stdin open for as long as the model is wanted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, TextIO
from urllib.parse import urlsplit


def parameters(settings: dict[str, Any]) -> Any:
    """Return llama.cpp's parameters for one conversation at a time on this machine only."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["model_path"]
    params.model_alias = {settings["alias"]}
    params.n_ctx = settings["context_tokens"]
    params.n_parallel = 1
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.n_threads_http = 2
    params.cache_ram_mib = 0  # the default lets old prompts fill 8 GiB
    params.sse_ping_interval = 5  # a long prompt on a busy machine is not silence
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["api_key"]]
    params.use_jinja = True
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    return params


def main(arguments: Sequence[str] = ()) -> None:
    """Serve until stdin ends; it takes no arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to handle
    answers = _private_stdout()
    settings = json.loads(sys.stdin.readline())
    try:
        import xllamacpp

        server = xllamacpp.Server(parameters(settings))
        _say(answers, {"port": urlsplit(server.listening_address).port})
    except (RuntimeError, ValueError, OSError, ImportError) as exc:
        _say(answers, {"error": f"{type(exc).__name__}: {exc}"})
        os._exit(1)
    sys.stdin.read()
    os._exit(0)  # at once: nothing here is worth an orderly end, and native threads may be busy


def _private_stdout() -> TextIO:
    """Keep stdout for the one answer and send whatever native code prints to stderr."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def _say(answers: TextIO, line: dict[str, Any]) -> None:
    answers.write(json.dumps(line) + "\n")
    answers.close()


if __name__ == "__main__":
    main()
