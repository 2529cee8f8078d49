"""Statements without support are told from those with it; what cannot be judged is not judged."""

from __future__ import annotations

import re

import pytest

from vpa_desktop.assistant.extract import extract_answer, quoted
from vpa_desktop.assistant.quality import judged
from vpa_desktop.messages import Citation

LEAVE = "Employees receive 27 days of paid leave a year. Leave must be requested two weeks before it begins."
PENALTY = "For each started week of delay the supplier pays a penalty of 0.5 % of the order value, at most 5 %."


def citation(n: int, text: str) -> Citation:
    return Citation(n, f"file{n}.pdf", f"/d/file{n}.pdf", "", n, "", 0.9, text)


SENT = [citation(1, LEAVE), citation(2, PENALTY)]


def test_an_answer_that_stands_on_its_passages() -> None:
    found = judged(
        "Employees get **27 days** of paid leave each year [1]. The supplier pays a penalty of 0.5 % for each week "
        "of delay [2].",
        SENT,
        0.8,
    )
    assert (found.groundedness, found.citation_coverage, found.retrieval_confidence) == (1.0, 1.0, 0.8)
    assert (found.statements, found.unsupported) == (2, ())


@pytest.mark.parametrize(
    "invented",
    [
        "Employees receive 30 days of paid leave a year [1].",
        "Sick leave is handled by an insurance company in Geneva [1].",
        "Sick leave is paid at 0.5 % of the order value [2].",
    ],
)
def test_a_wrong_number_and_foreign_words_are_unsupported(invented: str) -> None:
    found = judged(f"Leave must be requested two weeks before it begins [1]. {invented}", SENT, None)
    assert found.groundedness == 0.5
    assert found.unsupported == (re.sub(r" \[\d\]", "", invented),)


def test_a_statement_that_names_the_wrong_passage_is_told_apart() -> None:
    found = judged("The supplier pays a penalty of 0.5 % for each week of delay [1].", SENT, None)
    assert (found.groundedness, found.unsupported) == (1.0, ())
    assert found.misattributed == ("The supplier pays a penalty of 0.5 % for each week of delay.",)


def test_statements_without_a_source_lower_the_coverage_only() -> None:
    found = judged("Employees receive 27 days of paid leave. It must be requested two weeks before. [1]", SENT, None)
    assert (found.citation_coverage, found.groundedness) == (0.5, 1.0)


def test_questions_lead_ins_headings_and_code_are_no_statements() -> None:
    answer = (
        "## What the contract says\nHere is what I found about leave:\n\n"
        "- Employees receive 27 days of paid leave [1]\n\n```\nprint(leave_days + 99)\n```\nShall I look for more?"
    )
    assert judged(answer, SENT, None).statements == 1


def test_saying_that_it_is_not_there_is_no_unsupported_statement() -> None:
    found = judged("The passages do not mention the chief executive of Globex Corporation.", SENT, 0.2)
    assert (found.found, found.statements, found.groundedness) == (True, 0, None)


def test_an_answer_in_another_language_is_not_called_wrong() -> None:
    german = (
        "Die Mitarbeiter haben im Jahr 27 Tage Urlaub, und der Urlaub ist zwei Wochen vor dem Beginn zu beantragen [1]."
    )
    found = judged(german, SENT, None)
    assert found.groundedness is None
    assert found.citation_coverage == 1.0


def test_scripts_without_spaces_are_judged_by_their_letters() -> None:
    sent = [citation(1, "従業員には年間27日の有給休暇が与えられます。")]
    assert judged("従業員の有給休暇は年間27日です[1]。", sent, None).groundedness == 1.0
    assert judged("社長の名前は山田太郎で東京に住んでいます[1]。", sent, None).groundedness == 0.0


def test_quotes_of_the_passages_are_grounded() -> None:
    answer = extract_answer("How many days of paid leave do employees get?", SENT)
    found = judged(quoted(answer), SENT, None)
    assert (found.groundedness, found.citation_coverage) == (1.0, 1.0)


def test_nothing_found_is_said() -> None:
    assert judged("Anything.", (), None).found is False
