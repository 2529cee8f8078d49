"""An answer made of the documents' own sentences, for when only the small demonstration model is there.

That model was measured to answer three of eight questions on pasted passages and to invent the rest, so it is
not asked about documents: the sentences that fit the question best are shown, each with its source's number.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from vpa_desktop.assistant.words import sentences, stems
from vpa_desktop.evidence import EXTRACT_MODEL as EXTRACT_MODEL
from vpa_desktop.messages import Citation
from vpa_desktop.records import MessageRecord

MOST_SENTENCES: Final = 4
LONGEST_SENTENCE: Final = 600
MOST_LINES: Final = 20
PASSAGE_DECAY: Final = 0.85
NEAR_THE_BEST: Final = 0.55
ANSWERED_SHARE: Final = 0.5
NOTE: Final = (
    "*These are sentences from your documents, word for word. Add a provider in Settings for an answer in new words.*"
)

_LINE_END: Final = "  \n> "
"""A line's end inside a quotation that stays one on the screen."""

_HEADING: Final = re.compile(r"^#{1,6}[ \t].*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Sentence:
    citation: Citation
    position: int
    text: str
    stems: frozenset[str]


def extract_answer(question: str, citations: Sequence[Citation]) -> str:
    """Return Markdown: the best sentences of the passages with their numbers, and a line that says what this is."""
    found = [s for citation in citations for s in _sentences(citation)]
    rarity = _rarity(found)
    wanted = stems(question)
    best = _choose(found, wanted, rarity)
    if not best:  # a receipt, a form or a table has lines and no sentences
        best = [_lines_around(citations[0], wanted)]
        rarity = _rarity(best)
    lead = ""
    if _covered(best, wanted, rarity) < ANSWERED_SHARE:
        lead = "I found no sentence that clearly answers this. The nearest passages say:\n\n"
    quoted = "\n>\n".join(f"> {_LINE_END.join(_plain(s.text).splitlines())} [{s.citation.n}]" for s in best)
    return f"{lead}{quoted}\n\n{NOTE}"


def quoted(answer: str) -> str:
    """Return what such an answer quotes, without the words around it."""
    return "\n".join(line for line in answer.splitlines() if line.startswith(">"))


def without_extracts(history: Sequence[MessageRecord]) -> list[MessageRecord]:
    """Return the turns that a model answered: the small one would write on in the manner of the quotations."""
    kept: list[MessageRecord] = []
    for record in history:
        if record.model != EXTRACT_MODEL:
            kept.append(record)
        elif kept and kept[-1].role == "user":
            kept.pop()
    return kept


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


def _lines_around(citation: Citation, wanted: frozenset[str]) -> _Sentence:
    """The lines of a passage, as many as are quoted at once, that say most of what is asked for."""
    lines = [" ".join(line.split()) for line in citation.text.splitlines() if any(map(str.isalnum, line))]
    words = [stems(line) & wanted for line in lines]
    counts = Counter(stem for found in words for stem in found)

    def worth(first: int, last: int) -> tuple[float, int, int]:
        held = frozenset().union(*words[first:last])
        return sum(1 / counts[stem] for stem in held), sum(bool(found) for found in words[first:last]), -first

    first, last = max(_stretches(lines), key=lambda stretch: worth(*stretch), default=(0, 0))
    text = "\n".join(_short(line) for line in lines[first:last])
    return _Sentence(citation, first, text, stems(text))


def _stretches(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """From each line on as many as are quoted at once: the first, and the one behind the last."""
    for first in range(len(lines)):
        last, length = first, 0
        while last < min(len(lines), first + MOST_LINES) and (
            last == first or length + len(lines[last]) < LONGEST_SENTENCE
        ):
            length += len(lines[last]) + 1
            last += 1
        yield first, last


def _covered(best: list[_Sentence], wanted: frozenset[str], rarity: dict[str, float]) -> float:
    """The share of the question's words, by rarity, that the chosen sentences hold; unknown words count as rare."""
    rarest = max(rarity.values(), default=1.0)
    found = frozenset().union(*(s.stems for s in best)) if best else frozenset()
    total = sum(rarity.get(stem, rarest) for stem in wanted)
    return sum(rarity.get(stem, rarest) for stem in wanted & found) / total if total else 1.0


def _sentences(citation: Citation) -> list[_Sentence]:
    return [
        _Sentence(citation, position, _short(part), stems(part))
        for position, part in enumerate(sentences(_HEADING.sub("", citation.text)))
        if _is_prose(part)
    ]


def _is_prose(part: str) -> bool:
    """True for text that reads as a sentence: not a heading, a table of contents, a table row or program data."""
    letters = sum(character.isalpha() or character.isspace() for character in part)
    return len(part) > 25 and letters >= 0.75 * len(part) and "...." not in part and not part.isupper()


def _rarity(sentences: list[_Sentence]) -> dict[str, float]:
    counts = Counter(stem for sentence in sentences for stem in sentence.stems)
    return {stem: math.log(1 + len(sentences) / count) for stem, count in counts.items()}


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 1].rsplit(" ", 1)[0] + "…"


def _plain(text: str) -> str:
    """The sentence with Markdown's own marks made harmless, so that it reads as in the document."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)
