"""In which letters and which language a question is asked, and how text that is not Latin is cut for the index."""

from __future__ import annotations

import pytest

from vpa_desktop.rag.languages import is_foreign, is_latin
from vpa_desktop.storage.fulltext import composed, folded, grams_of, query_grams


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the notice period?", True),
        ("What did 王明 say about the contract?", True),
        ("2024", True),
        ("NASUWT是什么？", False),
        ("Sky Digital是什么时候推出的？", False),
        ("Где находится столица?", False),
        ("ما هي عاصمة فرنسا؟", False),
        ("iPhone 의 가격은?", False),
    ],
)
def test_letters(question: str, expected: bool) -> None:
    assert is_latin(question) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the notice period of the contract?", False),
        ("notice period", False),
        ("Müller GmbH", False),
        ("Wie lang ist die Frist?", True),
        ("¿Cuánto cuesta el coche?", True),
        ("Combien de jours dure le préavis ?", True),
        ("Quanto dura il preavviso?", True),
        ("Kiedy kończy się umowa?", True),
        ("Kira sözleşmesi ne zaman bitiyor?", True),
        ("What does Sein und Zeit say about death?", False),
    ],
)
def test_languages(question: str, expected: bool) -> None:
    assert is_foreign(question) is expected


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("plain English, naïve café", ""),
        ("The angle α and the sum Σ of all the angles in the figure", ""),
        ("日本語のGPT-4、2024年", "日本 本語 語の gpt 4 2024 年"),
        ("Ёлка!", "елк лка"),
        ("كَتَبَ", "كتب"),
        ("हिन्दी", "हिन िन् न्द ्दी"),
        ("한국어", "한국 국어"),
        ("שָׁלוֹם", "שלו לום"),
    ],
)
def test_grams(text: str, grams: str) -> None:
    assert grams_of(text) == grams


def test_a_question_has_grams_where_any_of_it_is_not_latin() -> None:
    assert query_grams("plain") == []
    assert query_grams("中国 中国 GPT") == ["中国", "gpt"]


@pytest.mark.parametrize(
    ("typed", "usual"),
    [("fu\u0308r", "für"), ("ＡＢＣ　１２", "ABC 12"), ("ｶﾞｲﾄﾞ", "ガイド"), ("10 m²", "10 m²"), ("plain", "plain")],
)
def test_letters_are_composed_and_of_one_width(typed: str, usual: str) -> None:
    assert composed(typed) == usual


def test_what_is_compared_has_no_optional_marks() -> None:
    assert [folded(text) for text in ("Ünïcode", "كِتَـــاب", "STRASSE", "Straße")] == [
        "unicode",
        "كتاب",
        "strasse",
        "strasse",
    ]


def test_blanks_beside_one_character_alone_part_nothing() -> None:
    assert query_grams("北京 的 首 都") == query_grams("北京的首都")
    assert query_grams("北 京") == query_grams("北京")
    assert query_grams("北京 首都") == ["北京", "首都"]
    assert query_grams("서울 대학") != query_grams("서울대학")
