"""What the local endpoint costs, against our gateway asked directly and LiteLLM proxy, at one loopback server.

Run: python -m tests.benchmarks.serve [--proxy LITELLM] [--rounds N] [--at-once N]. LITELLM is the ``litellm`` command
of an environment that has ``litellm[proxy]``; it is left out where there is none. All are asked by the same raw
client, in turns; memory is the resident set of each process by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from tests.benchmarks.processes import ROOT, percentile
from tests.benchmarks.processes import serve as stub_server
from vpa_desktop.config import Paths
from vpa_desktop.messages import LLMRequest, Message
from vpa_desktop.serve.listening import raise_file_limit
from vpa_desktop.system import System, build_system

KEY: Final = "sk-benchmark-0000"
BODY: Final = {"model": "stub", "messages": [{"role": "user", "content": "Say one word."}]}
UP_WITHIN_S: Final = 120.0


@dataclass
class Server:
    """Something that answers chat completions, and the process it is in."""

    name: str
    port: int
    path: str
    token: str = KEY
    pid: int = 0
    model: str = "stub"

    @property
    def memory_mb(self) -> float:
        """The resident set of the process."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6


@dataclass
class Load:
    """One connection that is kept; asks one request after another."""

    server: Server
    streams: bool = False
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    times_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def ask(self) -> None:
        """Ask once; the time, or the error."""
        started = time.perf_counter()
        try:
            if self.writer is None or self.writer.is_closing():
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.server.port)
            body = json.dumps({**BODY, "model": self.server.model, "stream": self.streams}).encode()
            head = f"POST {self.server.path}/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            head += f"authorization: Bearer {self.server.token}\r\ncontent-type: application/json\r\n"
            self.writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            answer = await self._read()
            if b"token " not in answer or (self.streams and b"[DONE]" not in answer):
                self.errors.append(answer[:200].decode(errors="replace"))
        except (OSError, asyncio.IncompleteReadError) as exc:
            self.errors.append(repr(exc))
            self.writer = None
        self.times_ms.append((time.perf_counter() - started) * 1000)

    async def _read(self) -> bytes:
        assert self.reader is not None
        head = await self.reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return await self.reader.readexactly(int(line[15:]))
        found = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            found += await self.reader.readexactly(size + 2)
        await self.reader.readexactly(2)
        return found

    def close(self) -> None:
        """Hang up."""
        if self.writer is not None:
            self.writer.close()


async def sequential(server: Server, count: int) -> float:
    """The median of small whole answers, milliseconds."""
    load = Load(server)
    for _ in range(count):
        await load.ask()
    load.close()
    assert not load.errors, load.errors[0]
    return statistics.median(load.times_ms)


async def crowd(server: Server, at_once: int, *, streams: bool) -> dict[str, Any]:
    """So many at once, each on a connection of its own."""
    loads = [Load(server, streams) for _ in range(at_once)]
    started = time.perf_counter()
    await asyncio.gather(*(load.ask() for load in loads))
    took_s = time.perf_counter() - started
    for load in loads:
        load.close()
    times = [ms for load in loads for ms in load.times_ms]
    errors = [error for load in loads for error in load.errors]
    return {"s": took_s, "p50": statistics.median(times), "p99": percentile(times, 0.99), "errors": errors}


async def direct(system: System, count: int) -> float:
    """Our gateway in a process that has it: the median of whole answers, milliseconds."""
    request = LLMRequest((Message("user", "Say one word."),))
    found = []
    for _ in range(count):
        started = time.perf_counter()
        await system.manager.generate(request)
        found.append((time.perf_counter() - started) * 1000)
    return statistics.median(found)


def settings_for(stub: str) -> str:
    """One provider at the stub."""
    return f'[providers.stub]\nkind = "openai_compatible"\nmodel = "stub"\napi_endpoint = "{stub}"\n' + (
        'timeout_s = 120.0\n[providers.local]\nkind = "mock"\nenabled = false\n[cache]\nenabled = false\n'
    )


def _home_with(home: Path, settings: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.toml").write_text(settings, encoding="utf-8")


@contextmanager
def our_server(home: Path, stub: str) -> Iterator[Server]:
    """``vpa-desktop serve`` as a process."""
    _home_with(home, settings_for(stub))
    environment = {**os.environ, "VPA_HOME": str(home), "VPA_VAULT": "memory", "VPA_KEY_STUB": KEY}
    run = [sys.executable, "-m", "vpa_desktop", "serve"]
    token = subprocess.run(
        [*run, "--show-token"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    with subprocess.Popen(
        [*run, "--port", "0"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[2]
        try:
            yield Server("VPA Desktop serve", int(url.rpartition(":")[2].split("/")[0]), "/v1", token, process.pid)
        finally:
            process.terminate()


@contextmanager
def litellm_proxy(command: str, folder: Path, stub: str) -> Iterator[Server | None]:
    """LiteLLM proxy with one deployment, no database, no retries; None where it is not there or does not come up."""
    if not command:
        yield None
        return
    config = folder / "litellm.yaml"
    config.write_text(
        "model_list:\n  - model_name: stub\n    litellm_params:\n      model: openai/stub\n"
        f"      api_base: {stub}\n      api_key: {KEY}\nlitellm_settings:\n  num_retries: 0\n  telemetry: false\n"
        f"general_settings:\n  master_key: {KEY}\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with subprocess.Popen(
        [command, "--config", str(config), "--port", str(port), "--host", "127.0.0.1"],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + UP_WITHIN_S
        is_up = False
        while not is_up and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.5)
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                is_up = True
        try:
            yield Server("LiteLLM proxy", port, "/v1", KEY, process.pid) if is_up else None
        finally:
            process.terminate()


async def compare(home: Path, stub: Server, base: str, servers: dict[str, Server], at_once: int, rounds: int) -> None:
    """Ask all in turns and print the tables."""
    _home_with(home, settings_for(base))
    system = await build_system(Paths(home, home / "settings.toml"), environ={"VPA_VAULT": "memory"})
    try:
        await system.keys_ready()
        await one_by_one(system, stub, servers, rounds)
    finally:
        await system.aclose()
    for streams in (False, True):
        print(f"\n{at_once} at once, {'streams' if streams else 'whole answers'}")
        for name, server in servers.items():
            for n in (1, 2, 3):
                before = server.memory_mb
                result = await crowd(server, at_once, streams=streams)
                errors = result["errors"]
                print(
                    f"  {name:24} run {n}: {result['s']:6.2f} s, p50 {result['p50']:7.0f} ms, "
                    f"p99 {result['p99']:7.0f} ms, {len(errors)} errors, {before:.0f} -> {server.memory_mb:.0f} MB"
                )
                if errors:
                    print(f"    first error: {errors[0]}")


async def one_by_one(system: System, stub: Server, servers: dict[str, Server], rounds: int) -> None:
    """Small whole answers one after another."""
    every = {"stub": stub, **servers}
    found: dict[str, list[float]] = {"our gateway, asked directly": [], **{name: [] for name in every}}
    for n in range(rounds + 1):
        times = {name: await sequential(server, 100) for name, server in every.items()}
        times["our gateway, asked directly"] = await direct(system, 100)
        if n:
            for name, value in times.items():
                found[name].append(value)
    floor = statistics.median(found["stub"])
    print("One small answer after another, p50")
    for name, values in found.items():
        median = statistics.median(values)
        print(f"  {name:28} {median:8.3f} ms, {median - floor:8.3f} ms over the stub")


def main(proxy: str, rounds: int, at_once: int) -> None:
    """Measure everything."""
    raise_file_limit()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = stub_server(stack)[0]
        base = f"http://127.0.0.1:{port}/0/1/0/v1"
        ours = stack.enter_context(our_server(folder / "home", base))
        servers = {ours.name: ours}
        peer = stack.enter_context(litellm_proxy(proxy, folder, base))
        if peer is not None:
            servers[peer.name] = peer
        else:
            print("LiteLLM proxy: not run\n")
        stub = Server("stub", port, "/0/1/0/v1")
        asyncio.run(compare(folder / "direct", stub, base, servers, at_once, rounds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proxy", default="", help="the litellm command of an environment that has litellm[proxy]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=1_000)
    arguments = parser.parse_args()
    main(arguments.proxy, arguments.rounds, arguments.at_once)
