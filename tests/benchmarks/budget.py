"""A hundred requests at once against a limit for ten: what was spent, refused and booked, over real sockets.

Run: python -m tests.benchmarks.budget

The first provider costs nothing and breaks down under the hundred; its twenty streams are slow. All others go on to the
paid one, which reports its usage in every second answer only. Twenty callers go away in the middle of their answer,
sixteen of a free one and four of a paid one.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from tests.providers.rawserver import STREAM_HEAD, Answer, RawServer, chunk, reply, serving
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import BudgetSettings, RoutingSettings
from vpa_desktop.errors import BudgetExceeded
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.gateway.reserving import worst_case_usd
from vpa_desktop.messages import LLMRequest, Message, RouteDone, RouteStarted, TextDelta
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.usage import UsageLedger

REQUESTS = 100
COVERED = 10
TOKENS = 60
QUESTION = LLMRequest((Message("user", "Count to sixty"),), max_tokens=TOKENS)
DOLLARS_A_MILLION = {"free": Decimal(0), "paid": Decimal(10_000)}
LEAVES = {"free": 16, "paid": 4}
END = b"data: [DONE]\n\n"
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":60}}\n\n'


@dataclass
class Run:
    """What came of the hundred."""

    limit_usd: Decimal
    each_usd: Decimal
    answered: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    cancelled: int = 0
    spent_usd: Decimal = Decimal()
    reserved_usd: Decimal = Decimal()
    rows_usd: Decimal = Decimal()
    rows: int = 0
    estimated: int = 0
    most_claimed_usd: Decimal = Decimal()
    asked: dict[str, int] = field(default_factory=dict)
    asked_later: dict[str, int] = field(default_factory=dict)
    hung_up: int = 0
    closed_within_s: float = 0.0
    seconds: float = 0.0


class Upstream:
    """The answers of both servers, and when a client went away in the middle."""

    def __init__(self) -> None:
        self.gone_at: list[float] = []

    def words(self, *, with_usage: bool, pause_s: float) -> Answer:
        """Sixty words, one at a time."""

        async def answer(_: RawServer, writer: asyncio.StreamWriter) -> None:
            writer.write(STREAM_HEAD)
            try:
                for n in range(TOKENS):
                    writer.write(chunk(f"{n} "))
                    await writer.drain()
                    await asyncio.sleep(pause_s)
            except ConnectionError:
                self.gone_at.append(time.perf_counter())
                raise
            writer.write(chunk("", "stop") + (USAGE if with_usage else b"") + END)
            await writer.drain()

        return answer


async def run(folder: Path, *, requests: int = REQUESTS) -> Run:
    """Send them all and return what came of it."""
    upstream = Upstream()
    slow = [upstream.words(with_usage=True, pause_s=0.02)] * 20
    broken = reply("500 Internal Server Error", "application/json", b'{"error":{"message":"overloaded"}}')
    turns = [upstream.words(with_usage=bool(n % 2), pause_s=0.01) for n in range(requests)]
    db = await Database.open(folder / "vpa.db", backups=folder / "backups")
    http = HttpSession()
    try:
        async with serving(*slow, broken) as free, serving(*turns) as paid:
            manager = LLMProviderManager(RoutingSettings(failover_chain=("free", "paid")), ledger=UsageLedger(db))
            for name, server in (("free", free), ("paid", paid)):
                manager.register_provider(name, build_provider(_config(name, server), http))
            result = await _measured(manager, requests, upstream, {"free": free, "paid": paid})
            await manager.aclose()
            return result
    finally:
        await http.aclose()
        await db.aclose()


def _config(name: str, server: RawServer) -> LLMProviderConfig:
    price = DOLLARS_A_MILLION[name]
    return LLMProviderConfig(
        "openai_compatible",
        f"model-{name}",
        provider_id=name,
        api_endpoint=f"{server.url}/v1",
        max_retries=0,
        input_cost_per_million=price,
        output_cost_per_million=price,
    )


async def _measured(
    manager: LLMProviderManager, requests: int, upstream: Upstream, servers: dict[str, RawServer]
) -> Run:
    paid = manager.get_provider("paid")
    assert paid is not None
    each = worst_case_usd(paid, QUESTION, TOKENS)
    assert each is not None
    done = Run(each * COVERED, each)
    manager.budget.settings = BudgetSettings(daily_limit_usd=done.limit_usd)
    leaves, left_at = Counter(LEAVES), [0.0]
    watching = asyncio.create_task(_watch(manager, done))
    started = time.perf_counter()

    async def caller() -> None:
        try:
            await _ask(manager, done, leaves, left_at)
        except BudgetExceeded:
            done.refused += 1
        except asyncio.CancelledError:
            done.cancelled += 1

    await asyncio.gather(*(caller() for _ in range(requests)))
    done.seconds = time.perf_counter() - started
    done.asked = {name: len(server.requests) for name, server in servers.items()}
    await asyncio.sleep(0.2)
    watching.cancel()
    done.asked_later = {name: len(server.requests) for name, server in servers.items()}
    done.hung_up = len(upstream.gone_at)
    done.closed_within_s = max(upstream.gone_at, default=0.0) - left_at[0]
    await _add_up(manager, done)
    return done


async def _ask(manager: LLMProviderManager, done: Run, leaves: Counter[str], left_at: list[float]) -> None:
    provider, task = "", asyncio.current_task()
    async with aclosing(manager.stream(QUESTION)) as events:
        async for event in events:
            if isinstance(event, RouteStarted):
                provider = event.provider
            elif isinstance(event, TextDelta) and leaves[provider] > 0:
                leaves[provider] -= 1
                left_at[0] = time.perf_counter()
                assert task is not None
                task.cancel()
            elif isinstance(event, RouteDone):
                done.answered[event.response.provider] += 1


async def _watch(manager: LLMProviderManager, done: Run) -> None:
    """Look again and again at what is spent and set aside together."""
    while True:
        state = await manager.budget.state()
        done.most_claimed_usd = max(done.most_claimed_usd, state.spent_today_usd + state.reserved_usd)
        await asyncio.sleep(0.02)


async def _add_up(manager: LLMProviderManager, done: Run) -> None:
    state, rows = await manager.budget.state(), await manager.ledger.rows()
    done.spent_usd, done.reserved_usd = state.spent_today_usd, state.reserved_usd
    done.rows_usd = sum((row.cost_usd for row in rows if row.cost_usd is not None), Decimal())
    done.rows, done.estimated = len(rows), sum(1 for row in rows if row.estimated)


def report(done: Run, write: Callable[[str], object]) -> None:
    """Write the figures."""
    write(f"requests at once                {REQUESTS}, limit for {COVERED} at ${done.each_usd:.5f} at most each\n")
    write(f"answered                        {dict(done.answered)}\n")
    write(f"refused                         {done.refused}\n")
    write(f"left in the middle              {done.cancelled}\n")
    write(f"limit                           ${done.limit_usd:.5f}\n")
    write(f"spent                           ${done.spent_usd:.5f}\n")
    write(f"sum of the usage rows           ${done.rows_usd:.5f} in {done.rows} rows, {done.estimated} estimated\n")
    write(f"most spent and set aside        ${done.most_claimed_usd:.5f}\n")
    write(f"still set aside                 ${done.reserved_usd:.5f}\n")
    write(f"asked upstream, and 0.2 s later {done.asked} {done.asked_later}\n")
    write(f"connections left by the callers {done.hung_up}, the last {done.closed_within_s * 1000:.0f} ms after\n")
    write(f"took                            {done.seconds:.2f} s\n")


def main() -> None:
    """Run it once in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report(asyncio.run(run(Path(folder))), sys.stdout.write)


if __name__ == "__main__":
    main()
