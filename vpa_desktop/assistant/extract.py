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
PASSAGE_DECAY: Final = 0.85
NEAR_THE_BEST: Final = 0.55
ANSWERED_SHARE: Final = 0.5
NOTE: Final = (
    "*These are sentences from your documents, word for word. Add a provider in Settings for an answer in new words.*"
)

_SENTENCE_END: Final = re.compile(
    r"(?<=[.!?。！？])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9À-ÞА-Я\u0590-\uffff])|\n{2,}|\n(?=[-*•#])"
)
_HEADING: Final = re.compile(r"^#{1,6}[ \t].*$", re.MULTILINE)
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
    rarity = _rarity(sentences)
    wanted = _stems(question)
    best = _choose(sentences, wanted, rarity)
    lead = ""
    if _covered(best, wanted, rarity) < ANSWERED_SHARE:
        lead = "I found no sentence that clearly answers this. The nearest passages say:\n\n"
    if not best:
        best = [_Sentence(citations[0], 0, _short(citations[0].text), frozenset())]
    quoted = "\n>\n".join(f"> {_plain(s.text)} [{s.citation.n}]" for s in best)
    return f"{lead}{quoted}\n\n{NOTE}"


def _choose(sentences: list[_Sentence], wanted: frozenset[str], rarity: dict[str, float]) -> list[_Sentence]:
    """The few sentences that share the rarest words with the question; earlier passages weigh more."""
    scored: dict[str, tuple[float, _Sentence]] = {}
    for sentence in sentences:
        shared = wanted & sentence.stems
        if not shared:
            continue
        words = sum(rarity[stem] for stem in shared)
        length = 1 + max(0, len(sentence.stems) - 30) / 60
        score = words / length * PASSAGE_DECAY ** (sentence.citation.n - 1)
        key = sentence.text.casefold()
        if key not in scored or score > scored[key][0]:
            scored[key] = (score, sentence)
    ranked = sorted(scored.values(), key=lambda pair: -pair[0])[:MOST_SENTENCES]
    top = [sentence for score, sentence in ranked if score >= NEAR_THE_BEST * ranked[0][0]]
    return sorted(top, key=lambda s: (s.citation.n, s.position))


def _covered(best: list[_Sentence], wanted: frozenset[str], rarity: dict[str, float]) -> float:
    """The share of the question's words, by rarity, that the chosen sentences hold; unknown words count as rare."""
    rarest = max(rarity.values(), default=1.0)
    found = frozenset().union(*(s.stems for s in best)) if best else frozenset()
    total = sum(rarity.get(stem, rarest) for stem in wanted)
    return sum(rarity.get(stem, rarest) for stem in wanted & found) / total if total else 1.0


def _sentences(citation: Citation) -> list[_Sentence]:
    parts = [" ".join(part.split()) for part in _SENTENCE_END.split(_HEADING.sub("", citation.text))]
    return [
        _Sentence(citation, position, _short(part), _stems(part))
        for position, part in enumerate(parts)
        if _is_prose(part)
    ]


def _is_prose(part: str) -> bool:
    """True for text that reads as a sentence: not a heading, a table of contents, a table row or program data."""
    letters = sum(character.isalpha() or character.isspace() for character in part)
    return len(part) > 25 and letters >= 0.75 * len(part) and "...." not in part and not part.isupper()


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
