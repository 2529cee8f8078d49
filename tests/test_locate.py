"""A passage is found in a page's raw text, however its lines were broken and joined."""

from __future__ import annotations

from vpa_desktop.locate import find_passage

RAW = "7.3 Penalties\r\nFor each started week of de\ufffe\r\nlay the supplier pays\r\n0.5 % of the order value.\r\nEnd."


def marked(text: str, passage: str, near: int = 0) -> list[str]:
    return [text[start:end] for start, end in find_passage(text, passage, near)]


def test_line_ends_and_hyphens_do_not_hide_a_passage() -> None:
    passage = "For each started week of delay the supplier pays\n0.5 % of the order value."
    assert marked(RAW, passage) == [RAW[RAW.index("For") : RAW.index("value") + 5]]


def test_of_repeated_passages_the_nearest_is_meant() -> None:
    text = "Total due: 5 dollars. Something else. Total due: 5 dollars."
    assert find_passage(text, "Total due: 5 dollars.", 40)[0][0] == text.rindex("Total")
    assert find_passage(text, "Total due: 5 dollars.")[0][0] == 0


def test_of_a_passage_in_another_order_its_lines_are_marked() -> None:
    text = "A table\nNorth region sales 400 units\nfootnote\nSouth region sales 300 units\n"
    assert marked(text, "South region sales 300 units\nNorth region sales 400 units") == [
        "North region sales 400 units",
        "South region sales 300 units",
    ]


def test_what_is_not_there_is_not_marked() -> None:
    assert find_passage(RAW, "Something else entirely was agreed.") == []
    assert find_passage(RAW, "") == []
    assert find_passage("", "word") == []


def test_scripts_without_capitals_and_letters_that_grow_are_found() -> None:
    assert marked("前文。これは文書です。後文", "これは文書です。") == ["これは文書です"]
    assert marked("x İstanbul y", "i̇stanbul") == ["İstanbul"]
