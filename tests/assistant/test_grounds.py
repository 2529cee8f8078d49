"""A turn over documents: what is searched for, what is shown of it, and what is said where nothing is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import ScriptedProvider
from vpa_desktop.assistant.extract import EXTRACT_MODEL
from vpa_desktop.assistant.grounds import ASK_THE_MODEL, NO_DOCUMENTS, NOT_THERE, is_question
from vpa_desktop.assistant.integration import EnhancedLLMIntegration
from vpa_desktop.assistant.prompt import NOTHING_FOUND
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import RagSettings, Settings
from vpa_desktop.evidence import Evidence, LeftOut
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import (
    Citation,
    ContextFound,
    EnhancedLLMRequest,
    EnhancedLLMResponse,
    StreamDone,
    StreamEvent,
    TextDelta,
    TurnDone,
    TurnEvent,
    Usage,
)
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.left_out import Context
from vpa_desktop.records import SearchScope
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.usage import UsageLedger

REVENUE = "The revenue of Contoso was 4.1 million in 2021 and 4.7 million in 2022."
DROPPED = LeftOut("menu.pdf", 2, "", 0.2, "Soup of the day", "It is about something else.", "d2", 9)


class Shelf(KnowledgeBase):
    """Finds its passage for every search with the word in it; ``searched`` are the searches."""

    word = "revenue"
    number = 1

    async def count(self) -> int:
        return self.number

    async def find_context(
        self,
        query: str,
        top_k: int | None = None,
        collections: Sequence[str] = (),
        scope: SearchScope | None = None,
        *,
        stays_here: bool = False,
    ) -> Context:
        self.searched = [*getattr(self, "searched", []), query]
        if self.word not in query:
            return Context((), (DROPPED,))
        passage = Citation(1, "report.pdf", "/r.pdf", "Report", 4, "", 0.9, REVENUE, "d1", 1)
        return Context((passage,), (DROPPED,), 0.75)


async def no_embedder() -> Embedder:
    raise AssertionError("nothing is embedded here")


class Bench:
    """One provider that says what a test scripts, over a shelf."""

    def __init__(self, db: Database, tmp_path: Path) -> None:
        self.store = ConversationStore(db)
        self.manager = LLMProviderManager(ledger=UsageLedger(db))
        self.shelf = Shelf(db, tmp_path / "index", embedder=no_embedder)
        self.assistant = EnhancedLLMIntegration(self.manager, Settings, conversations=self.store, knowledge=self.shelf)

    def says(self, *pieces: str, **facts: Any) -> ScriptedProvider:
        config = LLMProviderConfig(**{"provider": "mock", "provider_id": "p", "max_retries": 0, **facts})
        events: list[StreamEvent | Exception] = [TextDelta(piece) for piece in pieces]
        events.append(StreamDone("stop", Usage(50, 9)))
        provider = ScriptedProvider(config, events)
        self.manager.register_provider("p", provider)
        return provider

    async def events(self, text: str, **facts: Any) -> list[TurnEvent]:
        async with aclosing(self.assistant.stream_turn(EnhancedLLMRequest(text, **facts))) as events:
            return [event async for event in events]

    async def ask(self, text: str, **facts: Any) -> EnhancedLLMResponse:
        done = (await self.events(text, **facts))[-1]
        assert isinstance(done, TurnDone)
        return done.response


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield Bench(db, tmp_path)
    await db.aclose()


async def test_an_invented_source_never_reaches_the_reader_and_is_said(bench: Bench) -> None:
    bench.says("The revenue was 4.7 million in 2022 [1", "]. It will grow [", "7].")
    events = await bench.events("What was the revenue in 2022?", conversation_id="new")
    shown = "".join(event.text for event in events if isinstance(event, TextDelta))
    done = events[-1]
    assert isinstance(done, TurnDone)
    assert shown == done.response.content == "The revenue was 4.7 million in 2022 [1]. It will grow."
    assert any("[7]" in warning and "only one passage" in warning for warning in done.response.warnings)
    stored = (await bench.store.messages(done.response.conversation_id or ""))[1]
    assert (stored.content, stored.warnings) == (done.response.content, done.response.warnings)


async def test_the_quality_is_computed_stored_and_counted(bench: Bench) -> None:
    bench.says("The revenue was 4.7 million in 2022 [1]. The chairman plays golf on Sundays.")
    answer = await bench.ask("What was the revenue in 2022?", conversation_id="new")
    quality = answer.evidence.quality
    assert quality is not None
    assert (quality.groundedness, quality.citation_coverage, quality.retrieval_confidence) == (0.5, 0.5, 0.75)
    assert quality.unsupported == ("The chairman plays golf on Sundays.",)
    stored = (await bench.store.messages(answer.conversation_id or ""))[1]
    assert stored.evidence == answer.evidence == Evidence("", (DROPPED,), quality)
    assert answer.message_id is not None
    await bench.store.give_feedback(answer.message_id, "bad")
    stats = (await bench.assistant.get_system_stats())["quality"]
    assert (stats["answers"], stats["groundedness"], stats["feedback_bad"]) == (1, 0.5, 1)
    assert stats["days"][0]["answers"] == 1


async def test_a_follow_up_is_searched_for_with_what_it_leaves_out(bench: Bench) -> None:
    bench.says("It was 4.7 million [1].")
    first = await bench.ask("How much was the revenue in 2021?", conversation_id="new")
    events = await bench.events("and how much was it in 2022?", conversation_id=first.conversation_id)
    found = next(event for event in events if isinstance(event, ContextFound))
    assert found.evidence.searched_for == "and how much was it in 2022? (revenue)"
    assert len(found.citations) == 1
    assert bench.shelf.searched == ["How much was the revenue in 2021?", "and how much was it in 2022? (revenue)"]
    done = events[-1]
    assert isinstance(done, TurnDone)
    assert done.response.evidence.searched_for == found.evidence.searched_for


async def test_the_model_makes_a_follow_up_whole_only_where_that_is_allowed(bench: Bench) -> None:
    provider = bench.says("What was the revenue of Contoso in 2022?\n\nSure!", provider="openai", local_only=False)
    allowed = replace(Settings(), rag=RagSettings(follow_up="model"))
    bench.assistant = EnhancedLLMIntegration(
        bench.manager, lambda: allowed, conversations=bench.store, knowledge=bench.shelf
    )
    first = await bench.ask("How much was the revenue in 2021?", conversation_id="new")
    assert len(provider.requests) == 1
    again = await bench.ask(
        "and in 2022? My key is sk-CANARY0123456789abcdefghij", conversation_id=first.conversation_id
    )
    assert again.evidence.searched_for == bench.shelf.searched[-1] == "What was the revenue of Contoso in 2022?"
    asked = provider.requests[1].messages[-1].content
    assert "How much was the revenue in 2021?" in asked
    assert "CANARY" not in asked


async def test_a_model_that_fails_to_rewrite_leaves_it_to_the_rule(bench: Bench) -> None:
    bench.says("It was 4.1 million [1].")
    first = await bench.ask("How much was the revenue in 2021?", conversation_id="new")
    allowed = replace(Settings(), rag=RagSettings(follow_up="model"))
    bench.assistant = EnhancedLLMIntegration(
        bench.manager, lambda: allowed, conversations=bench.store, knowledge=bench.shelf
    )
    bench.says("x" * 1_000)
    again = await bench.ask("and in 2022?", conversation_id=first.conversation_id)
    assert again.evidence.searched_for == "and in 2022? (revenue)"


async def test_a_short_question_is_searched_for_as_it_is_first(bench: Bench) -> None:
    bench.says("Yes [1].")
    first = await bench.ask("How much was the revenue in 2021?", conversation_id="new")
    bench.shelf.searched = []
    await bench.ask("When exactly?", conversation_id=first.conversation_id)
    assert bench.shelf.searched == ["When exactly?", "When exactly? (revenue 2021)"]


async def test_a_short_question_about_something_else_is_not_answered_with_the_subject_before(bench: Bench) -> None:
    bench.says("It was 4.1 million [1].")
    first = await bench.ask("How much was the revenue in 2021?", conversation_id="new")
    answer = await bench.ask("What is the capital of France?", conversation_id=first.conversation_id)
    assert (answer.citations, answer.evidence.searched_for) == ((), "")
    assert answer.evidence.quality is not None
    assert answer.evidence.quality.found is False


async def test_documents_that_were_asked_for_and_hold_nothing_answer_without_a_model(bench: Bench) -> None:
    provider = bench.says("Elena Elenrode, I think.")
    answer = await bench.ask("Who leads Globex?", documents_only=True, conversation_id="new")
    assert answer.content.startswith(NOT_THERE)
    assert (len(provider.requests), answer.cost_usd, answer.attempts) == (0, Decimal(), ())
    assert answer.evidence.quality is not None
    assert answer.evidence.quality.found is False
    assert answer.evidence.left_out == (DROPPED,)
    bench.shelf.number = 0
    assert (await bench.ask("Who leads Globex?", documents_only=True)).content.startswith(NO_DOCUMENTS)
    assert (await bench.ask("Who leads Globex?", use_rag=True)).content == "Elena Elenrode, I think."


async def test_a_model_is_told_that_nothing_was_found_and_a_greeting_is_not_judged(bench: Bench) -> None:
    provider = bench.says("I do not know.")
    answer = await bench.ask("Who leads Globex?")
    assert NOTHING_FOUND in provider.requests[0].messages[0].content
    assert answer.evidence.quality is not None
    assert answer.evidence.quality.found is False
    greeted = await bench.ask("Good morning")
    assert NOTHING_FOUND not in provider.requests[1].messages[0].content
    assert greeted.evidence.quality is None


async def test_what_documents_do_not_hold_the_demonstration_model_is_not_asked_to_invent(bench: Bench) -> None:
    provider = bench.says("Elena Elenrode.", provider="llama_cpp")
    answer = await bench.ask("Who leads Globex?", conversation_id="new")
    assert (answer.content, answer.warnings) == (f"{NOT_THERE}\n\n{ASK_THE_MODEL}", ())
    assert answer.evidence.quality is not None
    assert not answer.evidence.quality.found
    only = await bench.ask("Who leads Globex?", documents_only=True)
    assert only.content.startswith(NOT_THERE)
    assert not provider.requests
    itself = await bench.ask("Who leads Globex?", use_rag=False)
    assert (itself.content, itself.warnings) == ("Elena Elenrode.", ())
    poem = await bench.ask("Write a poem about spring")
    assert (poem.content, poem.warnings) == ("Elena Elenrode.", ())
    extract = await bench.ask("What was the revenue in 2022?")
    assert extract.evidence.quality is not None
    assert (extract.evidence.quality.groundedness, extract.evidence.quality.citation_coverage) == (1.0, 1.0)


@pytest.mark.parametrize(("kind", "sees_it"), [("llama_cpp", False), ("openai", True)])
async def test_the_small_model_does_not_see_the_quotations_before_and_a_larger_one_does(
    bench: Bench, kind: str, sees_it: bool
) -> None:
    bench.says("-", provider="llama_cpp")
    first = await bench.ask("What was the revenue in 2022?", conversation_id="new")
    assert first.model == EXTRACT_MODEL
    provider = bench.says("A poem.", provider=kind)
    await bench.ask("Write a poem about spring", conversation_id=first.conversation_id)
    before = [message.content for message in provider.requests[0].messages if message.role != "system"][:-1]
    assert ("What was the revenue in 2022?" in before) is sees_it
    assert any("4.7 million" in content for content in before) is sees_it


async def test_without_documents_nothing_is_judged(bench: Bench) -> None:
    bench.says("Hello [7].")
    answer = await bench.ask("What is a circuit breaker?", use_rag=False)
    assert (answer.content, answer.evidence) == ("Hello [7].", Evidence())


@pytest.mark.parametrize(
    ("text", "asks"),
    [("Who leads Globex", True), ("and the price?", True), ("Wie hoch war der Umsatz", True), ("Hello", False)],
)
def test_questions_are_told_from_the_rest(text: str, asks: bool) -> None:
    assert is_question(text) is asks
