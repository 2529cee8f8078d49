"""The routers that tests/benchmarks/router.py compares: a first provider, a second one behind it.

Each is a process of its own, obeying commands as tests/benchmarks/clients.py says. Nobody retries, nobody calls home.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from tests.benchmarks.clients import KEY, QUESTION, Case, Client, LiteLLM, OpenAISDK, Ours, our_provider, start
from tests.benchmarks.processes import FOLDER, percentile

if TYPE_CHECKING:
    from vpa_desktop.gateway.budget import Ledger
    from vpa_desktop.providers._http import HttpSession
    from vpa_desktop.storage.database import Database

PROMPT: Final = str(QUESTION[0]["content"])
FIRST_WORDS: Final = 6
"""Letters in an answer of the first provider, "token "; the second one says more."""


class Route(Client):
    """A router over two addresses."""

    def within(self, conversation: str) -> Callable[[], Awaitable[str]]:
        """``whole`` as a part of a conversation, where the router knows of such."""
        return self.whole

    def forget(self) -> None:
        """Forget the failures so far, where they would keep the next request away."""


@cache
def session() -> HttpSession:
    """The one that all of our providers share."""
    from vpa_desktop.providers._http import HttpSession

    return HttpSession()


class OurRoute(Route):
    """LLMProviderManager over two providers."""

    def __init__(self, first: str, second: str, ledger: Ledger | None = None, db: Database | None = None) -> None:
        from vpa_desktop.gateway.manager import LLMProviderManager
        from vpa_desktop.messages import LLMRequest, Message

        super().__init__(first)
        self.db = db
        self.manager = LLMProviderManager(ledger=ledger)
        self.manager.register_provider("a", our_provider(first, session(), "a"))
        self.manager.register_provider("b", our_provider(second, session(), "b"))
        self.request = LLMRequest((Message("user", PROMPT),))

    async def whole(self) -> str:
        return (await self.manager.generate(self.request)).content

    def within(self, conversation: str) -> Callable[[], Awaitable[str]]:
        request = replace(self.request, conversation_id=conversation)

        async def ask() -> str:
            return (await self.manager.generate(request)).content

        return ask

    async def stream(self) -> str:
        from vpa_desktop.messages import TextDelta

        return "".join([event.text async for event in self.manager.stream(self.request) if type(event) is TextDelta])

    async def first_word_ms(self) -> float:
        """Read an answer; how long its first word took."""
        from vpa_desktop.messages import TextDelta

        started, found = time.perf_counter(), 0.0
        async with aclosing(self.manager.stream(self.request)) as events:
            async for event in events:
                if not found and type(event) is TextDelta:
                    found = (time.perf_counter() - started) * 1000
        return found

    def forget(self) -> None:
        # A threshold alone would not do: half of ten requests failing opens it too.
        self.manager.enable_circuit_breaker(1_000_000)

    async def aclose(self) -> None:
        if self.db is not None:
            await self.db.aclose()


class LiteLLMRoute(LiteLLM, Route):
    """litellm.Router in the usual layout: a group for each provider, the second one as the fallback."""

    def __init__(self, first: str, second: str) -> None:
        self.addresses = {"a": first, "b": second}
        super().__init__(first)

    def make(self) -> Callable[..., Awaitable[Any]]:
        groups = [
            {
                "model_name": name,
                "litellm_params": {"model": "openai/stub", "api_key": KEY, "api_base": base, "max_retries": 0},
            }
            for name, base in self.addresses.items()
        ]
        router = self.litellm.Router(model_list=groups, fallbacks=[{"a": ["b"]}], num_retries=0)

        async def ask(**options: Any) -> Any:
            return await router.acompletion(model="a", messages=QUESTION, **options)

        return ask


class PydanticRoute(Route):
    """pydantic-ai's FallbackModel, asked directly: an agent would only add to it."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        chat = importlib.import_module("pydantic_ai.models.openai").OpenAIChatModel
        provider = importlib.import_module("pydantic_ai.providers.openai").OpenAIProvider
        both = [chat("stub", provider=provider(openai_client=OpenAISDK(base).client)) for base in (first, second)]
        self.model = importlib.import_module("pydantic_ai.models.fallback").FallbackModel(*both)
        self.direct = importlib.import_module("pydantic_ai.direct")
        self.messages = [importlib.import_module("pydantic_ai").ModelRequest.user_text_prompt(PROMPT)]

    async def whole(self) -> str:
        return str((await self.direct.model_request(self.model, self.messages)).text)

    async def stream(self) -> str:
        async with self.direct.model_request_stream(self.model, self.messages) as events:
            async for _ in events:
                pass
            return str(events.get().text)


class LangChainRoute(Route):
    """LangChain's with_fallbacks."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        chat = importlib.import_module("langchain_openai").ChatOpenAI
        a, b = (chat(model="stub", api_key=KEY, base_url=base, max_retries=0) for base in (first, second))
        self.chain = a.with_fallbacks([b])

    async def whole(self) -> str:
        return str((await self.chain.ainvoke(PROMPT)).content)

    async def stream(self) -> str:
        return "".join([piece.content async for piece in self.chain.astream(PROMPT)])


async def on_disk(first: str, second: str) -> Route:
    """Ours with a usage ledger in a database of its own."""
    from vpa_desktop.storage.database import Database
    from vpa_desktop.storage.usage import UsageLedger

    folder = Path(tempfile.mkdtemp(dir=os.environ[FOLDER]))
    db = await Database.open(folder / "vpa.db", backups=folder / "backups")
    return OurRoute(first, second, UsageLedger(db), db)


class Bench:
    """One router over any two paths of the stub, and raw calls beside it."""

    def __init__(self, host: str, make: Callable[[str, str], Route | Awaitable[Route]], raw: type[Client]) -> None:
        self._host = host
        self._make = make
        self._raw = raw
        self._clients: dict[tuple[str, ...], Client] = {}

    def raw(self, path: str) -> Client:
        """A client of one path without a router; kept."""
        if (path,) not in self._clients:
            self._clients[path,] = self._raw(f"{self._host}/{path}/v1")
        return self._clients[path,]

    async def route(self, first: str, second: str) -> Route:
        """The router over these two paths; kept."""
        route = self._clients.get((first, second))
        if route is None:
            made = self._make(f"{self._host}/{first}/v1", f"{self._host}/{second}/v1")
            route = self._clients[first, second] = made if isinstance(made, Route) else await made
        assert isinstance(route, Route)
        return route

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()


class OurRaw(Ours):
    """Our provider without the router, on the connections that the router uses too."""

    def __init__(self, base: str) -> None:
        super().__init__(base, session())


async def timed(work: Awaitable[str]) -> tuple[float, str]:
    """Microseconds, and the answer; for one that failed, its error's name after a "!"."""
    started = time.perf_counter()
    (found,) = await asyncio.gather(work, return_exceptions=True)
    us = (time.perf_counter() - started) * 1e6
    return us, f"!{type(found).__name__}" if isinstance(found, BaseException) else found


async def added(bench: Bench, path: str, count: int) -> dict[str, Any]:
    """Ask raw and through the router one by one; medians in microseconds, ``added`` and ``cpu`` of the differences."""
    raw, route = bench.raw(path), await bench.route(path, path)
    found: dict[Client, list[tuple[float, float]]] = {raw: [], route: []}
    for n in range(count):
        for client in (raw, route) if n % 2 else (route, raw):
            started, worked = time.perf_counter(), time.process_time()
            assert await client.whole() == "token "
            found[client].append(((time.perf_counter() - started) * 1e6, (time.process_time() - worked) * 1e6))
    pairs = list(zip(found[raw], found[route], strict=True))
    return {
        "raw": median(plain for (plain, _), _ in pairs),
        "routed": median(routed for _, (routed, _) in pairs),
        "added": median(routed - plain for (plain, _), (routed, _) in pairs),
        "cpu": median(routed - plain for (_, plain), (_, routed) in pairs),
    }


async def failover(bench: Bench, bad: str, good: str, count: int) -> dict[str, Any]:
    """Ask a well router, the failing provider itself, and a router that has to fail over, one by one."""
    well, refused, route = await bench.route(good, good), bench.raw(bad), await bench.route(bad, good)
    found: list[tuple[float, float, float]] = []
    for _ in range(count):
        route.forget()
        (own, _), (refusal, error), (total, text) = [await timed(c.whole()) for c in (well, refused, route)]
        assert error.startswith("!")
        assert text == "token "
        found.append((total, total - own, total - own - refusal))
    return dict(zip(("total", "over_own", "added"), map(median, zip(*found, strict=True)), strict=True))


async def ask(bench: Bench, first: str, second: str, count: int, at_once: bool) -> dict[str, Any]:
    """Ask so often, in a row or all at once; how many failed."""
    route = await bench.route(first, second)
    if at_once:
        answers = await asyncio.gather(*(timed(route.whole()) for _ in range(count)))
    else:
        answers = [await timed(route.whole()) for _ in range(count)]
    return {"errors": sum(text.startswith("!") for _, text in answers)}


async def recovery(bench: Bench, outages: list[tuple[str, float]], second: str, every_s: float) -> dict[str, Any]:
    """Ask every few moments while the first provider is down; seconds until it is back in use after it is well."""

    async def follow(first: str, down_s: float) -> float:
        route = await bench.route(first, second)
        started, in_a_row, back = time.monotonic(), 0, 0.0
        while in_a_row < 5:
            _, text = await timed(route.whole())
            now = time.monotonic() - started - down_s
            in_a_row = in_a_row + 1 if len(text) == FIRST_WORDS else 0
            back = now if in_a_row == 1 else back
            if now > 60:
                return now
            await asyncio.sleep(every_s)
        return back

    return {"back_s": await asyncio.gather(*(follow(first, down_s) for first, down_s in outages))}


async def crowd(bench: Bench, path: str, conversations: int, each: int, times: int) -> dict[str, Any]:
    """Ask from many conversations at once, raw first; milliseconds, the slowest of any conversation among them."""
    raw, route = bench.raw(path), await bench.route(path, path)
    plain = await _at_once([raw.whole] * (conversations * each), times)
    found = await _at_once(
        [route.within(f"conversation-{n % conversations}") for n in range(conversations * each)], times
    )
    return {"raw_p99": plain["p99"], **found}


async def _at_once(calls: list[Callable[[], Awaitable[str]]], times: int) -> dict[str, Any]:
    found: list[tuple[float, str]] = []

    async def work(call: Callable[[], Awaitable[str]]) -> None:
        for _ in range(times):
            found.append(await timed(call()))

    started = time.perf_counter()
    await asyncio.gather(*map(work, calls))
    per_s = len(found) / (time.perf_counter() - started)
    ms = [us / 1000 for us, _ in found]
    errors = sum(text != "token " for _, text in found)
    return {"per_s": per_s, "p99": percentile(ms, 0.99), "slowest": max(ms), "errors": errors}


async def first_words(bench: Bench, first: str, second: str, count: int, at_once: int, share: float) -> dict[str, Any]:
    """Ask ours from several workers, with a hedge for this share of requests; milliseconds to the first word."""
    route = await bench.route(first, second)
    assert isinstance(route, OurRoute)
    route.manager.routing = replace(route.manager.routing, hedge_first_token=share > 0, hedge_share=share)
    found: list[float] = []

    async def work() -> None:
        for _ in range(count // at_once):
            found.append(await route.first_word_ms())

    await asyncio.gather(*(work() for _ in range(at_once)))
    return {"ms": found}


async def truncated(bench: Bench, first: str, second: str) -> dict[str, Any]:
    """Ask one that ends in good order too soon; what is said of it, raw and by the router."""
    route = await bench.route(first, second)
    return {"raw": (await timed(bench.raw(first).stream()))[1], "routed": (await timed(route.stream()))[1]}


KINDS: Final[dict[str, tuple[Callable[[str, str], Route | Awaitable[Route]], type[Client], str]]] = {
    "ours": (OurRoute, OurRaw, "vpa_desktop"),
    "disk": (on_disk, OurRaw, "vpa_desktop"),
    "litellm": (LiteLLMRoute, OpenAISDK, "litellm"),
    "pydantic": (PydanticRoute, OpenAISDK, "pydantic_ai"),
    "langchain": (LangChainRoute, OpenAISDK, "langchain_openai"),
}
"""Each router, the raw call it stands upon, and the package it needs."""

CASES: Final[dict[str, Case]] = {
    case.__name__: case for case in (added, failover, ask, recovery, crowd, first_words, truncated)
}


if __name__ == "__main__":
    make, raw, package = KINDS[sys.argv[1]]
    start(lambda host: Bench(host, make, raw), package, CASES)
