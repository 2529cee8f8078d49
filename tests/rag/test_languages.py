"""In which letters and which language a question is asked, and how text that is not Latin is cut for the index."""

from __future__ import annotations

import pytest

from vpa_desktop.rag.languages import is_foreign, is_latin
from vpa_desktop.storage.fulltext import grams_of, query_grams


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
    ],
)
def test_grams(text: str, grams: str) -> None:
    assert grams_of(text) == grams


def test_a_question_has_grams_where_any_of_it_is_not_latin() -> None:
    assert query_grams("plain") == []
    assert query_grams("中国 中国 GPT") == ["中国", "gpt"]
