"""An answer made of the documents' own sentences, for when only the small demonstration model is there.

That model was measured to answer three of eight questions on pasted passages and to invent the rest, so it is
not asked about documents: the sentences that fit the question best are shown, each with its source's number.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vpa_desktop.messages import Citation

EXTRACT_MODEL: Final = "extracts"
MOST_SENTENCES: Final = 4
LONGEST_SENTENCE: Final = 600

_SENTENCE_END: Final = re.compile(
    r"(?<=[.!?。！？])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9À-ÞА-Я\u0590-\uffff])|\n{2,}|\n(?=[-*•#])"
)
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_STOP: Final = frozenset(
    "a an and any are as at be been but by can did do does for from had has have how i if in into is it its many me "
    "much my no not of on or our should so than that the their them then there these they this to was we were what "
    "when where which who whom whose why will with would you your".split()
)


@dataclass(frozen=True, slots=True)
class _Sentence:
    citation: Citation
    position: int
    text: str
    stems: frozenset[str]


def extract_answer(question: str, citations: Sequence[Citation]) -> str:
    """Return Markdown: the best sentences of the passages with their numbers, and a line that says what this is."""
    sentences = [s for citation in citations for s in _sentences(citation)]
    wanted = _stems(question)
    rarity = _rarity(sentences)
    best = _choose(sentences, wanted, rarity)
    if not best:
        best = [_Sentence(citations[0], 0, _short(citations[0].text), frozenset())]
    lines = [f"> {_plain(s.text)} [{s.citation.n}]" for s in best]
    note = (
        "*These are sentences from your documents, word for word. Add a provider in Settings for an answer in "
        "new words.*"
    )
    return "\n>\n".join(lines) + f"\n\n{note}"


def _choose(sentences: list[_Sentence], wanted: frozenset[str], rarity: dict[str, float]) -> list[_Sentence]:
    scored = []
    for sentence in sentences:
        shared = wanted & sentence.stems
        if not shared:
            continue
        weight = sum(rarity[stem] for stem in shared)
        length = 1 + max(0, len(sentence.stems) - 30) / 60
        scored.append((weight / length + sentence.citation.score * 0.5, sentence))
    scored.sort(key=lambda pair: -pair[0])
    top = [s for score, s in scored[:MOST_SENTENCES] if score >= 0.55 * scored[0][0]]
    seen: set[str] = set()
    unique = [s for s in top if not (s.text in seen or seen.add(s.text))]  # type: ignore[func-returns-value]
    return sorted(unique, key=lambda s: (s.citation.n, s.position))


def _sentences(citation: Citation) -> list[_Sentence]:
    parts = [" ".join(part.split()) for part in _SENTENCE_END.split(citation.text)]
    return [
        _Sentence(citation, position, _short(part), _stems(part))
        for position, part in enumerate(parts)
        if len(part) > 15
    ]


def _rarity(sentences: list[_Sentence]) -> dict[str, float]:
    counts = Counter(stem for sentence in sentences for stem in sentence.stems)
    return {stem: math.log(1 + len(sentences) / count) for stem, count in counts.items()}


def _stems(text: str) -> frozenset[str]:
    words = (word.lower() for word in _WORD.findall(text))
    return frozenset(_stem(word) for word in words if word not in _STOP)


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 1].rsplit(" ", 1)[0] + "…"


def _plain(text: str) -> str:
    """The sentence with Markdown's own marks made harmless, so that it reads as in the document."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)
