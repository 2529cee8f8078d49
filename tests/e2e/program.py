"""Runs the real program as a person would, in a process of its own, and a server nobody here wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ROOT.parent / "shared" / "documents"


@dataclass(frozen=True)
class Ran:
    """What a run printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


class Program:
    """The command line over a home folder of its own."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.home = home
        self.environ = environ

    def __call__(self, *arguments: str, stdin: str | None = None, **environ: str) -> Ran:
        return self.python("-m", "vpa_desktop", *arguments, stdin=stdin, **environ)

    def python(self, *arguments: str, stdin: str | None = None, **environ: str) -> Ran:
        """Run Python itself with these arguments, in the program's environment."""
        done = subprocess.run(
            [sys.executable, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            cwd=self.home.parent,
            env=self.variables(environ),
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a run: no key and no setting of the machine's own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("VPA_") and not k.endswith("_API_KEY")}
        kept |= {"VPA_HOME": str(self.home), "PYTHONPATH": str(ROOT), "VPA_VAULT": "memory", "NO_PROXY": "127.0.0.1"}
        return {**kept, **self.environ, **(more or {})}

    def settings(self, text: str) -> None:
        """Write settings.toml."""
        self.home.mkdir(exist_ok=True)
        (self.home / "settings.toml").write_text(text)


class LLMock:
    """The registry's ``llmock`` server: answers like OpenAI and Anthropic, and breaks on demand."""

    def __init__(self, base: str) -> None:
        self.base = base

    def behave(self, *behaviors: Mapping[str, Any]) -> None:
        """Say what it does with the next requests."""
        self._call("POST", "scenario", json.dumps({"behaviors": list(behaviors)}).encode())

    def reset(self) -> None:
        """Forget what it was told and what it saw."""
        self._call("POST", "reset", b"{}")

    def _call(self, method: str, name: str, body: bytes) -> None:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.base}/_llmock/{name}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            reply.read()


@contextmanager
def llmock_server() -> Iterator[LLMock]:
    """Start the server; it ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "llmock", "serve", "--port", str(port), "--log-level", "error"]
    executable = Path(sys.executable).with_name("llmock")
    if executable.exists():
        command = [str(executable), *command[3:]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(base, process)
        yield LLMock(base)
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_up(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "llmock ended by itself"
        try:
            with urllib.request.urlopen(f"{base}/v1/models", timeout=1):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("llmock did not come up")
