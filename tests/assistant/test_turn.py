"""One turn over a real database: stored before it is sent, journaled, settled, and never lost when it breaks."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.fakes import ScriptedProvider
from vpa_desktop.assistant.integration import EnhancedLLMIntegration
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import BudgetSettings, RoutingSettings, Settings
from vpa_desktop.errors import BudgetExceeded, ConfigError, ProviderUnavailable, StorageError, StreamInterrupted
from vpa_desktop.gateway.budget import MemoryLedger
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import (
    EnhancedLLMRequest,
    LLMRequest,
    StreamDone,
    StreamEvent,
    TextDelta,
    TurnDone,
    TurnEvent,
    TurnStarted,
    Usage,
)
from vpa_desktop.providers.mock import MockProvider, MockReply
from vpa_desktop.records import UsageRow
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.usage import UsageLedger


class Bench:
    """An integration over a real file with one provider."""

    def __init__(self, db: Database) -> None:
        self.store = ConversationStore(db)
        self.manager = LLMProviderManager(ledger=UsageLedger(db))
        self.assistant = EnhancedLLMIntegration(self.manager, Settings, conversations=self.store)

    def use(self, *events: StreamEvent | Exception) -> ScriptedProvider:
        config = LLMProviderConfig("mock", provider_id="p", max_retries=0, local_only=False)
        provider = ScriptedProvider(config, events)
        self.manager.register_provider("p", provider)
        return provider

    def use_mock(self, *script: MockReply | str) -> MockProvider:
        provider = MockProvider(LLMProviderConfig("mock", provider_id="p", max_retries=0), script=script)
        self.manager.register_provider("p", provider)
        return provider

    async def ask(self, text: str, **facts: object) -> list[TurnEvent]:
        request = EnhancedLLMRequest(text, **facts)  # type: ignore[arg-type]
        async with aclosing(self.assistant.stream_turn(request)) as events:
            return [event async for event in events]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield Bench(db)
    await db.aclose()


OK = (TextDelta("Hello "), TextDelta("there"), StreamDone("stop", Usage(5, 2)))


async def test_a_turn_is_stored_whole_and_the_next_one_sends_what_was_said(bench: Bench) -> None:
    provider = bench.use(*OK)
    done = (await bench.ask("First question", conversation_id="new"))[-1]
    assert isinstance(done, TurnDone)
    conversation = done.response.conversation_id
    assert conversation is not None
    await bench.ask("Second question", conversation_id=conversation)
    sent = [(m.role, m.content) for m in provider.requests[-1].messages[1:]]
    assert sent == [("user", "First question"), ("assistant", "Hello there"), ("user", "Second question")]
    stored = await bench.store.messages(conversation)
    assert [m.state for m in stored] == ["done"] * 4
    assert (await bench.store.list())[0].title == "First question"


async def test_the_question_is_on_disk_before_anything_is_sent(bench: Bench) -> None:
    seen: list[list[str]] = []

    class Looks(ScriptedProvider):
        async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
            conversations = await bench.store.list()
            seen.append([m.content for m in await bench.store.messages(conversations[0].id)])
            async for event in super().stream(request):
                yield event

    bench.manager.register_provider("p", Looks(LLMProviderConfig("mock", provider_id="p"), OK))
    await bench.ask("Is it stored?", conversation_id="new")
    assert seen == [["Is it stored?", ""]]


async def test_a_failed_turn_keeps_the_question_and_says_why(bench: Bench) -> None:
    bench.use(ProviderUnavailable("p is down", "It answered 503", "Try later", provider="p"))
    with pytest.raises(ProviderUnavailable):
        await bench.ask("Anyone?", conversation_id="new")
    stored = await bench.store.messages((await bench.store.list())[0].id)
    assert [m.content for m in stored] == ["Anyone?", ""]
    assert stored[1].state == "failed"
    assert "p is down" in stored[1].error


async def test_an_answer_that_breaks_off_keeps_its_text(bench: Bench) -> None:
    bench.use(TextDelta("Half of it"), StreamInterrupted("cut", provider="p"))
    with pytest.raises(StreamInterrupted):
        await bench.ask("Tell me", conversation_id="new")
    stored = await bench.store.messages((await bench.store.list())[0].id)
    assert (stored[1].state, stored[1].content) == ("interrupted", "Half of it")


async def test_stop_keeps_the_text_and_ends_at_once(bench: Bench) -> None:
    bench.use_mock(MockReply("one two three four", piece_delay_s=20))
    started = asyncio.get_running_loop().time()
    async with aclosing(bench.assistant.stream_turn(EnhancedLLMRequest("Go", conversation_id="new"))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    assert asyncio.get_running_loop().time() - started < 2
    stored = await bench.store.messages((await bench.store.list())[0].id)
    assert (stored[1].state, stored[1].content.strip()) == ("stopped", "one")


async def test_a_cancelled_task_keeps_the_text_too(bench: Bench) -> None:
    bench.use_mock(MockReply("one two three", piece_delay_s=20))
    task = asyncio.create_task(bench.ask("Go", conversation_id="new"))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stored = await bench.store.messages((await bench.store.list())[0].id)
    assert stored[1].state == "stopped"


@pytest.mark.parametrize("again", [False, True])
async def test_a_question_cancelled_while_it_is_stored_is_a_stopped_one(
    bench: Bench, tmp_path: Path, again: bool
) -> None:
    bench.use(*OK)
    done = (await bench.ask("First", conversation_id="new"))[-1]
    assert isinstance(done, TurnDone)
    facts: dict[str, object]
    facts = {"regenerates": done.response.message_id} if again else {"conversation_id": done.response.conversation_id}
    with closing(sqlite3.connect(tmp_path / "vpa.db")) as other:
        other.execute("BEGIN IMMEDIATE")  # whoever writes now waits in the middle of it
        task = asyncio.create_task(bench.ask("Second", **facts))
        await asyncio.sleep(0.2)
        task.cancel()
        other.rollback()
    with pytest.raises(asyncio.CancelledError):
        await task
    stored = await bench.store.messages((await bench.store.list())[0].id)
    assert [m.content for m in stored] == (["First", ""] if again else ["First", "Hello there", "Second", ""])
    assert stored[-1].state == "stopped"


async def test_streamed_text_is_on_disk_within_half_a_second(bench: Bench) -> None:
    bench.use_mock(MockReply("one two", piece_delay_s=5))
    events = bench.assistant.stream_turn(EnhancedLLMRequest("Go", conversation_id="new"))
    first = await anext(events)
    assert isinstance(first, TurnStarted)
    async for event in events:
        if isinstance(event, TextDelta):
            break
    await asyncio.sleep(0.5)
    assert first.conversation_id is not None
    assert (await bench.store.messages(first.conversation_id))[1].content.strip() == "one"
    await events.aclose()


async def test_regenerating_asks_again_and_keeps_the_old_answer_aside(bench: Bench) -> None:
    provider = bench.use_mock("first answer", "second answer")
    done = (await bench.ask("Question", conversation_id="new"))[-1]
    assert isinstance(done, TurnDone)
    old = done.response.message_id
    await bench.ask("", regenerates=old)
    stored = await bench.store.messages((await bench.store.list())[0].id)
    assert [m.content for m in stored] == ["Question", "second answer"]
    assert provider.requests[-1].messages[-1].content == "Question"
    assert old is not None
    kept = await bench.store.message(old)
    assert kept is not None
    assert kept.content == "first answer"


async def test_the_same_question_is_answered_from_the_cache_unless_fresh(bench: Bench) -> None:
    provider = bench.use(*OK)
    await bench.ask("Same")
    again = (await bench.ask("Same"))[-1]
    assert isinstance(again, TurnDone)
    assert again.response.cached
    assert len(provider.requests) == 1
    await bench.ask("Same", fresh=True)
    assert len(provider.requests) == 2
    stats = await bench.assistant.get_system_stats()
    assert stats["caching"]["cache_hit_rate"] == pytest.approx(1 / 3)
    assert await bench.assistant.clear_cache() == 1


async def test_a_secret_leaves_masked_and_comes_back_in_the_answer(bench: Bench) -> None:
    secret = "sk-ant-api03-" + "A1b2C3d4" * 10
    provider = bench.use(TextDelta("Your key [SEC"), TextDelta("RET_1] is long"), StreamDone("stop", Usage(1, 1)))
    events = await bench.ask(f"Is {secret} valid?", conversation_id="new")
    assert secret not in str(provider.requests[0].messages)
    done = events[-1]
    assert isinstance(done, TurnDone)
    assert done.response.content == f"Your key {secret} is long"
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == done.response.content
    assert done.response.redactions


async def test_an_unknown_conversation_is_said_and_nothing_is_sent(bench: Bench) -> None:
    provider = bench.use(*OK)
    with pytest.raises(ConfigError, match="no conversation"):
        await bench.ask("Hello", conversation_id="nope")
    assert provider.requests == []


async def test_a_kept_answer_never_brings_another_questions_secret(bench: Bench) -> None:
    first, second = ("sk-ant-api03-" + letters * 10 for letters in ("A1b2C3d4", "Z9y8X7w6"))
    bench.use(TextDelta("You sent [SECRET_1]"), StreamDone("stop", Usage(5, 2)))
    await bench.ask(f"What is {first}?")
    done = (await bench.ask(f"What is {second}?"))[-1]
    assert isinstance(done, TurnDone)
    assert done.response.content == f"You sent {second}"


async def test_what_was_masked_for_a_route_goes_along_that_route(bench: Bench) -> None:
    class Draws(random.Random):
        turn = 0

        def random(self) -> float:
            self.turn += 1
            return 0.1 if self.turn in (1, 4) else 0.9  # the first draw puts the one on this machine in front

    secret = "sk-ant-api03-" + "A1b2C3d4" * 10
    routing = RoutingSettings(strategy="weighted", fallback_enabled=False)
    bench.manager.routing = routing
    bench.manager._draw = Draws()
    cloud = bench.use(*OK)
    here = ScriptedProvider(LLMProviderConfig("mock", provider_id="here", local_only=True), OK)
    bench.manager.register_provider("here", here)
    await bench.ask(f"Is {secret} valid?")
    assert here.requests
    assert secret not in str(cloud.requests)


async def test_a_model_that_ollama_hands_on_gets_no_secret_either(bench: Bench) -> None:
    secret = "sk-ant-api03-" + "A1b2C3d4" * 10
    handed_on = ScriptedProvider(LLMProviderConfig("ollama", "gpt-oss:120b-cloud", provider_id="o"), OK)
    bench.manager.register_provider("o", handed_on)
    await bench.ask(f"Is {secret} valid?")
    assert handed_on.requests
    assert secret not in str(handed_on.requests)


async def test_a_ledger_that_refuses_loses_no_answer_and_lifts_no_limit(bench: Bench) -> None:
    class Full(MemoryLedger):
        def add(self, row: UsageRow) -> None:
            raise StorageError("Nothing more can be saved", "The disk is full")

    bench.manager = LLMProviderManager(budget=BudgetSettings(daily_limit_usd=Decimal("0.02")), ledger=Full())
    bench.assistant = EnhancedLLMIntegration(bench.manager, Settings)
    price = Decimal(10_000)
    config = LLMProviderConfig(
        "openai", "m", provider_id="p", max_tokens=1, input_cost_per_million=Decimal(1), output_cost_per_million=price
    )
    bench.manager.register_provider("p", ScriptedProvider(config, OK))
    done = (await bench.ask("Hello"))[-1]
    assert isinstance(done, TurnDone)
    assert done.response.content == "Hello there"
    assert any("could not be booked" in w and "disk is full" in w for w in done.response.warnings)
    with pytest.raises(BudgetExceeded):
        await bench.ask("Once more")


async def test_a_default_provider_that_cannot_be_asked_is_said(bench: Bench) -> None:
    bench.use(*OK)
    bench.manager.routing = RoutingSettings(default_provider="work")
    done = (await bench.ask("Hello"))[-1]
    assert isinstance(done, TurnDone)
    assert any(w.startswith("work, your default provider") for w in done.response.warnings)
    bench.manager.routing = RoutingSettings(default_provider="p")
    done = (await bench.ask("Hello again"))[-1]
    assert isinstance(done, TurnDone)
    assert done.response.warnings == ()
