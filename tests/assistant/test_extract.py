"""Extracts: the documents' own sentences with the right number, and honesty where none answers."""

from __future__ import annotations

from vpa_desktop.assistant.extract import extract_answer
from vpa_desktop.messages import Citation

CONTRACT = (
    "7.3 Penalties\n\nFor each started week of delay the supplier pays a penalty of 0.5 % of the order value. "
    "The penalty is capped at 5 % in total. Deliveries are made to the warehouse in Kiel."
)
LEAVE = "Employees receive 27 days of paid leave a year. Leave must be requested two weeks before it begins."


def citation(n: int, text: str) -> Citation:
    return Citation(n, f"file{n}.pdf", f"/d/file{n}.pdf", "", n, "", 0.9, text)


def test_the_sentence_that_answers_is_quoted_with_its_number() -> None:
    answer = extract_answer(
        "How many days of paid leave do employees get?", [citation(1, CONTRACT), citation(2, LEAVE)]
    )
    assert "> Employees receive 27 days of paid leave a year. [2]" in answer
    assert "Kiel" not in answer


def test_a_question_nothing_answers_is_said_to_be_unanswered() -> None:
    answer = extract_answer("Who is the chief executive of Globex Corporation?", [citation(1, CONTRACT)])
    assert answer.startswith("I found no sentence that clearly answers this")


def test_markdown_in_a_document_stays_text() -> None:
    text = "The secret plan is ![x](http://evil.example/a.png) and <b>bold</b> words about penalties for delay."
    answer = extract_answer("What are the penalties for delay?", [citation(1, text)])
    assert "![" not in answer.replace("\\[", "").replace("!\\", "")
    assert "<b>" not in answer.replace("\\<", "")


def test_a_heading_above_a_sentence_is_left_out() -> None:
    answer = extract_answer("How many days of paid leave do employees get?", [citation(1, f"## Annual leave\n{LEAVE}")])
    assert answer.startswith("> Employees receive 27 days of paid leave a year. [1]")


def test_tables_of_contents_and_data_are_no_sentences() -> None:
    junk = "1 OVERVIEW ........................ 6 2 PENALTY .................... 9"
    answer = extract_answer("What is the penalty for delay?", [citation(1, junk), citation(2, CONTRACT)])
    assert "...." not in answer
    assert "[2]" in answer


def test_of_a_receipt_the_lines_about_the_question_are_quoted() -> None:
    items = "\n".join(f"ARTICLE-{n:03} 1 @ $ {n}.99" for n in range(60))
    receipt = f"TECHMART\n{items}\n=========\nSUBTOTAL $863.91\nTOTAL $821.14\n=========\nReceipt required"
    answer = extract_answer("What is the total on the receipt?", [citation(1, receipt)])
    assert answer.startswith("> ")
    assert "TOTAL $821.14" in answer
    assert "TECHMART" not in answer
    assert "====" not in answer
