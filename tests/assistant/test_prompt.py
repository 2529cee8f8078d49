"""What a provider gets to read: instructions that never change, passages in the person's turn, questions first."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from vpa_desktop.assistant.prompt import HISTORY_TOKENS, build_messages
from vpa_desktop.messages import Citation
from vpa_desktop.records import MessageRecord


def record(role: str, content: str) -> MessageRecord:
    return MessageRecord("m", "c", role, content, datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]


def passage(text: str) -> Citation:
    return Citation(1, "Handbook", "/h.pdf", "Handbook", 1, "", 0.9, text)


def test_passages_change_only_the_newest_question_so_that_prompt_caches_stay_valid() -> None:
    history = [record("user", "How many days?"), record("assistant", "27 [1].")]
    without = build_messages("And hours?", history=history)
    with_one = build_messages("And hours?", history=history, citations=[passage("27 days of leave")])
    with_other = build_messages("And hours?", history=history, citations=[passage("38 hours a week")])
    assert without[:-1] == with_one[:-1] == with_other[:-1]
    assert "38 hours" in with_other[-1].content
    assert with_other[-1].role == "user"


def test_a_conversation_cut_to_fit_begins_with_a_question() -> None:
    long = "word " * HISTORY_TOKENS
    history = [record("user", long), record("assistant", "Yes."), record("user", "Why?"), record("assistant", "So.")]
    roles = [message.role for message in build_messages("And?", history=history)]
    assert roles == ["system", "user", "assistant", "user"]


def test_a_long_conversation_loses_its_oldest_turns_in_steps_so_that_its_beginning_stays() -> None:
    history: list[MessageRecord] = []
    begins: list[str] = []
    for n in range(60):
        history += [record("user", f"{n} " + "why " * 1_000), record("assistant", "so " * 1_000)]
        begins.append(build_messages("And?", history=history)[1].content)
    assert begins[0] == begins[20]  # all of it fits
    changes = sum(1 for one, next_one in pairwise(begins) if one != next_one)
    assert 2 <= changes <= 6
