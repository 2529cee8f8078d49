"""What a month costs: one declared workload, replayed through router and cache, against always asking the best model.

Questions and texts: the 472 questions and five corpora of the chunking evaluation by Brandon Smith (MIT), in the
folder beside the repository. Prices: the list prices of genai-prices. Nothing else is measured data: what follows are
assumptions, drawn with a fixed seed, and the saving holds for them only.

- 200 conversations in a month; 45 % are plain questions, 30 % a question with passages from documents (about 900
  tokens), 25 % a long text (20,000 characters) with questions about it.
- A plain question is followed by two more in 30 % of the cases, a long text by three, one to three minutes apart.
- 15 % of the conversations begin with an earlier question word for word; half of these within the hour, the others
  at any time. ``ttl_s`` is the usual day. A share of 0 and of 30 % is shown beside.
- A quarter of the conversations is hard: the person names the best model for them, in every line but the first.
- Answers are lognormal around 180 tokens; a token is four characters. Both models answer equally long: whether the
  cheap one's answer is as good is not judged here.
- The provider's prompt cache: the longest common beginning with a prompt of the last ten minutes to the same model,
  from 1,024 tokens on in steps of 128; the rest of such a prompt is written to it, at the list's price for that.

The provider is a server on loopback that speaks Chat Completions; everything else is the program's own code.
Run: python -m tests.benchmarks.workload
"""

from __future__ import annotations

import asyncio
import csv
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from vpa_desktop.analytics import Savings, savings_of
from vpa_desktop.assistant.prompt import build_messages
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import CacheSettings, RoutingSettings
from vpa_desktop.gateway.answer_cache import AnswerCache
from vpa_desktop.gateway.answer_desk import AnswerDesk
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import Citation, LLMRequest, LLMResponse, RouteDone
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.records import MessageRecord

DATA: Final = Path(__file__).resolve().parents[2] / "../shared/retrieval/chunk_eval"
BEST, CHEAP = "gpt-6.1-sol", "gpt-6-luna"
SEED: Final = 4
CONVERSATIONS: Final = 200
MONTH_S: Final = 30 * 86_400.0
HOUR_S: Final = 3_600.0
CHARACTERS: Final = 4
"""Of a token."""

PASSAGE: Final = 900 * CHARACTERS
LONG_TEXT: Final = 20_000
REMEMBERED_S: Final = 600.0
SHORTEST, STEP = 1_024, 128
WHEN: Final = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is asked, from when on; every question but the first some minutes after the one before."""

    starts_s: float
    questions: tuple[str, ...]
    pauses_s: tuple[float, ...]
    citations: tuple[Citation, ...] = ()
    is_hard: bool = False


@dataclass(slots=True)
class Server:
    """A provider on loopback: counts tokens, answers at length, and knows beginnings of prompts again."""

    base: str = ""
    now_s: float = 0.0
    has_prompt_cache: bool = False
    asked: int = 0
    seen: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def answer(self, body: dict[str, Any]) -> bytes:
        """The whole answer as a stream of events."""
        self.asked += 1
        prompt = "\0".join(f"{m['role']}:{m['content']}" for m in body["messages"])
        draw = random.Random(f"{SEED} {body['messages'][-1]['content'][-200:]}")
        tokens = min(1_200, max(20, round(draw.lognormvariate(5.19, 0.7))))
        usage: dict[str, Any] = {"prompt_tokens": len(prompt) // CHARACTERS, "completion_tokens": tokens}
        if self.has_prompt_cache:
            usage["prompt_tokens_details"] = self._cached(body["model"], prompt)
        text = {"model": body["model"], "choices": [{"index": 0, "delta": {"content": "so " * tokens}}]}
        end = {"model": body["model"], "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        events = (text, end, {"choices": [], "usage": usage})
        return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"

    def _cached(self, model: str, prompt: str) -> dict[str, int]:
        known = [entry for entry in self.seen.get(model, []) if self.now_s - entry[0] <= REMEMBERED_S]
        common = max((common_length(prompt, other) for _, other in known), default=0)
        read, whole = (n // CHARACTERS // STEP * STEP for n in (common, len(prompt)))
        read = read if read >= SHORTEST else 0
        self.seen[model] = [*known, (self.now_s, prompt)]
        return {"cached_tokens": read, "cache_write_tokens": whole - read if whole >= SHORTEST else 0}


def common_length(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """Runs the server for the length of a block."""
    made = Server()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = next(int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:"))
        data = made.answer(json.loads(await reader.readexactly(size)))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + data)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**20)
    made.base = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield made
    finally:
        listening.close()
        await listening.wait_closed()


def month(repeats: float) -> list[Conversation]:
    """The workload, in order of time; ``repeats`` is the share that begins with an earlier question."""
    draw = random.Random(SEED)
    with (DATA / "questions_df.csv").open(encoding="utf-8") as file:
        questions = list(csv.DictReader(file))
    draw.shuffle(questions)
    corpora = {path.stem: path.read_text("utf-8") for path in sorted(DATA.glob("*.md"))}
    found: list[Conversation] = []
    for n in range(CONVERSATIONS):
        starts_s, again, kind = draw.random() * MONTH_S, draw.random() < repeats, draw.random()
        fresh = _conversation(draw, questions[n], questions, corpora, starts_s, kind)
        if again and found:
            earlier = draw.choice(found)
            later = draw.random() * (HOUR_S if draw.random() < 0.5 else MONTH_S - earlier.starts_s)
            fresh = Conversation(
                earlier.starts_s + later, earlier.questions[:1], (), earlier.citations, earlier.is_hard
            )
        found.append(fresh)
    return sorted(found, key=lambda conversation: conversation.starts_s)


def _conversation(
    draw: random.Random,
    row: dict[str, str],
    every: list[dict[str, str]],
    corpora: dict[str, str],
    starts_s: float,
    kind: float,
) -> Conversation:
    place, text = json.loads(row["references"])[0]["start_index"], corpora[row["corpus_id"]]
    is_hard = draw.random() < 0.25
    if 0.45 <= kind < 0.75:
        start = max(0, place - PASSAGE // 2)
        passage = text[start : start + PASSAGE]
        cited = (Citation(1, row["corpus_id"], "", "", None, "", 1.0, passage),)
        return Conversation(starts_s, (row["question"],), (), cited, is_hard)
    more = 3 if kind >= 0.75 else 2 if draw.random() < 0.3 else 0
    first = row["question"]
    if kind >= 0.75:
        start = max(0, min(place, len(text)) - LONG_TEXT // 2)
        first = f"{text[start : start + LONG_TEXT]}\n\n{first}"
    follow = tuple(draw.choice(every)["question"] for _ in range(more))
    return Conversation(starts_s, (first, *follow), tuple(draw.uniform(60, 180) for _ in follow), (), is_hard)


@dataclass(frozen=True, slots=True)
class Line:
    """One way to answer the month."""

    name: str
    strategy: Any
    keeps_answers: bool = False
    has_prompt_cache: bool = False


LINES: Final = (
    Line(f"always {BEST}", "fixed"),
    Line(f"always {BEST} + cache + prompt caching", "fixed", True, True),
    Line("cheapest", "cheapest"),
    Line("cheapest + cache", "cheapest", True),
    Line("cheapest + cache + prompt caching", "cheapest", True, True),
)


async def replay(line: Line, conversations: list[Conversation]) -> tuple[Decimal, int, Savings]:
    """Answers the month; returns what it cost, how many requests went out, and what the caches saved."""
    async with serving() as server:
        server.has_prompt_cache = line.has_prompt_cache
        made = LLMProviderManager(RoutingSettings(strategy=line.strategy, default_provider=BEST))
        http = HttpSession()
        for model in (BEST, CHEAP):
            config = LLMProviderConfig(
                "openai", model, api_key="sk-none", provider_id=model, api_endpoint=server.base, protocol="chat"
            )
            made.register_provider(model, build_provider(config, http))
        cache = AnswerCache(lambda: CacheSettings(enabled=line.keeps_answers), clock=lambda: server.now_s)
        desk = AnswerDesk(made, cache)
        turns = sorted(_turns(conversations), key=lambda turn: turn[0])
        histories: dict[int, list[MessageRecord]] = {}
        try:
            for at_s, number, question in turns:
                server.now_s = at_s
                history = histories.setdefault(number, [])
                conversation = conversations[number]
                named = BEST if line.strategy == "fixed" or conversation.is_hard else None
                answer = await ask(desk, conversation, question, history, named, f"c{number}")
                history.append(MessageRecord("", "", "user", question, WHEN))
                history.append(MessageRecord("", "", "assistant", answer.content, WHEN))
            rows = await made.ledger.rows()
        finally:
            await desk.aclose()
            await made.aclose()
            await http.aclose()
        assert not any(row.cost_usd is None for row in rows), "a price is missing"
        cost = sum((row.cost_usd for row in rows if row.cost_usd is not None), Decimal())
        return cost, server.asked, savings_of(rows)


def _turns(conversations: list[Conversation]) -> list[tuple[float, int, str]]:
    found = []
    for number, conversation in enumerate(conversations):
        at_s = conversation.starts_s
        for question, pause_s in zip(conversation.questions, (0.0, *conversation.pauses_s), strict=True):
            at_s += pause_s
            found.append((at_s, number, question))
    return found


async def ask(
    desk: AnswerDesk,
    conversation: Conversation,
    question: str,
    history: list[MessageRecord],
    provider: str | None,
    conversation_id: str,
) -> LLMResponse:
    """One turn, its prompt built as the program builds it."""
    messages = build_messages(question, history=history, citations=conversation.citations, fence=lambda: "SOURCE")
    request = LLMRequest(messages, conversation_id=conversation_id)
    async with aclosing(desk.stream(request, provider=provider)) as events:
        async for event in events:
            if isinstance(event, RouteDone):
                return event.response
    raise AssertionError("there is always an answer")


async def main() -> None:
    """Prints the table."""
    if not DATA.is_dir():
        sys.exit("The questions are not here: they belong into ../shared/retrieval/chunk_eval")
    began = time.perf_counter()
    for repeats in (0.15, 0.0, 0.30):
        conversations = month(repeats)
        turns = sum(len(c.questions) for c in conversations)
        print(f"\n{turns} questions in {len(conversations)} conversations, {repeats:.0%} repeated, a quarter hard")
        first: Decimal | None = None
        for line in LINES if repeats == 0.15 else LINES[:: len(LINES) - 1]:
            cost, asked, savings = await replay(line, conversations)
            first = first or cost
            print(
                f"  {line.name:44} ${cost:8.4f}  {1 - cost / first:6.1%} saved, {asked:4} requests, "
                f"cache ${savings.saved_usd:.4f}, prompt caching ${savings.prompt_cache_saved_usd:.4f}"
            )
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    asyncio.run(main())
