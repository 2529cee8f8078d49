"""The route receipt in words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from vpa_desktop.messages import Attempt
from vpa_desktop.receipts import comparison, figures, outcome


@pytest.mark.parametrize(
    ("paid", "first", "said"),
    [
        ("0.0012", "0.01", "Answered by b for $0.0012; a, your first choice, would have cost $0.0100."),
        ("0", "0.01", "Answered by b for free; a, your first choice, would have cost $0.0100."),
        ("0.0012", "0", "Answered by b for $0.0012; a, your first choice, would have cost nothing."),
        (None, "0.01", "Answered by b, at a price that is not known; a, your first choice, would have cost $0.0100."),
        ("0.0012", None, "Answered by b for $0.0012; what a, your first choice, would have cost is not known."),
    ],
)
def test_what_the_first_choice_would_have_cost(paid: str | None, first: str | None, said: str) -> None:
    money = [None if each is None else Decimal(each) for each in (paid, first)]
    assert comparison("b", money[0], "a", money[1]) == said


def test_nothing_is_compared_where_the_first_choice_answered() -> None:
    assert comparison("a", Decimal(1), "", None) == ""


def test_an_attempt_says_its_times_and_its_price() -> None:
    failed = Attempt("a", "m", "failed", "It answered 529.", 310.0, None, Decimal(0))
    good = Attempt("b", "m", "ok", "", 2_400.0, 420.0, Decimal("0.0012"))
    skipped = Attempt("c", "m", "skipped", "left alone for 4 s after failures")
    assert [outcome(each) for each in (failed, good, skipped)] == [
        "Failed after 310 ms",
        "Answered after 2.4 s",
        "Left out",
    ]
    assert figures(failed) == "nothing to pay"
    assert figures(good) == "first token after 420 ms  ·  $0.0012"
    assert figures(skipped) == ""
