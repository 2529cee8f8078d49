"""A provider's model for the vectors, in the wired program: nothing leaves unasked, everything is paid for once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assistant.vector_server import DIMENSIONS, VectorServer, vector_server
from vpa_desktop.assistant import provider_embedder
from vpa_desktop.assistant.embedding_calls import host_for
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import find_paths
from vpa_desktop.errors import KnowledgeError, PolicyRefused
from vpa_desktop.messages import EnhancedLLMRequest
from vpa_desktop.records import IngestReport, ProviderDraft
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.system import System, build_system

CHOICE = "cloud/words-embed"
FACTS = ("The rent is paid in March.", "The keeper of the lighthouse is Ann.", "Cats sleep on the sofa.")
PRICES = {"input_cost_per_million": 1_000, "output_cost_per_million": 1_000}
"""A word costs a tenth of a cent, so that limits are near."""


@pytest.fixture
async def server() -> AsyncIterator[VectorServer]:
    async with vector_server() as made:
        yield made


@asynccontextmanager
async def opened(
    home: Path, server: VectorServer, *, environ: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[System]:
    """The program over a folder, with the server as the provider "cloud"."""
    variables = {"VPA_KEY_CLOUD": "sk-test-0123456789abcdef", **(environ or {})}
    system = await build_system(find_paths(home), environ=variables, vault=MemoryVault())
    try:
        if "cloud" not in system.settings.providers:
            draft = ProviderDraft("cloud", "openai_compatible", "words", server.base, options={**PRICES, **options})
            await system.save_provider(draft)
        yield system
    finally:
        await system.aclose()


async def add(system: System, home: Path, collection: str = "", facts: tuple[str, ...] = FACTS) -> IngestReport:
    folder = home / f"docs{collection}"
    folder.mkdir(exist_ok=True)
    for number, fact in enumerate(facts):
        (folder / f"{number}.txt").write_text(fact)
    report = None
    async for event in system.add_documents(sorted(folder.iterdir()), collection):
        report = event
    assert isinstance(report, IngestReport)
    return report


async def found(system: System, question: str, **scope: Any) -> str:
    report = await system.knowledge.search_knowledge(question, 1, **scope)
    return report.results[0].text if report.results else ""


# Choosing


async def test_the_price_and_the_host_are_said_before_anything_is_sent(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        quote = await system.embedding.quote(CHOICE)
        assert (quote.host, quote.passages, quote.kept_here) == (server.host, 3, 0)
        assert quote.price_per_million == 1_000
        assert quote.tokens > 20
        assert quote.cost_usd == Decimal(quote.tokens) / 1_000
        with pytest.raises(PolicyRefused, match=f"would go to {server.host}"):
            await system.embedding.choose(CHOICE)
        assert server.requests == []
        assert system.settings.rag.embedding_model == "default"


async def test_once_agreed_the_passages_get_their_vectors_and_are_booked_and_audited(
    tmp_path: Path, server: VectorServer
) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        assert server.requests == [["test"]]
        assert await system.knowledge.resume() == 3
        assert len(server.texts) == 3
        assert await found(system, "Who is the keeper of the lighthouse?") == FACTS[1]
        assert await found(system, "Who is the keeper of the lighthouse?") == FACTS[1]
        assert len(server.texts) == 4  # the same question is paid for once
        rows = await system.manager.ledger.rows()
        assert [(row.provider, row.model, row.outcome) for row in rows] == [("cloud", "words-embed", "ok")] * 3
        assert all(row.cost_usd == Decimal(row.input_tokens or 0) / 1_000 for row in rows)
        entries = await AuditLog(system.db).entries()
        sent = [entry for entry in entries if entry.action == "text sent for vectors"]
        assert [(e.target, e.result, e.facts["host"], e.facts["texts"]) for e in reversed(sent)] == [
            ("cloud", "done", server.host, 1),
            ("cloud", "done", server.host, 3),
            ("cloud", "done", server.host, 1),
        ]
        assert FACTS[0] not in str(entries)


async def test_a_restart_asks_nobody_and_pays_nothing(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        await system.knowledge.resume()
    asked = len(server.requests)
    async with opened(tmp_path, server) as system:
        assert await system.knowledge.resume() == 0
        check = await system.knowledge.check()
    assert (check["passages_without_vector"], check["model"]) == (0, "words-embed (cloud)")
    assert len(server.requests) == asked


async def test_the_model_before_answers_meanwhile_and_after_going_back_nobody_is_asked(
    tmp_path: Path, server: VectorServer
) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        assert await found(system, "Where do cats sleep?") == FACTS[2]
        await system.embedding.choose(CHOICE, agreed=True)
        report = await system.knowledge.search_knowledge("Where do cats sleep?", 1)
        assert report.results[0].why.dense_rank == 1
        assert server.texts == []  # the one that came along has answered
        await system.knowledge.resume()
        await system.embedding.choose("default")
        sent = len(server.texts)
        report = await system.knowledge.search_knowledge("When is the rent paid?", 1)
        assert report.results[0].text == FACTS[0]
        assert await system.knowledge.resume() == 3
        assert len(server.texts) == sent
        assert system.settings.rag.embedding_host == ""


async def test_shorter_vectors_are_asked_for_by_the_name(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(f"{CHOICE}@16", agreed=True)
        await system.knowledge.resume()
        assert len(await system.knowledge.vector_index()) == 3
        models = await system.knowledge._vectors.models()
        assert models is not None
        assert models.answering.endswith(":words-embed:16")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("openai/text-embedding-3-small", "There is no provider openai"),
        ("local/some-model", "makes no vectors"),
    ],
)
async def test_what_cannot_be_had_is_not_chosen(choice: str, said: str, tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        with pytest.raises(KnowledgeError, match=said):
            await system.embedding.choose(choice, agreed=True)
        assert system.settings.rag.embedding_model == "default"


async def test_a_model_that_ignores_the_length_is_not_chosen(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        answer = server.answer
        server.answer = lambda body: answer({**body, "dimensions": None})  # type: ignore[method-assign]
        with pytest.raises(KnowledgeError, match="cannot give vectors of 16 numbers"):
            await system.embedding.choose(f"{CHOICE}@16", agreed=True)


async def test_the_offers_say_where_text_would_go_and_what_is_missing(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await system.save_provider(ProviderDraft("paid", "openai"))
        offers = {offer.choice: offer for offer in await system.embedding.offers()}
    assert offers["default"].is_current
    assert offers["default"].host == ""
    without_key = offers["paid/text-embedding-3-small"]
    assert without_key.host == "api.openai.com"
    assert "There is no key for paid" in without_key.note


@pytest.mark.parametrize(
    ("kind", "endpoint", "model", "more", "host"),
    [
        ("ollama", "http://127.0.0.1:11434", "nomic-embed-text", {}, ""),
        ("ollama", "http://127.0.0.1:11434", "embed:cloud", {}, "ollama.com"),
        ("ollama", "http://nas.example:11434", "nomic-embed-text", {}, "nas.example:11434"),
        ("openai_compatible", "http://127.0.0.1:1234/v1", "nomic", {}, "127.0.0.1:1234"),
        ("openai_compatible", "http://127.0.0.1:1234/v1", "nomic", {"local_only": True}, ""),
        ("openai", "", "text-embedding-3-small", {}, "api.openai.com"),
    ],
)
def test_where_text_goes(kind: str, endpoint: str, model: str, more: dict[str, Any], host: str) -> None:
    assert host_for(LLMProviderConfig(kind, api_endpoint=endpoint or None, **more), model) == host


# What never leaves


async def test_collections_that_stay_here_are_never_sent_nor_questions_to_them(
    tmp_path: Path, server: VectorServer
) -> None:
    async with opened(tmp_path, server) as system:
        await system.save_settings({"privacy.local_only_collections": ["diary"]})
        await add(system, tmp_path, "diary", (FACTS[0], "My secret is the number 7."))
        await add(system, tmp_path)
        quote = await system.embedding.quote(CHOICE)
        assert (quote.passages, quote.kept_here) == (2, 2)  # one passage stands in both
        await system.embedding.choose(CHOICE, agreed=True)
        await system.knowledge.resume()
        assert sorted(server.texts) == sorted(f"{n}.txt\n{FACTS[n]}" for n in (1, 2))
        await add(system, tmp_path, "diary", ("I bought a boat.",))
        assert "boat" not in str(server.requests)
        assert {document.state for document in await system.list_documents()} == {"ready"}
        report = await system.knowledge.search_knowledge("What is my secret number?", 1)
        assert report.results[0].text == "My secret is the number 7."
        assert "This question may not leave the computer" in report.notice
        assert "secret" not in str(server.requests)
        asked = len(server.texts)
        assert await found(system, "Where do cats sleep?", collections=["diary"]) == ""
        assert len(server.texts) == asked

        await system.save_settings({"privacy.local_only_collections": []})
        assert await system.knowledge.resume() == 3
        assert "My secret is the number 7." in str(server.requests)


async def test_a_question_for_this_computer_only_stays(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        await system.knowledge.resume()
        sent = len(server.texts)
        asked = EnhancedLLMRequest("Who is the keeper of the lighthouse?", local_only=True, use_rag=True)
        answer = await system.integration.generate_enhanced_response(asked)
        assert any("by words only" in warning for warning in answer.warnings)
        assert answer.citations[0].text == FACTS[1]
        assert len(server.texts) == sent


async def test_secrets_are_masked_before_text_leaves(tmp_path: Path, server: VectorServer) -> None:
    secret = "sk-proj-" + "a1B2c3D4e5" * 4
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path, facts=(f"The key of the server is {secret}.",))
        await system.embedding.choose(CHOICE, agreed=True)
        await system.knowledge.resume()
    assert "The key of the server is [SECRET_1]." in server.texts[0]


async def test_another_address_gets_nothing_before_it_was_agreed_to(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system, vector_server() as other:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        await system.knowledge.resume()
        await system.save_settings({"providers.cloud.api_endpoint": other.base})
        report = await system.knowledge.search_knowledge("Where do cats sleep?", 1)
        assert report.results[0].text == FACTS[2]
        assert f"No text of your documents was sent to {other.host}" in report.notice
        with pytest.raises(KnowledgeError, match=f"You have agreed to {server.host}"):
            await system.knowledge.resume()
        assert other.requests == []
        await system.embedding.choose(CHOICE, agreed=True)
        assert await system.knowledge.resume() == 3
        assert len(other.texts) == 3


async def test_a_settings_file_alone_is_no_agreement(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await system.save_settings({"rag.embedding_model": f"{CHOICE}@16"})
        report = await add(system, tmp_path)
        assert report.added == 3
        assert "You have not agreed to it yet" in report.failed[0].reason
        assert await found(system, "Where do cats sleep?") == FACTS[2]
    assert server.requests == []


async def test_a_policy_that_keeps_all_here_refuses_it(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        sent = len(server.requests)
        system.paths.policy_file.write_text("[privacy]\nlocal_only = true\n")
        system.paths.policy_file.chmod(0o600)
        await system.save_settings({"rag.top_k": 6})  # the policy is read again with the settings
        with pytest.raises(KnowledgeError, match="only models that run on this machine"):
            await system.knowledge.resume()
        with pytest.raises(KnowledgeError, match="only models that run on this machine"):
            await system.embedding.choose(CHOICE, agreed=True)
        assert len(server.requests) == sent
        refused = [e for e in await AuditLog(system.db).entries() if e.result == "refused"]
        assert refused
        assert refused[0].facts["rule"] == "privacy.local_only"


async def test_offline_nothing_is_asked_elsewhere(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server, environ={"VPA_OFFLINE": "1"}) as system:
        await system.save_settings({"providers.cloud.api_endpoint": "https://embeddings.example/v1"})
        with pytest.raises(KnowledgeError, match="offline"):
            await system.embedding.choose(CHOICE, agreed=True)


# Money


async def test_a_limit_stops_it_with_the_reason_and_more_money_lets_it_go_on(
    tmp_path: Path, server: VectorServer
) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        await system.save_settings({"budget.daily_limit_usd": 0.01})
        with pytest.raises(KnowledgeError, match="daily limit") as stopped:
            await system.knowledge.resume()
        assert "Raise the limit" in str(stopped.value)
        assert server.texts == []
        report = await system.knowledge.search_knowledge("Where do cats sleep?", 1)
        assert report.results[0].text == FACTS[2]  # the model before still answers
        keeper = asyncio.create_task(system._embedding_keeper.run())
        await system.save_settings({"budget.daily_limit_usd": 10})
        for _ in range(1_000):
            state = await system.manager.budget.state()
            if len(server.texts) == 3 and not state.reserved_usd:
                break
            await asyncio.sleep(0.01)
        keeper.cancel()
        assert len(server.texts) == 3
        assert Decimal("0.01") < state.spent_today_usd < Decimal("0.05")


async def test_what_a_server_does_not_count_is_estimated_and_not_free(tmp_path: Path, server: VectorServer) -> None:
    server.counts = False
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        assert await system.knowledge.resume() == 3
        rows = await system.manager.ledger.rows()
    assert rows
    assert all(row.estimated and row.input_tokens and row.cost_usd for row in rows)


async def test_an_unknown_price_is_not_taken_for_nothing_where_there_is_a_limit(
    tmp_path: Path, server: VectorServer
) -> None:
    nothing = {"input_cost_per_million": None, "output_cost_per_million": None}
    async with opened(tmp_path, server, **nothing) as system:
        assert (await system.embedding.quote(CHOICE)).price_per_million is None
        await system.save_settings({"budget.daily_limit_usd": 5})
        with pytest.raises(KnowledgeError, match="price of words-embed at cloud is not known"):
            await system.embedding.choose(CHOICE, agreed=True)


# Faults


async def test_too_many_requests_are_waited_out_as_long_as_the_provider_says(
    tmp_path: Path, server: VectorServer
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        system.embedding._calls._sleep = sleep
        server.refusals = [(429, "Retry-After: 7"), (503, "")]
        assert await system.knowledge.resume() == 3
        rows = await system.manager.ledger.rows()
    assert waited == [7, 2]
    assert [(row.outcome, row.error_class) for row in rows[1:]] == [
        ("failed", "rate_limit"),
        ("failed", "overloaded"),
        ("ok", ""),
    ]
    assert [row.cost_usd for row in rows[1:3]] == [0, 0]


async def test_a_provider_that_wants_to_be_left_alone_for_long_is(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        server.always = (429, "Retry-After: 3600")
        with pytest.raises(KnowledgeError):
            await system.knowledge.resume()
        assert await system._embedding_keeper.once() is False
        notices = (await system.status()).notices
    assert any("can only be searched by their words" in notice for notice in notices)


async def test_vanishing_in_the_middle_it_goes_on_later_and_pays_nothing_twice(
    tmp_path: Path, server: VectorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_embedder, "_OTHER_BATCH", 4)

    async def at_once(seconds: float) -> None:
        pass

    facts = tuple(f"Fact number {n} is about the thing {n}." for n in range(10))
    async with opened(tmp_path, server) as system:
        system.embedding._calls._sleep = at_once
        await add(system, tmp_path, facts=facts)
        await system.embedding.choose(CHOICE, agreed=True)
        server.allowed = 8
        with pytest.raises(KnowledgeError):
            await system.knowledge.resume()
    server.allowed = None
    async with opened(tmp_path, server) as system:
        assert await system.knowledge.resume() == 2
        assert len(await system.knowledge.vector_index()) == 10
    assert sorted(server.texts) == sorted(f"{n}.txt\n{fact}" for n, fact in enumerate(facts))


async def test_another_length_than_before_is_said_and_words_go_on(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        await system.knowledge.resume()
        server.dimensions = 16
        report = await system.knowledge.search_knowledge("Where do cats sleep?", 1)
        assert report.results[0].text == FACTS[2]
        assert f"gives vectors of 16 numbers, not {DIMENSIONS}" in report.notice
        await system.embedding.choose(CHOICE, agreed=True)  # chosen anew it is another model
        assert await system.knowledge.resume() == 3
        assert (await system.knowledge.search_knowledge("Where do cats sleep?", 1)).notice == ""


async def test_a_silent_provider_holds_no_question_up_and_is_left_alone_for_a_while(
    tmp_path: Path, server: VectorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_embedder, "QUERY_S", 0.2)
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        await system.knowledge.resume()
        server.is_silent = True
        asked = EnhancedLLMRequest("Who is the keeper of the lighthouse?", use_rag=True)
        answer = await system.integration.generate_enhanced_response(asked)
        assert answer.citations[0].text == FACTS[1]
        assert any("gave no vector in time" in warning for warning in answer.warnings)
        sent = len(server.requests)
        assert await found(system, "Where do cats sleep?") == FACTS[2]
        assert len(server.requests) == sent


async def test_without_its_key_words_answer_and_the_reason_is_said(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await system.save_provider(ProviderDraft("paid", "openai", endpoint="https://api.openai.com/v1"))
        model = {"rag.embedding_model": "paid/text-embedding-3-small", "rag.embedding_host": "api.openai.com"}
        await system.save_settings(model)
        report = await add(system, tmp_path)
        assert "There is no key for paid" in report.failed[0].reason
        assert await found(system, "Where do cats sleep?") == FACTS[2]


async def test_a_provider_that_was_removed_leaves_the_words(tmp_path: Path, server: VectorServer) -> None:
    async with opened(tmp_path, server) as system:
        await add(system, tmp_path)
        await system.embedding.choose(CHOICE, agreed=True)
        await system.knowledge.resume()
        await system.remove_provider("cloud")
        report = await system.knowledge.search_knowledge("Where do cats sleep?", 1)
        assert report.results[0].text == FACTS[2]
        assert "There is no provider cloud" in report.notice
    async with opened(tmp_path, server) as system:  # it is back: its vectors were kept
        sent = len(server.texts)
        assert await found(system, "Who is the keeper?") == FACTS[1]
        assert await system.knowledge.resume() == 0
        assert len(server.texts) == sent + 1
