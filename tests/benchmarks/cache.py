"""What the cache costs: a hit in memory and on disk, a miss, and sharing, for a short and for a very long conversation.

Cold is a conversation whose text was never seen; warm is one that has grown by a turn, read anew from the database, as
every turn of a conversation is. The floor beside them is one sha256 over the bytes, which any exact key needs once.

Run: python -m tests.benchmarks.cache
"""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from tests.fakes import ScriptedProvider
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import CacheSettings
from vpa_desktop.gateway.answer_cache import AnswerCache
from vpa_desktop.gateway.answer_desk import AnswerDesk
from vpa_desktop.gateway.answer_key import AnswerKeys
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import LLMRequest, LLMResponse, Message, StreamDone, TextDelta, Usage
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.kept_answers import KeptAnswerStore

CONFIG = LLMProviderConfig("mock", provider_id="a", max_retries=0)
WORDS = "The penalty is 0.5 % of the order value for each started week, capped at 5 %. "
ANSWER = LLMResponse("Yes.", "a", "m", "stop", Usage(10, 2))
SHAPES = (("0.5 kB", 1, 500), ("400 kB in 200 turns", 200, 2_000), ("400 kB in one turn", 1, 400_000))


def conversation(turns: int, characters: int, mark: str = "") -> LLMRequest:
    """A conversation with texts of its own; ``mark`` makes another one of it."""
    roles = ("user", "assistant")
    said = ((f"{mark}{n} " + WORDS * (characters // len(WORDS) + 1))[:characters] for n in range(turns))
    return LLMRequest(tuple(Message(roles[n % 2], text) for n, text in enumerate(said)))  # type: ignore[arg-type]


def read_anew(request: LLMRequest) -> LLMRequest:
    """The same conversation in other objects."""
    return replace(request, messages=tuple(Message(m.role, m.content.encode().decode()) for m in request.messages))


async def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as folder:
        db = await Database.open(Path(folder) / "vpa.db", backups=Path(folder) / "backups")
        try:
            for name, turns, characters in SHAPES:
                await print_hits(name, turns, characters, KeptAnswerStore(db))
            await print_disk(KeptAnswerStore(db))
            await print_sharing(db)
        finally:
            await db.aclose()


async def print_hits(name: str, turns: int, characters: int, store: KeptAnswerStore) -> None:
    """Key and look-up in memory, checked against deletions by other processes, beside the floor."""
    keys, cache = AnswerKeys(), AnswerCache(CacheSettings, store=store)
    request = conversation(turns, characters)
    raw = "".join(m.content for m in request.messages).encode()
    floor = p50(lambda: hashlib.sha256(raw).digest(), 200)
    await cache.get(b"")
    cache.keep_at_hand(keys.key(request, CONFIG, "m"), ANSWER)
    cache.at_hand(keys.key(request, CONFIG, "m"))  # looks at what was deleted so far
    cache.keep_at_hand(keys.key(request, CONFIG, "m"), ANSWER)

    again = [read_anew(request) for _ in range(50)]
    warm = p50_of([timed(lambda r=r: hit(cache, keys.key(r, CONFIG, "m"))) for r in again])  # type: ignore[misc]
    cold_us = []
    for n in range(50):
        other = conversation(turns, characters, f"{n} ")
        key = AnswerKeys().key(other, CONFIG, "m")
        cache.keep_at_hand(key, ANSWER)
        fresh = AnswerKeys()
        cold_us.append(timed(lambda fresh=fresh, other=other: hit(cache, fresh.key(other, CONFIG, "m"))))  # type: ignore[misc]
    cold = p50_of(cold_us)
    print(
        f"{name:20} hit: cold {cold:6.1f} µs ({cold / floor:5.2f} x sha256), "
        f"warm {warm:6.1f} µs ({warm / floor:5.2f} x), sha256 {floor:6.1f} µs"
    )


def hit(cache: AnswerCache, key: bytes) -> None:
    """A look-up that must find something."""
    assert cache.at_hand(key) is not None


async def print_disk(store: KeptAnswerStore) -> None:
    """A miss, which looks on the disk, and a hit there, with 200 answers kept."""
    cache = AnswerCache(CacheSettings, store=store)
    for n in range(200):
        kept = cache.keep_at_hand(n.to_bytes(32), replace(ANSWER, content=WORDS * 20))
        await cache.put(n.to_bytes(32), kept)
    miss = [await timed_async(lambda n=n: cache.get(n.to_bytes(32))) for n in range(10_000, 10_300)]  # type: ignore[misc]
    empty = AnswerCache(CacheSettings, store=store)
    found = [await timed_async(lambda n=n: empty.get(n.to_bytes(32))) for n in range(200)]  # type: ignore[misc]
    bare = AnswerCache(CacheSettings)
    none = [await timed_async(lambda n=n: bare.get(n.to_bytes(32))) for n in range(300)]  # type: ignore[misc]
    print(
        f"a miss costs {p50_of(miss):.0f} µs with a disk, {p50_of(none):.1f} µs without; "
        f"a hit on disk {p50_of(found):.0f} µs"
    )


async def print_sharing(db: Database) -> None:
    """The desk before the manager: what a plain request pays for it, and a hundred who ask the same."""
    made = LLMProviderManager()
    words = [TextDelta(f"w{n} ") for n in range(100)]
    made.register_provider("a", ScriptedProvider(CONFIG, [*words, StreamDone("stop", Usage(10, 100))]))
    desk = AnswerDesk(made, AnswerCache(CacheSettings))
    requests = [conversation(1, 500, f"{n} ") for n in range(1_000)]

    async def bare(request: LLMRequest) -> None:
        async with aclosing(made.stream(request)) as events:
            async for _ in events:
                pass

    async def asked(request: LLMRequest) -> None:
        async with aclosing(desk.stream(request)) as events:
            async for _ in events:
                pass

    alone, through, again = [], [], []
    for n in range(0, 400, 2):  # in turns, so that both meet the same moods of the machine
        alone.append(await timed_async(lambda n=n: bare(requests[n])))  # type: ignore[misc]
        through.append(await timed_async(lambda n=n: asked(requests[n])))  # type: ignore[misc]
        again.append(await timed_async(lambda n=n: asked(requests[n])))  # type: ignore[misc]
    print(
        f"a request of 100 words: manager alone {p50_of(alone):.0f} µs, through the desk {p50_of(through):.0f} µs "
        f"({(p50_of(through) - p50_of(alone)) / 100:.1f} µs a word), given again {p50_of(again):.0f} µs"
    )
    before = len(await made.ledger.rows())
    started = time.perf_counter()
    await asyncio.gather(*(asked(conversation(1, 500, "all ask this ")) for _ in range(100)))
    took = (time.perf_counter() - started) * 1000
    bought = sum(1 for row in (await made.ledger.rows())[before:] if not row.cached)
    print(f"100 who ask the same: {bought} request upstream, {took:.1f} ms together")


def timed(work: Callable[[], object]) -> float:
    """How long it takes, in microseconds."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e6


async def timed_async(work: Callable[[], Awaitable[object]]) -> float:
    """The same for a coroutine."""
    started = time.perf_counter()
    await work()
    return (time.perf_counter() - started) * 1e6


def p50(work: Callable[[], object], times: int) -> float:
    """The median of several runs, in microseconds."""
    return p50_of([timed(work) for _ in range(times)])


def p50_of(values: list[float]) -> float:
    """The median."""
    return statistics.median(values)


if __name__ == "__main__":
    asyncio.run(main())
