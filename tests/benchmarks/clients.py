"""The clients that tests/benchmarks/providers.py compares, each behind the same two calls. Not a library of ours.

Runs as a process of its own, since the peers live in an environment of their own:
python -m tests.benchmarks.clients NAME, then one JSON command a line on stdin, one JSON result a line on stdout.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from vpa_desktop.providers._http import HttpSession
    from vpa_desktop.providers.base import BaseLLMProvider

QUESTION: Final = [{"role": "user", "content": "Say one word."}]
BODY: Final = {"model": "stub", "messages": QUESTION}
KEY: Final = "sk-benchmark-0000"


class Client:
    """One client at one address. ``whole`` returns the text of an answer, ``stream`` reads one and returns its text."""

    def __init__(self, base: str) -> None:
        self.base = base

    async def whole(self) -> str:
        raise NotImplementedError

    async def stream(self) -> str:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Give everything back."""


class Floor(Client):
    """A raw socket that sends prepared bytes and looks for the end: what the server and the kernel cost."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        host, _, path = base.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        self.sock = socket.create_connection((name, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = json.dumps(BODY).encode()
        self.sent = (
            f"POST /{path}/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        )

    async def whole(self) -> str:
        self.sock.sendall(self.sent)
        got = self.sock.recv(65536)
        end = got.index(b"\r\n\r\n") + 4
        size = int(got.split(b"content-length: ")[1].split(b"\r\n", 1)[0])
        while len(got) < end + size:
            got += self.sock.recv(65536)
        return "token " if b"token" in got else ""

    async def aclose(self) -> None:
        self.sock.close()


class RawHttpx(Client):
    """httpx as its documentation shows it: one AsyncClient with its own transport, kept."""

    def __init__(self, base: str) -> None:
        import httpx

        super().__init__(base)
        self.client = httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
        self.url = base + "/chat/completions"

    async def whole(self) -> str:
        reply = await self.client.post(self.url, json=BODY)
        return str(reply.json()["choices"][0]["message"]["content"])

    async def stream(self) -> str:
        text = []
        asked = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
        async with self.client.stream("POST", self.url, json=asked) as reply:
            async for line in reply.aiter_lines():
                if not line.startswith("data: ") or line == "data: [DONE]":
                    continue
                for choice in json.loads(line[6:])["choices"]:
                    text.append(choice["delta"].get("content") or "")
        return "".join(text)

    async def aclose(self) -> None:
        await self.client.aclose()


class OpenAISDK(Client):
    """The openai SDK with its own defaults, no retries."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.client = importlib.import_module("openai").AsyncOpenAI(api_key=KEY, base_url=base, max_retries=0)

    async def whole(self) -> str:
        answer = await self.client.chat.completions.create(**BODY)
        return str(answer.choices[0].message.content)

    async def stream(self) -> str:
        stream = await self.client.chat.completions.create(**BODY, stream=True, stream_options={"include_usage": True})
        return "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])

    async def aclose(self) -> None:
        await self.client.close()


class LiteLLM(Client):
    """litellm.acompletion, in its favour: no retries, silent; ``processes`` has it read its own price map."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.litellm: Any = importlib.import_module("litellm")
        vars(self.litellm).update(suppress_debug_info=True, telemetry=False)
        self.ask = self.make()

    def make(self) -> Callable[..., Awaitable[Any]]:
        async def ask(**options: Any) -> Any:
            return await self.litellm.acompletion(
                model="openai/stub", messages=QUESTION, api_key=KEY, api_base=self.base, max_retries=0, **options
            )

        return ask

    async def whole(self) -> str:
        answer = await self.ask()
        return str(answer.choices[0].message.content)

    async def stream(self) -> str:
        stream = await self.ask(stream=True, stream_options={"include_usage": True})
        return "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])

    async def aclose(self) -> None:
        close = getattr(self.litellm, "close_litellm_async_clients", None)
        if close is not None:
            await close()


class LiteLLMRouter(LiteLLM):
    """litellm.Router with one deployment: the peer of our gateway."""

    def make(self) -> Callable[..., Awaitable[Any]]:
        parameters = {"model": "openai/stub", "api_key": KEY, "api_base": self.base, "max_retries": 0}
        router = self.litellm.Router(
            model_list=[{"model_name": "stub", "litellm_params": parameters}], num_retries=0, disable_cooldowns=True
        )

        async def ask(**options: Any) -> Any:
            return await router.acompletion(model="stub", messages=QUESTION, **options)

        return ask


def our_provider(base: str, http: HttpSession, name: str = "stub") -> BaseLLMProvider:
    """One of our providers, which asks once."""
    from vpa_desktop.catalog import LLMProviderConfig
    from vpa_desktop.providers import build_provider

    config = LLMProviderConfig(
        "openai_compatible", "stub", api_key=KEY, provider_id=name, api_endpoint=base, max_retries=0
    )
    return build_provider(config, http)


class Ours(Client):
    """One of our providers, asked without the gateway. It always streams; a whole answer is a stream put together."""

    def __init__(self, base: str, http: HttpSession | None = None) -> None:
        from vpa_desktop.messages import LLMRequest, Message
        from vpa_desktop.providers._http import HttpSession

        super().__init__(base)
        self.http = http or HttpSession()
        self.provider = our_provider(base, self.http)
        self.request = LLMRequest((Message("user", "Say one word."),))

    async def whole(self) -> str:
        return (await self.provider.generate(self.request)).content

    async def stream(self) -> str:
        from vpa_desktop.messages import TextDelta

        return "".join([event.text async for event in self.provider.stream(self.request) if type(event) is TextDelta])

    async def aclose(self) -> None:
        await self.http.aclose()


class OurGateway(Ours):
    """The same through LLMProviderManager: route, breaker, budget, price and receipt."""

    def __init__(self, base: str) -> None:
        from vpa_desktop.gateway.manager import LLMProviderManager

        super().__init__(base)
        self.manager = LLMProviderManager()
        self.manager.register_provider("stub", self.provider)

    async def whole(self) -> str:
        return (await self.manager.generate(self.request)).content

    async def stream(self) -> str:
        from vpa_desktop.messages import TextDelta

        return "".join([event.text async for event in self.manager.stream(self.request) if type(event) is TextDelta])


CLIENTS: Final[dict[str, tuple[type[Client], str]]] = {
    "floor": (Floor, "json"),
    "ours": (Ours, "vpa_desktop"),
    "gateway": (OurGateway, "vpa_desktop"),
    "httpx": (RawHttpx, "httpx"),
    "openai": (OpenAISDK, "openai"),
    "litellm": (LiteLLM, "litellm"),
    "router": (LiteLLMRouter, "litellm"),
}
"""Each client and the package it needs."""


async def sequential(client: Client, count: int) -> dict[str, Any]:
    """Ask for small whole answers one after another; microseconds each."""
    found = []
    for _ in range(count):
        started = time.perf_counter()
        assert await client.whole() == "token "
        found.append((time.perf_counter() - started) * 1e6)
    return {"us": found}


async def parallel(client: Client, workers: int, each: int) -> dict[str, Any]:
    """Ask with so many at once; requests a second, and milliseconds each."""
    found: list[float] = []

    async def work() -> None:
        for _ in range(each):
            started = time.perf_counter()
            assert await client.whole() == "token "
            found.append((time.perf_counter() - started) * 1000)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return {"per_s": workers * each / (time.perf_counter() - started), "ms": found}


async def streams(client: Client, at_once: int, each: int, tokens: int) -> dict[str, Any]:
    """Read streams; processor time for each token, microseconds."""

    async def work() -> None:
        for _ in range(each):
            assert len(await client.stream()) == tokens * len("token ")

    started = time.process_time()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return {"us": (time.process_time() - started) * 1e6 / (at_once * each * tokens)}


Case = Callable[..., Awaitable[dict[str, Any]]]


class Closing(Protocol):
    """What can give everything back."""

    async def aclose(self) -> None: ...


C = TypeVar("C", bound=Closing)


async def obey(make: Callable[[str], C], cases: dict[str, Case]) -> None:
    """Obey the commands on stdin: ["case", "address", more...]. One client per address, kept."""
    clients: dict[str, C] = {}
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        what, base, *more = json.loads(line)
        client = clients.get(base) or clients.setdefault(base, make(base))
        gc.collect()
        print(json.dumps(await cases[what](client, *more)), flush=True)
    for client in clients.values():
        await client.aclose()


def start(make: Callable[[str], Closing], package: str, cases: dict[str, Case]) -> None:
    """Say whether the package is there, then obey."""
    try:
        importlib.import_module(package)
    except ImportError:
        print(json.dumps({"missing": package}), flush=True)
    else:
        print(json.dumps({"ready": True}), flush=True)
        asyncio.run(obey(make, cases))


if __name__ == "__main__":
    start(*CLIENTS[sys.argv[1]], {"sequential": sequential, "parallel": parallel, "streams": streams})
