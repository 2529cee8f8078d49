"""A question that leans on the ones before it, made whole for the search. By rule, on this computer.

"And how much was it in 2022?" after "How much was the revenue in 2021?" is searched for with "revenue" added. The
model that answers sees the conversation and needs none of this; only the search does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_MOST_WORDS: Final = 8
_SHORT: Final = 3
_LOOKS_BACK: Final = 4
_NAMES_ITSELF: Final = 2
# The words that stand for something said before, and the beginnings that go on with it: en, de, fr, es.
_POINTING: Final = frozenset(
    "it its he she him her his hers they them their theirs this that these those there one ones former latter same "
    "er sie es ihn ihm ihr ihre ihren davon dazu dabei damit darin dort dies diese dieser dieses denen "
    "il elle ils elles cela ceci lui leur y en ello ella ellos ellas eso esto esa ese".split()
)
_GOING_ON: Final = re.compile(
    r"^\s*(?:and|or|but|also|what about|how about|what else|why|why not|when|where|who|how|how much|how many|how long"
    r"|und|oder|aber|auch|was ist mit|wie ist es mit|warum|wann|wo|wer|wie viel|wie viele|et|ou|mais|pourquoi|quand"
    r"|y|o|pero|por qué|cuándo)\b",
    re.IGNORECASE,
)
_LINKING: Final = re.compile(
    r"^\s*(?:and|or|but|also|what about|how about|what else|und|oder|aber|auch|was ist mit|wie ist es mit|et|ou|mais"
    r"|y|o|pero)\b",
    re.IGNORECASE,
)
_EMPTY: Final = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have how i if in into is me much "
    "many my no not of on or our please say said says should so tell than the then to us was we were what when where "
    "which who whom whose why will with would you your about also else explain show give mean means meaning "
    "der die das den dem des ein eine einer eines und oder aber auch ist sind war waren hat haben wird werden wie was "
    "wer wann wo warum welche welcher welches viel viele mit von zu im in am an auf für bei nicht kein keine ich du "
    "wir bitte sag nenne le la les un une des du de et est sont que qui quoi quel quelle combien pour dans sur "
    "el los las una unos unas del y es son qué quién cuál cuánto cuántos para en con por".split()
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What to search for. ``leans`` False where the question can stand alone and is searched for as it is first."""

    text: str
    leans: bool


def resolve(question: str, before: Sequence[str]) -> Resolved:
    """Returns the question with the words it leaves to the earlier ones; ``before`` are the questions, oldest first."""
    subject: list[str] = []
    for earlier in before[-_LOOKS_BACK:]:
        subject = _joined(earlier, subject) if _points(earlier) else _said(earlier) or subject
    if not subject or not _depends(question):
        return Resolved(question, False)
    added = [word for word in _joined(question, subject) if word not in _said(question)]
    if not added:
        return Resolved(question, False)
    return Resolved(f"{question.strip()} ({' '.join(added[:_MOST_WORDS])})", _points(question))


def _depends(question: str) -> bool:
    """Whether a question leans on what was said, or is so short that it may."""
    return _points(question) or (len(_said(question)) <= _SHORT and bool(_GOING_ON.search(question) or "?" in question))


def _points(question: str) -> bool:
    """Whether a question goes on with the one before, or has a word for something that it does not name itself.

    In "the contract with its penalties" the word stands for the contract: it comes after what it stands for.
    """
    if _LINKING.search(question):
        return True
    words = [word.lower() for word in _WORD.findall(question)]
    places = [place for place, word in enumerate(words) if word in _POINTING]
    named = [word for word in words[: places[0]] if word not in _EMPTY] if places else []
    return bool(places) and len(named) < _NAMES_ITSELF


def _said(question: str) -> list[str]:
    """The words that say what a question is about."""
    words = (word.lower() for word in _WORD.findall(question))
    return list(dict.fromkeys(word for word in words if word not in _EMPTY and word not in _POINTING))


def _joined(question: str, subject: Sequence[str]) -> list[str]:
    """The subject with what the question says; its numbers and dates take the place of the earlier ones."""
    said = _said(question)
    has_number = any(char.isdigit() for word in said for char in word)
    kept = [word for word in subject if not (has_number and any(char.isdigit() for char in word))]
    return list(dict.fromkeys([*said, *kept]))
