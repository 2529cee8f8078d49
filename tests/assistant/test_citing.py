"""Citations are checked while they stream: a number that no passage has does not reach the reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpa_desktop.assistant.citing import CitationCheck, checked, cited


@pytest.mark.parametrize(
    ("written", "shown", "invented"),
    [
        ("Leave is 27 days [1]. It is paid [7].", "Leave is 27 days [1]. It is paid.", [7]),
        ("Both say so [1, 9].", "Both say so [1].", [9]),
        ("All of them [1-3] and more [2;3].", "All of them [1-3] and more [2;3].", []),
        ("A range [2-5].", "A range [2, 3].", [4, 5]),
        (
            "In code `a[7]` and\n```\nx = y[9]\n```\nnot here [9].",
            "In code `a[7]` and\n```\nx = y[9]\n```\nnot here.",
            [9],
        ),
        ("A link [7](https://example.org) and [7]: too", "A link [7](https://example.org) and [7]: too", []),
        ("In the year [2023] it was", "In the year [2023] it was", []),
        ("attached[1] and glued[8].", "attached[1] and glued.", [8]),
    ],
)
def test_invented_numbers_are_taken_out(written: str, shown: str, invented: list[int]) -> None:
    text, check = checked(written, {1, 2, 3})
    assert (text, check.invented) == (shown, invented)


@given(st.text(alphabet="a [],`1279(\n", max_size=60), st.data())
def test_pieces_give_the_same_as_the_whole(text: str, data: st.DataObject) -> None:
    whole, _ = checked(text, {1, 2})
    check, at, shown = CitationCheck({1, 2}), 0, ""
    while at < len(text):
        step = data.draw(st.integers(1, 7))
        shown += check.feed(text[at : at + step])
        at += step
    assert shown + check.rest() == whole


def test_without_passages_nothing_is_touched() -> None:
    assert CitationCheck(()).feed("See [7] and [") == "See [7] and ["


def test_the_warning_names_what_was_taken_out_once() -> None:
    _, check = checked("A [7]. B [8]. C [7].", {1, 2, 3})
    assert check.warning() == (
        "The answer named sources that do not exist ([7], [8]); only 3 passages were sent. They were taken out"
    )
    assert checked("A [1].", {1})[1].warning() == ""


def test_an_answer_that_begins_anew_is_checked_anew() -> None:
    check = CitationCheck({1})
    check.feed("Gone [7]. ```")
    check.restart()
    assert check.feed("New [1]. And ") + check.rest() == "New [1]. And "
    assert check.invented == []


def test_cited_numbers_are_read() -> None:
    assert cited("a [1], b [2, 4] and [5–6]") == {1, 2, 4, 5, 6}
