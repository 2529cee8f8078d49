"""Answers with proof from the command line: not in the documents, a follow-up, golden questions with their trend."""

from __future__ import annotations

import pytest

from tests.e2e.program import DOCUMENTS, Program

LEASE = "The rent of the flat in Lindenstrasse was 900 euros in 2021.\n\nThe rent of the flat was 950 euros in 2022.\n"


@pytest.fixture
def filled(program: Program) -> Program:
    file = program.home.parent / "lease.md"
    file.write_text(LEASE, encoding="utf-8")
    assert program("docs", "add", str(file), "--json").json["added"] == 1
    return program


def test_what_the_documents_do_not_hold_is_said_without_asking_a_model(filled: Program) -> None:
    answer = filled("ask", "Who is the chief executive of Globex Corporation?", "--docs", "--json").json
    assert answer["content"].startswith("This is not in your documents")
    assert (answer["citations"], answer["attempts"], answer["quality"]["found"]) == ([], [], False)
    shown = filled("ask", "Who is the chief executive of Globex Corporation?", "--docs")
    assert "Nothing in your documents fits this question" in shown.err


def test_a_follow_up_is_searched_for_with_its_subject(filled: Program) -> None:
    first = filled("ask", "How high was the rent of the flat in 2021?", "--conversation", "new", "--json").json
    assert first["searched_for"] == ""
    assert first["quality"]["groundedness"] == 1.0
    again = filled("ask", "and in 2022?", "--conversation", first["conversation_id"], "--json").json
    assert again["searched_for"] == "and in 2022? (high rent flat)"
    assert "950 euros in 2022" in again["content"]
    stats = filled("stats", "--json").json["quality"]
    assert (stats["answers"], stats["not_in_documents"], stats["groundedness"]) == (2, 0, 1.0)
    (day,) = stats["days"]
    assert {name: value for name, value in day.items() if name != "day"} == {
        k: v for k, v in stats.items() if k != "days"
    }
    printed = filled("stats").out
    assert "2 answers with documents" in printed
    row = next(line for line in printed.splitlines() if line.startswith(day["day"]))
    assert row.split()[1:4] == ["2", "0", "100%"]


def test_search_says_what_would_go_into_an_answer(filled: Program) -> None:
    (found,) = filled("docs", "search", "rent of the flat", "--json").json["results"]
    assert (found["kept"], found["left_out"]) == (True, "")
    assert "kept for an answer" in filled("docs", "search", "rent of the flat").out


def test_a_search_and_a_question_are_limited_by_name_type_and_day(filled: Program) -> None:
    def documents(*limits: str) -> list[str]:
        return [found["document"] for found in filled("docs", "search", "rent", "--json", *limits).json["results"]]

    other = filled.home.parent / "contract.txt"
    other.write_text("The rent of the garage was 80 euros in 2023.\n", encoding="utf-8")
    filled("docs", "add", str(other))
    assert sorted(documents()) == ["contract.txt", "lease.md"]
    assert documents("--type", "md") == documents("--document", "LEASE") == ["lease.md"]
    assert sorted(documents("--type", "pdf,.TXT", "--type", "md", "--after", "2020")) == ["contract.txt", "lease.md"]
    assert documents("--before", "2020-03") == documents("--document", "will") == []
    answer = filled("ask", "How high was the rent?", "--type", "txt", "--json").json
    assert [citation["document"] for citation in answer["citations"]] == ["contract.txt"]
    nothing = filled("ask", "How high was the rent?", "--before", "2020", "--json").json
    assert nothing["content"].startswith("This is not in your documents")
    for wrong in (("--after", "soon"), ("--type", "p%f")):
        ran = filled("docs", "search", "rent", *wrong)
        assert (ran.code, wrong[1] in ran.err) == (2, True)


def test_golden_questions_are_asked_after_each_change(filled: Program) -> None:
    saved = filled("docs", "golden", "add", "How high is the rent?", "--document", "lease.md", "--json").json
    run = filled("docs", "golden", "run", "--json").json["runs"][0]
    assert (run["found"], run["questions"], run["ranks"][0]["rank"]) == (1, 1, 1)
    filled("docs", "remove", saved["document_id"])
    listed = filled("docs", "golden", "list", "--json").json
    assert [r["found"] for r in listed["runs"]] == [1, 0]
    assert "trend 1/1 0/1" in filled("docs", "golden", "list").out
    assert filled("docs", "golden", "remove", saved["id"]).code == 0
    missing = filled("docs", "golden", "remove", saved["id"])
    assert (missing.code, missing.err.startswith("error: There is no golden question")) == (2, True)


def test_a_page_can_be_asked_for(program: Program) -> None:
    if not DOCUMENTS.is_dir():
        pytest.skip("the shared documents are not beside the repository")
    name = "docling__multi_page.pdf"
    program("docs", "add", str(DOCUMENTS / name))
    ran = program("docs", "golden", "add", "Which software?", "--document", name, "--page", "9")
    assert (ran.code, ran.err.strip()) == (7, f"error: {name} has no page 9. It has 5 pages.")
