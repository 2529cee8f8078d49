"""Text as words to compare: sentences, and the stems of the words that say something. Pure functions."""

from __future__ import annotations

import re
from typing import Final

_SENTENCE_END: Final = re.compile(
    r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9À-ÞА-Я\u0590-\uffff])|(?<=[。！？])|\n{2,}|\n(?=[-*•#])"
)
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_STOP: Final = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have how i if in into is it its many "
    "me much my no not of on or our should so than that the their them then there these they this to was we were what "
    "when where which who whom whose why will with would you your".split()
)


def sentences(text: str) -> list[str]:
    """Returns the sentences, list items and paragraphs of a text, each on one line."""
    return [line for part in _SENTENCE_END.split(text) if (line := " ".join(part.split()))]


def stems(text: str) -> frozenset[str]:
    """Returns the words that say something, without their endings; of scripts without spaces the pairs of letters."""
    found: set[str] = set()
    for word in (match.lower() for match in _WORD.findall(text)):
        if runs := _UNSPACED.findall(word):
            found.update(run[i : i + 2] for run in runs for i in range(max(1, len(run) - 1)))
        elif word not in _STOP:
            found.add(stem(word))
    return frozenset(found)


def stem(word: str) -> str:
    """Returns a word without its commonest English endings, so that its forms are equal."""
    for ending in ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def numbers(text: str) -> frozenset[str]:
    """Returns the numbers of a text, written alike: ``1,000`` and ``1000`` are equal."""
    return frozenset(re.sub(r"[.,](?=\d{3}\b)", "", found).replace(",", ".") for found in _NUMBER.findall(text))


def short_words(text: str) -> list[str]:
    """Returns the words of one to three letters, which tell languages apart."""
    return [word for word in (match.lower() for match in _WORD.findall(text)) if len(word) <= 3 and word.isalpha()]
