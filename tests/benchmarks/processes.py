"""What the benchmarks of providers and of the router share: clients in their own processes, taking turns at a stub."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

ROOT: Final = Path(__file__).resolve().parents[2]
Result = dict[str, Any]
T = TypeVar("T")
FOLDER: Final = "BENCHMARK_FOLDER"
"""The variable that names a folder for files of the clients."""

QUIET: Final = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}
"""So that nobody calls home, not even for a list of prices."""


class Process:
    """A client in its own process, which does one thing at a time."""

    def __init__(self, stack: ExitStack, python: str, module: str, name: str, folder: str = "") -> None:
        self._child = stack.enter_context(
            subprocess.Popen(
                [python, "-m", f"tests.benchmarks.{module}", name],
                cwd=ROOT,
                env={**os.environ, **QUIET, FOLDER: folder},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        self.missing = bool(self.receive().get("missing"))

    def __call__(self, *command: Any) -> Result:
        self.send(*command)
        return self.receive()

    def send(self, *command: Any) -> None:
        """Let it begin with something."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()

    def receive(self) -> Result:
        """Wait for what came of it."""
        assert self._child.stdout is not None
        found: Result = json.loads(self._child.stdout.readline() or '{"missing": true}')
        return found


def serve(stack: ExitStack, ports: int = 1, certificate: str = "") -> list[int]:
    """Start the stub server and return its ports."""
    command = [sys.executable, "-m", "tests.benchmarks.stub_server", str(ports), certificate]
    child = stack.enter_context(
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    assert child.stdout is not None
    found: list[int] = json.loads(child.stdout.readline())
    return found


def percentile(values: list[float], share: float) -> float:
    """The value that this share of all stays below."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def in_turns(clients: dict[str, Process], rounds: int, case: Callable[[Process], T]) -> dict[str, list[T]]:
    """Let the clients take turns; return what each one's rounds gave."""
    found: dict[str, list[T]] = {name: [] for name in clients}
    for n in range(rounds + 1):
        for name, client in clients.items():
            value = case(client)
            if n:  # the first round opens connections and fills caches
                found[name].append(value)
    return found


def measure(clients: dict[str, Process], rounds: int, case: Callable[[Process], float]) -> dict[str, float]:
    """Let the clients take turns; return each one's median."""
    return {name: statistics.median(values) for name, values in in_turns(clients, rounds, case).items()}
