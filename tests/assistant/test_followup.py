"""Follow-up questions get the words they leave to the conversation; others stay as they are."""

from __future__ import annotations

import pytest

from vpa_desktop.assistant.followup import resolve

REVENUE = "How much was the revenue of Contoso in 2021?"


@pytest.mark.parametrize(
    ("question", "before", "searched"),
    [
        ("and how much was it in 2022?", [REVENUE], "and how much was it in 2022? (revenue contoso)"),
        ("What about 2023?", [REVENUE, "and how much was it in 2022?"], "What about 2023? (revenue contoso)"),
        ("Who signed it?", ["What does the lease say about pets?"], "Who signed it? (lease pets)"),
        ("Und im Jahr 2022?", ["Wie hoch war der Umsatz 2021?"], "Und im Jahr 2022? (hoch umsatz)"),
        ("Why?", ["Why was the suction drain removed?"], "Why? (suction drain removed)"),
    ],
)
def test_what_leans_on_the_conversation_gets_its_subject(question: str, before: list[str], searched: str) -> None:
    assert resolve(question, before).text == searched


@pytest.mark.parametrize(
    ("question", "before"),
    [
        ("How much paid leave do employees get each year?", [REVENUE]),
        ("Summarise the supplier contract with its penalties.", [REVENUE]),
        ("and how much was it in 2022?", []),
        ("Thanks", [REVENUE]),
    ],
)
def test_what_stands_alone_stays_as_it_is(question: str, before: list[str]) -> None:
    assert resolve(question, before).text == question


def test_a_short_question_is_only_offered_its_subject() -> None:
    assert resolve("Notice period?", ["What does the lease say about pets?"]).leans is False
    assert resolve("and its notice period?", ["What does the lease say about pets?"]).leans is True


def test_a_change_of_subject_in_between_is_followed() -> None:
    before = [REVENUE, "What does the lease say about pets?", "and about smoking?"]
    assert resolve("Who decided that?", before).text == "Who decided that? (smoking lease pets)"
