"""Child processes for work that may crash, hang or eat memory: both ends of the pipe. Not what they do.

A worker is a fresh process (``children`` starts it), never a fork of the window's.
Frames go over its standard input and output: one status byte, four bytes of length, the payload.
A worker is used for many requests, is replaced after it died, and ends by itself when its parent is gone.
"""

from __future__ import annotations

import importlib
import json
import os
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from vpa_desktop import errors
from vpa_desktop.children import child_command, child_environment
from vpa_desktop.errors import KnowledgeError, VPAError
from vpa_desktop.rag.process_limits import give_back_memory

_WORKERS = {
    "parser": "vpa_desktop.rag.parser_process",
    "embedder": "vpa_desktop.rag.embedder_process",
    "reranker": "vpa_desktop.rag.reranker_process",
    "sentence-transformers": "vpa_desktop.rag.sentence_process",
    "pages": "vpa_desktop.rag.page_process",
}
_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    # numpy's threads take a tenth of a second to start, and no child does linear algebra with it.
    "OPENBLAS_NUM_THREADS": "1",
    # One heap for all threads of a child (glibc): only one of them works, and each heap keeps megabytes for itself.
    "MALLOC_ARENA_MAX": "1",
}
_HEADER = struct.Struct("!BI")
_OK, _REFUSED, _CRASHED = 0, 1, 2
_MAX_FRAME_BYTES = 256 * 1024 * 1024

Handler = Callable[[bytes], bytes]


class WorkerDied(Exception):
    """The child ended, was killed at its deadline, or broke the protocol; translated by whoever asked it."""

    def __init__(self, reason: str, *, timed_out: bool = False, signal: int = 0) -> None:
        super().__init__(reason)
        self.timed_out = timed_out
        self.signal = signal


class Worker:
    """The parent's end: one child, started at the first request, given back when idle. Thread-safe, blocking."""

    def __init__(self, name: str, arguments: Sequence[str] = (), *, idle_s: float = 60.0) -> None:
        self._command = child_command("worker", [name, *arguments])
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._idle_timer: threading.Timer | None = None
        self._used_at = 0.0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id, None where none runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Starts the child if none runs, without waiting for it; the first request needs not do it then."""
        if self._lock.acquire(blocking=False):
            try:
                if not self._closed and self._process is None:
                    self._running()
                    self._used()
            finally:
                self._lock.release()

    def request(self, payload: bytes, timeout_s: float) -> bytes:
        """Sends one request and waits for its answer.

        Raises WorkerDied when the child dies or the time is over, and the VPAError the child refused with.
        """
        with self._lock:
            if self._closed:
                raise WorkerDied("it was closed")
            process = self._running()
            try:
                status, reply = self._exchange(process, payload, timeout_s)
            except BaseException:
                self._end()
                raise
            if status == _CRASHED:
                self._end()
                raise WorkerDied(reply.decode("utf-8", "replace"))
            self._used()
        if status == _REFUSED:
            raise _error_from(reply)
        return reply

    def close(self) -> None:
        """Ends the child now, also in the middle of a request, and accepts no more."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._cancel_idle_timer()
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(_ENVIRONMENT),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], payload: bytes, timeout_s: float) -> tuple[int, bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            process.kill()

        deadline = threading.Timer(timeout_s, stop)
        deadline.daemon = True
        deadline.start()
        frame: tuple[int, bytes] | None = None
        try:
            _write_frame(process.stdin, _OK, payload)
            frame = _read_frame(process.stdout)
        except OSError:
            frame = None
        finally:
            deadline.cancel()
        if frame is None:
            code = process.wait()
            raise WorkerDied("it ended early", timed_out=timed_out.is_set(), signal=-code if code < 0 else 0)
        return frame

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not flushed to a dead child
                    continue

    def _used(self) -> None:
        """Starts the time anew after which the child is given back. One timer looks: one a request costs a thread."""
        self._used_at = time.monotonic()
        if self._idle_timer is None:
            self._look_in(self._idle_s)

    def _look_in(self, seconds: float) -> None:
        self._idle_timer = threading.Timer(seconds, self._give_back)
        self._idle_timer.daemon = True
        self._idle_timer.start()

    def _cancel_idle_timer(self) -> None:
        timer, self._idle_timer = self._idle_timer, None
        if timer is not None:
            timer.cancel()

    def _give_back(self) -> None:
        with self._lock:  # a request that is under way is waited for: it starts the time anew
            if threading.current_thread() is not self._idle_timer:
                return
            self._idle_timer = None
            left = self._used_at + self._idle_s - time.monotonic()
            if left > 0:
                self._look_in(left)
            else:
                self._end()


def serve(handle: Handler) -> None:
    """The child's end: answers requests until the parent closes the pipe.

    Standard output is kept for frames alone: what a C library prints goes to standard error.
    """
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while (frame := _read_frame(source)) is not None:
        try:
            status, reply = _OK, handle(frame[1])
        except VPAError as refused:
            status, reply = _REFUSED, _error_bytes(refused)
        except MemoryError:
            _write_frame(sink, _REFUSED, _error_bytes(KnowledgeError("It needs more memory than it may have")))
            return
        except BaseException as crash:
            _write_frame(sink, _CRASHED, f"{type(crash).__name__}: {crash}".encode())
            raise
        _write_frame(sink, status, reply)


def main(arguments: Sequence[str]) -> int:
    """Runs the worker named first; the rest are its own arguments. The one entry of every child process."""
    name, *rest = arguments
    make_handler = importlib.import_module(_WORKERS[name]).make_handler
    handle = make_handler(rest)
    give_back_memory()
    serve(handle)
    return 0


def _write_frame(sink: IO[bytes], status: int, payload: bytes) -> None:
    sink.write(_HEADER.pack(status, len(payload)))
    sink.write(payload)
    sink.flush()


def _read_frame(source: IO[bytes]) -> tuple[int, bytes] | None:
    header = source.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    status, length = _HEADER.unpack(header)
    if length > _MAX_FRAME_BYTES:
        return None
    payload = source.read(length)
    return (status, payload) if len(payload) == length else None


def _error_bytes(error: VPAError) -> bytes:
    return json.dumps([type(error).__name__, error.what, error.why, error.next_step]).encode()


def _error_from(reply: bytes) -> VPAError:
    name, what, why, next_step = json.loads(reply)
    kind = getattr(errors, name, KnowledgeError)
    if not (isinstance(kind, type) and issubclass(kind, KnowledgeError)):
        kind = KnowledgeError
    return kind(what, why, next_step)
