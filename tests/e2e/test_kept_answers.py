"""The same question twice, in two processes: the second answer is not bought, and it is said what that saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import DOCUMENTS, LLMock, Program
from tests.e2e.test_command_line import KEY, openai_at

SETTINGS = "\n[cache]\nttl_s = 3600\n"


@pytest.fixture
def asking(program: Program, llmock: LLMock) -> Program:
    """The program before a real server with a priced model."""
    program.settings(openai_at(f"{llmock.base}/v1") + SETTINGS)
    program.environ["OPENAI_API_KEY"] = KEY
    return program


def test_the_second_process_has_the_answer_and_says_what_it_saved(asking: Program) -> None:
    bought = asking("ask", "Say hello", "--json").json
    again = asking("ask", "Say hello", "--json").json
    assert (bought["cached"], again["cached"]) == (False, True)
    assert again["content"] == bought["content"]
    assert again["cost_usd"] == 0
    assert again["saved_usd"] == pytest.approx(bought["cost_usd"])
    assert again["latency_ms"] < bought["latency_ms"]
    assert [a["outcome"] for a in again["attempts"]] == ["cached"]
    caching = asking("stats", "--json").json["caching"]
    assert (caching["hits"], caching["misses"], caching["entries"], caching["cache_hit_rate"]) == (1, 1, 1, 0.5)
    assert caching["saved_usd"] == pytest.approx(bought["cost_usd"])
    assert caching["saved_ms"] > 0
    assert caching["prompt_cache_saved_usd"] == 0
    costs = asking("costs", "--json").json
    assert costs["daily_cost"] == pytest.approx(bought["cost_usd"])
    assert costs["saved_usd"] == pytest.approx(bought["cost_usd"])
    shown = asking("ask", "Say hello")
    assert shown.out.strip() == bought["content"].strip()
    assert "saved $" in shown.err


def test_fresh_asks_anew_and_other_parameters_are_another_question(asking: Program) -> None:
    asking("ask", "Say hello")
    for more in (["--fresh"], ["--temperature", "0.9"], ["--max-tokens", "999"], ["--system", "Be brief"]):
        assert asking("ask", "Say hello", "--json", *more).json["cached"] is False, more
    assert asking("ask", "Say hello", "--json").json["cached"] is True


def test_a_temporary_question_leaves_nothing_and_has_no_conversation(asking: Program) -> None:
    asking("ask", "Say hello", "--temporary")
    assert asking("stats", "--json").json["caching"]["entries"] == 0
    assert asking("ask", "Say hello", "--json").json["cached"] is False
    assert asking("ask", "Say hello", "--temporary", "--json").json["cached"] is False
    assert asking("ask", "Say hello", "--temporary", "--conversation", "new").code == 2


def test_switched_off_nothing_is_kept(asking: Program, llmock: LLMock) -> None:
    asking.settings(openai_at(f"{llmock.base}/v1") + "\n[cache]\nenabled = false\n")
    asking("ask", "Say hello")
    assert asking("ask", "Say hello", "--json").json["cached"] is False
    assert asking("stats", "--json").json["caching"]["entries"] == 0


def test_a_deleted_conversation_takes_its_answers_along(asking: Program) -> None:
    first = asking("ask", "Say hello", "--conversation", "new", "--json").json
    assert asking("ask", "Say hello", "--conversation", "new", "--json").json["cached"] is True
    asking("chats", "delete", first["conversation_id"])
    assert asking("ask", "Say hello", "--json").json["cached"] is False


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the shared test documents are not here")
def test_an_answer_from_a_document_is_kept_with_its_page_until_the_document_changes(
    asking: Program, tmp_path: Path
) -> None:
    note = tmp_path / "contract.md"
    note.write_text("# Contract\n\nThe penalty for late delivery is 0.5 percent of the order value each week.\n")
    asking("docs", "add", str(note))
    question = "What is the penalty for late delivery?"
    first = asking("ask", question, "--json").json
    again = asking("ask", question, "--json").json
    assert again["cached"] is True
    assert again["citations"] == first["citations"]
    assert again["citations"][0]["section"] == "Contract"
    assert asking("stats", "--json").json["caching"]["entries"] == 1
    note.write_text(note.read_text() + "\nThe cap is 5 percent.\n")
    asking("docs", "sync")
    assert asking("stats", "--json").json["caching"]["entries"] == 0
    assert asking("ask", question, "--json").json["cached"] is False
