"""Which turns of a conversation are answered from the cache: the same ones, and none that must leave no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import ScriptedProvider
from vpa_desktop.assistant.integration import EnhancedLLMIntegration
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import CacheSettings, Settings
from vpa_desktop.gateway.answer_desk import AnswerDesk
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import Citation, EnhancedLLMRequest, EnhancedLLMResponse, StreamDone, TextDelta, Usage
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.left_out import Context
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.usage import UsageLedger

OK = (TextDelta("The penalty is 0.5 % [1]"), StreamDone("stop", Usage(50, 9)))
PASSAGE = "The penalty is 0.5 percent a week."


class OnePassage(KnowledgeBase):
    """Finds the same passage for every question, as stored as document ``d1``."""

    found: tuple[Citation, ...] = (Citation(1, "contract.pdf", "/c.pdf", "", 4, "7.3", 0.9, PASSAGE, "d1", 1),)

    async def count(self) -> int:
        return 1

    async def find_context(self, *_: Any, **__: Any) -> Context:
        return Context(self.found)


async def no_embedder() -> Embedder:
    raise AssertionError("nothing is embedded here")


class Bench:
    """One provider, one database, and what a person asks."""

    def __init__(self, db: Database, tmp_path: Path) -> None:
        self.db = db
        self.store = ConversationStore(db)
        manager = LLMProviderManager(ledger=UsageLedger(db))
        self.desk = AnswerDesk.over(db, manager, CacheSettings)
        self.knowledge = OnePassage(db, tmp_path / "index", embedder=no_embedder)
        self.assistant = EnhancedLLMIntegration(
            manager, Settings, conversations=self.store, knowledge=self.knowledge, desk=self.desk
        )
        self.provider = ScriptedProvider(LLMProviderConfig("mock", provider_id="p", max_retries=0), OK)
        manager.register_provider("p", self.provider)

    async def ask(self, text: str = "What is the penalty?", **facts: Any) -> EnhancedLLMResponse:
        answer = await self.assistant.generate_enhanced_response(EnhancedLLMRequest(text, **facts))
        await self.desk.aclose()
        return answer

    async def kept(self) -> int:
        query = "SELECT count(*) FROM cached_answers"
        return await self.db.read(lambda db: int(db.execute(query).fetchone()[0]))

    async def store_passage(self) -> None:
        await self.db.write(
            lambda db: db.execute(
                "INSERT INTO documents (id, title, content_hash, state, added_at) VALUES ('d1', '', 'h', 'ready', '')"
            )
        )
        await self.db.write(lambda db: db.execute("INSERT INTO passages (id, text, text_hash) VALUES (1, 'x', 'h')"))
        await self.db.write(
            lambda db: db.execute("INSERT INTO chunks (id, document_id, ordinal, passage_id) VALUES (1, 'd1', 0, 1)")
        )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield Bench(db, tmp_path)
    await db.aclose()


async def test_an_answer_with_passages_is_given_again_with_its_page(bench: Bench) -> None:
    await bench.store_passage()
    first, again = await bench.ask(), await bench.ask()
    assert len(bench.provider.requests) == 1
    assert again.cached
    assert again.citations == first.citations
    assert (again.citations[0].page, again.content) == (4, first.content)


async def test_another_passage_is_another_question(bench: Bench) -> None:
    await bench.store_passage()
    await bench.ask()
    bench.knowledge.found = (Citation(1, "contract.pdf", "/c.pdf", "", 5, "7.3", 0.9, PASSAGE, "d1", 1),)
    assert not (await bench.ask()).cached


@pytest.mark.parametrize(
    "change", ["DELETE FROM documents", "DELETE FROM chunks", "DELETE FROM chunks WHERE document_id = 'd1'"]
)
async def test_a_document_that_goes_takes_the_answers_from_it_along(bench: Bench, change: str) -> None:
    await bench.store_passage()
    await bench.ask()
    assert await bench.kept() == 1
    await bench.db.write(lambda db: db.execute(change))
    assert await bench.kept() == 0
    assert not (await bench.ask()).cached


async def test_a_document_that_went_while_the_answer_came_leaves_none_behind(bench: Bench) -> None:
    await bench.ask()  # its passage is not in the database
    assert await bench.kept() == 0
    assert not (await bench.ask()).cached


async def test_a_temporary_chat_reads_nothing_and_leaves_nothing(bench: Bench) -> None:
    assert not (await bench.ask(use_rag=False, temporary=True, conversation_id="new")).cached
    assert await bench.kept() == 0
    assert await bench.store.list() == []
    await bench.ask(use_rag=False)
    assert not (await bench.ask(use_rag=False, temporary=True)).cached
    assert len(bench.provider.requests) == 3


async def test_an_answer_given_anew_is_asked_anew(bench: Bench) -> None:
    first = await bench.ask(use_rag=False, conversation_id="new")
    assert not (await bench.ask(use_rag=False, regenerates=first.message_id)).cached
    assert len(bench.provider.requests) == 2


async def test_a_persons_answers_are_not_anothers(bench: Bench) -> None:
    await bench.ask(use_rag=False)
    assert not (await bench.ask(use_rag=False, user_id="guest")).cached
    assert (await bench.ask(use_rag=False, user_id="guest")).cached


async def test_a_kept_answer_is_stored_with_the_receipt_that_says_so(bench: Bench) -> None:
    await bench.ask(use_rag=False)
    again = await bench.ask(use_rag=False, conversation_id="new")
    assert again.conversation_id is not None
    stored = (await bench.store.messages(again.conversation_id))[-1]
    assert (stored.content, stored.cost_usd) == (again.content, Decimal())
    assert [a.outcome for a in stored.attempts] == ["cached"]


async def test_stopping_a_turn_stops_its_provider(bench: Bench) -> None:
    async with aclosing(bench.assistant.stream_turn(EnhancedLLMRequest("Hello", use_rag=False))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    rows = await bench.assistant.manager.ledger.rows()
    assert [row.outcome for row in rows] == ["cancelled"]
    assert (await bench.ask("Hello", use_rag=False)).content == "The penalty is 0.5 % [1]"
