"""The endpoint over a real system on a real socket, and the official client to ask it. No test is here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
from openai import AsyncOpenAI

from tests.providers.rawserver import RawServer
from vpa_desktop.cli.serve import endpoint_of
from vpa_desktop.config import Paths
from vpa_desktop.security.audit import AuditEntry, AuditLog
from vpa_desktop.serve.endpoint import Endpoint
from vpa_desktop.serve.listening import Listener, open_socket, url_of
from vpa_desktop.serve.tokens import TokenFile
from vpa_desktop.system import System, build_system


@dataclass
class House:
    """Where it listens, what opens it, and what is behind it."""

    url: str
    token: str
    client: AsyncOpenAI
    system: System
    endpoint: Endpoint
    listener: Listener
    tokens: TokenFile

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rpartition(":")[2].partition("/")[0])

    async def audit(self, count: int = 1) -> list[AuditEntry]:
        """The entries of requests, oldest first; waits for so many."""
        for _ in range(200):
            found = [e for e in await AuditLog(self.system.db).entries() if e.action == "serve"]
            if len(found) >= count:
                return found[::-1]
            await asyncio.sleep(0.01)
        raise AssertionError(f"there are {len(found)} entries, not {count}")

    async def must_be_empty(self) -> None:
        """Wait until nothing is under way; nothing is held then either."""
        room = self.endpoint.room
        for _ in range(200):
            if not room.at_once:
                break
            await asyncio.sleep(0.01)
        assert (room.at_once, room.held_bytes, self.endpoint.under_way.running) == (0, 0, {})

    async def raw(self, data: bytes, *, wait_s: float = 5) -> bytes:
        """Send bytes and return all that comes until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            return await asyncio.wait_for(reader.read(), wait_s)
        finally:
            writer.close()

    async def ask(
        self, body: Any, *, method: str = "POST", path: str = "/v1/chat/completions", **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Send one request by hand; returns status, headers and the document."""
        sent = {
            "host": f"127.0.0.1:{self.port}",
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            "connection": "close",
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
        length = f"content-length: {len(data)}\r\n"
        answer = await self.raw(f"{method} {path} HTTP/1.1\r\n{head}{length}\r\n".encode() + data)
        first, _, document = answer.partition(b"\r\n\r\n")
        status, *lines = first.decode().split("\r\n")
        found = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(status.split()[1]), found, json.loads(document)


def settings_of(*servers: RawServer, more: str = "") -> str:
    """Settings with the providers a, b, ... at these servers, asked in that order."""
    names = "abcdef"[: len(servers)]
    providers = [
        f'[providers.{name}]\nkind = "openai_compatible"\nmodel = "m"\nmax_retries = 0\n'
        f'api_endpoint = "{server.url}/v1"\ninput_cost_per_million = 1000.0\noutput_cost_per_million = 1000.0\n'
        for name, server in zip(names, servers, strict=True)
    ]
    if "[cache]" not in more:  # what is asked here is asked of the servers each time
        more += "\n[cache]\nenabled = false\n"
    chain = ", ".join(f'"{name}"' for name in names)
    return "\n".join([*providers, "[providers.local]", 'kind = "mock"', "enabled = false",
                      f"[routing]\nfailover_chain = [{chain}]", more])  # fmt: skip


def _written(home: Path, settings: str) -> Paths:
    home.mkdir(parents=True, exist_ok=True)
    (home / "settings.toml").write_text(settings, encoding="utf-8")
    return Paths(home, home / "settings.toml")


@asynccontextmanager
async def open_house(home: Path, settings: str, *, grace_s: float = 0.3) -> AsyncIterator[House]:
    """Run the endpoint for the length of a block."""
    paths = _written(home, settings)
    system = await build_system(paths)
    try:
        await system.keys_ready()
        assert system.problems == ()
        tokens = TokenFile(paths.serve_tokens)
        endpoint = endpoint_of(system, tokens)
        sock = open_socket("127.0.0.1", 0)
        listener = Listener(endpoint, sock, grace_s=grace_s)
        up = asyncio.Event()

        async def ready() -> None:
            up.set()

        running = asyncio.create_task(listener.run(ready))
        await asyncio.wait_for(up.wait(), 10)
        url, token = url_of(sock), tokens.token_of()
        client = AsyncOpenAI(base_url=url, api_key=token, timeout=10)
        try:
            yield House(url, token, client, system, endpoint, listener, tokens)
        finally:
            await client.close()
            listener.stop()
            await asyncio.wait_for(running, 10)
            sock.close()
    finally:
        await system.aclose()


async def until_error(answer: Any) -> tuple[str, openai.APIError | None]:
    """Read a stream of the official client; its text, and the error that ended it."""
    text = ""
    try:
        async for each in answer:
            assert each.choices[0].finish_reason is None
            text += each.choices[0].delta.content or ""
    except openai.APIError as exc:
        return text, exc
    return text, None
