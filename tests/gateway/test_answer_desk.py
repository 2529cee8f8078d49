"""The desk gives again what was bought before, lets those share who ask at once, and keeps only what is whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock, ScriptedProvider
from tests.gateway.faults import GOOD, QUESTION, ROLE, WHOLE, WORDS, Outcome, note, rig, then_silence
from tests.gateway.test_manager import config, good, manager, scripted
from tests.providers.rawserver import STREAM_HEAD, Answer, RawServer, chunk
from vpa_desktop.config import CacheSettings, RoutingSettings
from vpa_desktop.errors import ProviderUnavailable, StorageError, VPAError
from vpa_desktop.gateway.answer_cache import AnswerCache
from vpa_desktop.gateway.answer_desk import AnswerDesk
from vpa_desktop.gateway.failover import ReadyAnswer
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import (
    GatewayEvent,
    LLMRequest,
    LLMResponse,
    Message,
    RouteDone,
    StreamDone,
    StreamEvent,
    TextDelta,
    Usage,
)
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.kept_answers import KeptAnswerStore

ASK = LLMRequest((Message("user", "Hello"),))
PRICED: dict[str, Any] = {"input_cost_per_million": Decimal(1_000), "output_cost_per_million": Decimal(10_000)}


def desk_of(made: LLMProviderManager, **settings: Any) -> AnswerDesk:
    return AnswerDesk(made, AnswerCache(lambda: CacheSettings(**settings)))


async def events_of(desk: AnswerDesk, request: LLMRequest = ASK, **how: Any) -> list[GatewayEvent]:
    async with aclosing(desk.stream(request, **how)) as events:
        return [event async for event in events]


async def ask(desk: AnswerDesk, request: LLMRequest = ASK, **how: Any) -> LLMResponse:
    last = (await events_of(desk, request, **how))[-1]
    assert isinstance(last, RouteDone)
    return last.response


class Held(ScriptedProvider):
    """Answers in two parts; the second comes when ``go`` is set. ``was_closed`` where nobody waited for it."""

    def __init__(self, provider_id: str, *events: StreamEvent | Exception, **facts: Any) -> None:
        super().__init__(config(provider_id, **facts), events)
        self.go = asyncio.Event()
        self.was_closed = False

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        self.requests.append(request)
        yield TextDelta("First. ")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.was_closed = True
            raise
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event


SECOND = (TextDelta("Second."), StreamDone("stop", Usage(10, 2)))


async def test_an_answer_is_given_again_with_what_it_spares() -> None:
    provider = good("a", **PRICED)
    desk = desk_of(manager(provider))
    first = await ask(desk)
    again = await ask(desk)
    assert len(provider.requests) == 1
    assert (again.content, again.cached, again.cost_usd) == ("fine", True, Decimal())
    assert again.saved_usd == first.cost_usd == Decimal("0.03")
    (line,) = again.attempts
    assert (line.provider, line.outcome) == ("a", "cached")
    assert "saved $0.0300 and" in line.reason
    bought, spared = await desk.manager.ledger.rows()
    assert (bought.cached, spared.cached, spared.cost_usd, spared.saved_usd) == (
        False,
        True,
        Decimal(),
        Decimal("0.03"),
    )


async def test_fresh_buys_and_replaces_the_kept_answer() -> None:
    provider = good("a", "old")
    desk = desk_of(manager(provider))
    await ask(desk)
    provider.events[0] = TextDelta("new")
    assert (await ask(desk, fresh=True)).content == "new"
    assert (await ask(desk)).content == "new"
    assert len(provider.requests) == 2


async def test_what_is_not_to_be_kept_is_neither_read_nor_written() -> None:
    provider = good("a")
    desk = desk_of(manager(provider))
    await ask(desk, keep=False)
    await ask(desk)
    await ask(desk, keep=False)
    assert len(provider.requests) == 3


async def test_switched_off_everything_is_bought() -> None:
    provider = good("a")
    desk = desk_of(manager(provider), enabled=False)
    await asyncio.gather(ask(desk), ask(desk))
    assert len(provider.requests) == 2


@pytest.mark.parametrize("finish", ["length", "content_filter", "refusal", "tool_calls"])
async def test_an_answer_that_did_not_end_by_itself_is_not_kept(finish: Any) -> None:
    provider = scripted("a", TextDelta("some"), StreamDone(finish, Usage(1, 1)))
    desk = desk_of(manager(provider))
    await ask(desk)
    assert not (await ask(desk)).cached
    assert len(provider.requests) == 2


async def test_an_answer_with_a_seam_is_not_kept() -> None:
    cut = scripted("a", TextDelta("Hel"), ProviderUnavailable("cut", provider="a"))
    desk = desk_of(manager(cut, good("b", "lo")))
    assert (await ask(desk)).content == "Hello"
    assert await desk.cache.count() == 0


async def test_an_answer_after_a_silent_failure_is_kept_under_the_one_who_gave_it() -> None:
    down = scripted("a", ProviderUnavailable("down", provider="a"))
    other = good("b", "from b")
    desk = desk_of(manager(down, other))
    await ask(desk)
    assert (await ask(desk, provider="b")).cached
    down.events = [TextDelta("from a"), StreamDone("stop", Usage(1, 1))]
    assert (await ask(desk)).content == "from a"
    assert len(other.requests) == 1


class AfterALimit(LLMProviderManager):
    """Asks the provider's own model in the place of the named one, as ``on_limit`` "cheapest" may."""

    async def stream(self, request: LLMRequest, **how: Any) -> AsyncGenerator[GatewayEvent, None]:
        async with aclosing(super().stream(replace(request, model=None), **how)) as events:
            async for event in events:
                yield event


async def test_what_another_model_answered_is_not_the_named_ones() -> None:
    provider = good("a")
    made = AfterALimit()
    made.register_provider("a", provider)
    desk = desk_of(made)
    named = replace(ASK, model="large")
    assert not (await ask(desk, named, provider="a")).cached
    assert not (await ask(desk, named, provider="a")).cached
    assert (await ask(desk, ASK)).cached


async def test_while_the_first_choice_is_left_alone_the_others_kept_answer_is_given() -> None:
    down = scripted("a", ProviderUnavailable("down", provider="a"))
    made = manager(down, good("b"))
    made.enable_circuit_breaker(failure_threshold=1)
    desk = desk_of(made)
    await ask(desk)
    assert (await ask(desk)).cached
    assert len(down.requests) == 1


async def test_a_text_that_was_there_already_is_no_answer_to_keep() -> None:
    ready = {"b": ReadyAnswer("extract", "from documents")}
    down = scripted("a", ProviderUnavailable("down", provider="a"))
    desk = desk_of(manager(down, good("b")))
    assert (await ask(desk, ready_answers=ready)).content == "from documents"
    assert await desk.cache.count() == 0


async def test_old_answers_are_bought_anew_and_the_longest_out_of_use_goes_first() -> None:
    clock, provider = FakeClock(), good("a")
    cache = AnswerCache(lambda: CacheSettings(ttl_s=60, max_entries=2), clock=clock)
    desk = AnswerDesk(manager(provider), cache)
    one, two, three = (replace(ASK, temperature=n / 10) for n in range(3))
    for request in (one, two, one, three):
        await ask(desk, request)
    assert (await ask(desk, one)).cached
    assert not (await ask(desk, two)).cached
    clock.advance(61)
    assert not (await ask(desk, two)).cached


# Those who ask at once


async def test_those_who_ask_the_same_at_once_share_one_answer_as_it_comes() -> None:
    provider = Held("a", *SECOND, **PRICED)
    desk = desk_of(manager(provider))
    seen: list[str] = []
    all_have_begun = asyncio.Event()

    async def read() -> LLMResponse:
        async with aclosing(desk.stream(ASK)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    seen.append(event.text)
                    if len(seen) == 20:
                        all_have_begun.set()
                if isinstance(event, RouteDone):
                    return event.response
        raise AssertionError("no end")

    asking = [asyncio.create_task(read()) for _ in range(20)]
    await asyncio.wait_for(all_have_begun.wait(), 5)  # each has the first part before the second is there
    provider.go.set()
    answers = await asyncio.gather(*asking)
    assert len(provider.requests) == 1
    assert {a.content for a in answers} == {"First. Second."}
    assert sorted(a.cached for a in answers) == [False, *[True] * 19]
    rows = await desk.manager.ledger.rows()
    assert sum(r.cost_usd or 0 for r in rows) == Decimal("0.03")
    assert sum(r.saved_usd or 0 for r in rows) == Decimal("0.03") * 19


async def test_the_one_who_asked_first_may_go() -> None:
    provider = Held("a", *SECOND)
    desk = desk_of(manager(provider))
    first = asyncio.create_task(ask(desk))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(ask(desk))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert not provider.was_closed
    provider.go.set()
    assert (await second).content == "First. Second."
    assert len(provider.requests) == 1


async def test_when_all_have_gone_the_provider_is_left_and_its_cost_booked() -> None:
    provider = Held("a", *SECOND)
    desk = desk_of(manager(provider))
    asking = [asyncio.create_task(ask(desk)) for _ in range(3)]
    await asyncio.sleep(0.01)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert provider.was_closed
    assert [row.outcome for row in await desk.manager.ledger.rows()] == ["cancelled"]
    provider.go.set()
    assert (await ask(desk)).content == "First. Second."


async def test_who_comes_in_the_middle_reads_from_the_beginning() -> None:
    provider = Held("a", *SECOND)
    desk = desk_of(manager(provider))
    first = asyncio.create_task(ask(desk))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(events_of(desk))
    await asyncio.sleep(0.01)
    provider.go.set()
    await first
    assert "".join(e.text for e in await second if isinstance(e, TextDelta)) == "First. Second."


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    provider = Held("a", ProviderUnavailable("gone", provider="a"))
    made = manager(provider)
    made.routing = RoutingSettings(continue_after_break=False)
    desk = desk_of(made)
    asking = [asyncio.create_task(ask(desk)) for _ in range(3)]
    await asyncio.sleep(0.01)
    provider.go.set()
    failures = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(failure, VPAError) for failure in failures)
    assert len(provider.requests) == 1
    provider.events = list(SECOND)
    assert not (await ask(desk)).cached


@pytest.mark.parametrize(
    "other",
    [
        {"user_id": "another"},
        {"over_limit": True},
        {"priority": "background"},
        {"messages": (Message("user", "Before"), Message("assistant", "Yes"), *ASK.messages)},
    ],
)
async def test_only_the_same_is_shared(other: dict[str, Any]) -> None:
    provider = Held("a", *SECOND)
    desk = desk_of(manager(provider))
    asking = [asyncio.create_task(ask(desk, request)) for request in (ASK, replace(ASK, **other))]
    await asyncio.sleep(0.01)
    provider.go.set()
    assert [a.cached for a in await asyncio.gather(*asking)] == [False, False]
    assert len(provider.requests) == 2


# On disk


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield opened
    await opened.aclose()


def on_disk(db: Database, provider: ScriptedProvider, clock: FakeClock | None = None, **settings: Any) -> AnswerDesk:
    """What another process on the same file has."""
    clock = clock or FakeClock()
    cache = AnswerCache(lambda: CacheSettings(**settings), store=KeptAnswerStore(db), clock=clock)
    return AnswerDesk(manager(provider), cache)


async def test_an_answer_bought_by_one_process_is_given_by_another(db: Database) -> None:
    here, there = on_disk(db, good("a", "kept", **PRICED)), on_disk(db, good("a", "new", **PRICED))
    await ask(here)
    await here.aclose()
    again = await ask(there)
    assert (again.content, again.cached, again.saved_usd, again.usage) == ("kept", True, Decimal("0.03"), Usage(10, 2))


async def test_an_answer_goes_with_its_conversation_in_every_process(db: Database) -> None:
    store = ConversationStore(db)
    request = replace(ASK, conversation_id=(await store.create("x")).id)
    unfinished = good("a")  # what it answers is not kept, and so cannot be what the other process finds
    unfinished.events = [TextDelta("fine"), StreamDone("length", Usage(10, 2))]
    here, there = on_disk(db, good("a")), on_disk(db, unfinished)
    await ask(here, request)
    await here.aclose()
    assert (await ask(there, request)).cached
    assert (await ask(there, request)).cached  # from its memory
    assert request.conversation_id is not None
    await store.delete(request.conversation_id)
    assert not (await ask(there, ASK)).cached
    assert not (await ask(here, request)).cached


async def test_an_answer_to_a_conversation_deleted_meanwhile_is_not_kept(db: Database) -> None:
    desk = on_disk(db, good("a"))
    await ask(desk, replace(ASK, conversation_id="gone"))
    await desk.aclose()
    assert await desk.cache.count() == 0
    assert not (await ask(desk)).cached


async def test_old_ones_and_those_past_the_number_leave_the_disk(db: Database) -> None:
    clock, provider = FakeClock(), good("a")
    desk = on_disk(db, provider, clock, ttl_s=60, max_entries=3)
    requests = [replace(ASK, temperature=n / 10) for n in range(5)]
    for request in requests:
        clock.advance(1)
        await ask(desk, request)
    await desk.aclose()
    assert await desk.cache.count() == 3
    assert (await ask(desk, requests[4])).cached
    clock.advance(100)
    assert await desk.cache.count() == 0
    assert not (await ask(desk, requests[4])).cached
    await desk.aclose()
    rows = await db.read(lambda d: d.execute("SELECT count(*) FROM cached_answers").fetchone()[0])
    assert rows == 1


async def test_forgotten_is_forgotten_in_every_process(db: Database) -> None:
    here, there = on_disk(db, good("a")), on_disk(db, good("a"))
    await ask(here)
    await here.aclose()
    await ask(there)
    assert await here.cache.forget() == 1
    assert not (await ask(there)).cached


async def test_a_disk_that_fails_costs_no_answer(db: Database) -> None:
    class Broken(KeptAnswerStore):
        def generation_now(self) -> int:
            raise StorageError("cannot be read", "The disk is gone")

        async def get(self, key: bytes) -> None:
            raise StorageError("cannot be read", "The disk is gone")

        async def put(self, key: bytes, kept: object, **limits: object) -> bool:
            raise StorageError("cannot be written", "The disk is full")

    desk = AnswerDesk(manager(good("a")), AnswerCache(CacheSettings, store=Broken(db)))
    assert (await ask(desk)).content == "fine"
    assert (await ask(desk)).content == "fine"
    await desk.aclose()


# On the wire


def cut_after(words: int, others: int) -> Answer:
    """Five words, then a clean end without a terminal signal, once all have asked."""

    async def answer(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + ROLE + b"".join(chunk(word) for word in WORDS[:words]))
        await writer.drain()
        await asyncio.sleep(0.05 * others)

    return answer


async def test_a_hundred_who_ask_the_same_share_one_call_and_its_failover() -> None:
    """Scenario 15: the primary cuts the first answer; nobody gets a cut one, none is kept, two calls are made."""
    async with rig([cut_after(5, 1), GOOD], [GOOD]) as made:
        desk = desk_of(made.manager)
        seen = [Outcome() for _ in range(100)]

        async def read(outcome: Outcome, request: LLMRequest = QUESTION) -> None:
            async with aclosing(desk.stream(request)) as events:
                async for event in events:
                    note(outcome, event)

        tasks = [asyncio.create_task(read(outcome)) for outcome in seen]
        await asyncio.wait_for(made.a.asked.wait(), 5)
        tasks[0].cancel()  # whoever came first goes
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (len(made.a.requests), len(made.b.requests)) == (1, 1)
        answers = [outcome.response for outcome in seen[1:]]
        assert all(a is not None and a.content.endswith(WHOLE) and a.finish_reason == "stop" for a in answers)
        assert await desk.cache.count() == 0  # it has a seam
        whole = Outcome()
        await read(whole)
        assert (whole.text, len(made.a.requests)) == (WHOLE, 2)
        assert await desk.cache.count() == 1


async def test_a_hundred_get_the_others_whole_answer_where_the_first_gave_nothing() -> None:
    async with rig([then_silence(STREAM_HEAD + ROLE)], [GOOD], timeout=0.3, retries=0) as made:
        desk = desk_of(made.manager)
        answers = await asyncio.gather(*(ask(desk, QUESTION) for _ in range(100)))
        assert {a.content for a in answers} == {WHOLE}
        assert (len(made.a.requests), len(made.b.requests)) == (1, 1)
        assert (await ask(desk, QUESTION, provider="b")).cached


async def test_no_answer_crosses_conversations_or_providers() -> None:
    async with rig([GOOD], [GOOD]) as made:
        desk = desk_of(made.manager)
        other = replace(
            QUESTION, messages=(Message("user", "In French"), Message("assistant", "Oui"), *QUESTION.messages)
        )
        answers = [await ask(desk, QUESTION), await ask(desk, other), await ask(desk, QUESTION, provider="b")]
        assert not any(a.cached for a in answers)
        assert (len(made.a.requests), len(made.b.requests)) == (2, 1)
