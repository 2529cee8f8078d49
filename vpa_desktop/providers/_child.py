"""The process of a local model: started, told its settings, given back when idle. Not what it computes or speaks.

``children`` says how it is started; it imports next to nothing of this package. It gets one line of JSON on stdin (a
command line would show the key to every user of the machine), answers with one line on stdout, and ends when stdin
does: so it never outlives this program, however that ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import IO, Any, Final

from vpa_desktop.children import child_command, child_environment

log = logging.getLogger(__name__)

RETIRED_S: Final = 0.5
"""How long a retired process is kept for a request that already waits its turn."""

Settings = Mapping[str, Any]


class ChildFailed(Exception):
    """The process did not come up; ``answer`` is what it said, empty where it died. Translated by its provider."""

    def __init__(self, why: str, answer: Settings | None = None, *, is_late: bool = False) -> None:
        super().__init__(why)
        self.answer = dict(answer or {})
        self.is_late = is_late


class Child:
    """One program that is run when it is wanted. Belongs to one event loop.

    ``ready`` starts it (anew for other settings, or where it died), ``use`` keeps it, and ``idle_s`` after the last
    use it is ended.
    """

    def __init__(
        self, program: str, *, name: str, start_s: float, idle_s: float, environment: Mapping[str, str] | None = None
    ) -> None:
        self.answer: Settings = {}
        self._program = program
        self._name = name
        self._start_s = start_s
        self._idle_s = idle_s
        self._environment = dict(environment or {})
        self._starting = asyncio.Lock()
        self._settings: Settings = {}
        self._process: subprocess.Popen[str] | None = None
        self._users = 0
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The process, None where none runs."""
        return None if self._process is None else self._process.pid

    @asynccontextmanager
    async def use(self, settings: Settings) -> AsyncGenerator[Settings, None]:
        """Have it running with these settings, and keep it for the length of the block; yields what it answered."""
        self._users += 1
        self._stop_clock()
        try:
            yield await self.ready(settings)
        finally:
            self._users -= 1
            self._start_clock()

    async def ready(self, settings: Settings) -> Settings:
        """Have it running with these settings and return what it answered; raises ChildFailed."""
        async with self._starting:
            process = self._process
            if process is None or self._settings != settings or process.poll() is not None:
                await self.end()
                self._process, self.answer = await self._start(settings)
                self._settings = settings
        self._start_clock()
        return self.answer

    def retire(self) -> None:
        """Have the process ended as soon as nobody uses it, now or after the last use."""
        self._idle_s = min(self._idle_s, RETIRED_S)
        if not self._users:
            self._stop_clock()
            self._give_back()

    async def end(self) -> None:
        """End the process and give its memory back. Safe to call twice."""
        self._stop_clock()
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(_end, process)
        while self._ending:
            await asyncio.gather(*self._ending)

    async def _start(self, settings: Settings) -> tuple[subprocess.Popen[str], Settings]:
        """Start the process off the loop; a cancelled start leaves no process behind."""
        launch = _Launch(child_command(self._program), self._environment, self._name)
        try:
            async with asyncio.timeout(self._start_s):
                answer = await asyncio.to_thread(launch.run, settings)
        except TimeoutError as exc:
            launch.cancel()
            raise ChildFailed(f"It was not ready after {self._start_s:.0f} s", is_late=True) from exc
        except asyncio.CancelledError:
            launch.cancel()
            raise
        if launch.process is None or "port" not in answer:
            log.info("%s did not start: %s", self._name, answer.get("error", "its process ended"))
            raise ChildFailed("It could not be loaded", answer)
        return launch.process, answer

    def _start_clock(self) -> None:
        self._stop_clock()
        if not self._users and self._process is not None:
            self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._give_back)

    def _stop_clock(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _give_back(self) -> None:
        self._idle = None
        process, self._process = self._process, None
        if process is None:
            return
        log.debug("%s is not used and is ended", self._name)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # retired when its loop no longer runs
            _end(process)
            return
        task = loop.create_task(asyncio.to_thread(_end, process), name="end idle model")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class _Launch:
    """One attempt to start the process, from a worker thread, that the loop can call off at any moment."""

    def __init__(self, command: list[str], environment: Mapping[str, str], name: str) -> None:
        self.process: subprocess.Popen[str] | None = None
        self._command = command
        self._environment = environment
        self._name = name
        self._lock = threading.Lock()
        self._cancelled = False

    def run(self, settings: Settings) -> dict[str, Any]:
        """Start it, hand over the settings and return its answer; blocks until the model is loaded."""
        with self._lock:
            if self._cancelled:
                return {}
            self.process = self._spawn()
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

    def _spawn(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=child_environment(self._environment),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        arguments = (process.stderr, self._name)
        threading.Thread(target=_log_lines, args=arguments, name="local model log", daemon=True).start()
        return process


def _handshake(process: subprocess.Popen[str], settings: Settings) -> dict[str, Any]:
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


def _log_lines(lines: IO[str] | None, name: str) -> None:
    if lines is None:
        return
    with lines:
        for line in lines:
            log.debug("%s: %s", name, line.rstrip())
