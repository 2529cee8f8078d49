"""Keyword and vector candidates to one ranking, as pure functions. The figures are from findings on six test sets.

Scores of each side are stretched to 0..1 over its candidates and averaged with ``DENSE_WEIGHT``; the three best
passages then pull the question's vector towards themselves for a second look (pseudo-relevance feedback).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vpa_desktop.storage.fulltext import folded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

CANDIDATES = 100
# Of an index that is looked through whole, so many are asked for where a second look among them saves time: with
# 100,000 passages the second ranking has the same ten at its top and 96 of the same hundred.
WIDELY, SLOW_TO_SCAN = 1_000, 20_000
DENSE_WEIGHT = 0.5
# For an English model and a question in another language in Latin letters: nDCG@10 in Spanish 0.97 (0.94 with the same
# weight as in English, 0.955 by words alone), in German 0.94 (0.92, 0.91).
FOREIGN_DENSE_WEIGHT = 0.25
FEEDBACK_PASSAGES = 3
FEEDBACK_WEIGHT = 0.5
MAX_QUERY_WORDS = 64
_SHORTEST_STEM, _ENDING = 4, 3

# A question stands when the closeness of one passage and the share of its words there add up to enough. Measured with
# the default embedder on four English sets: of the questions with an answer 98.7 to 99.3 of 100 stand, of those about
# something else 1 to 25 (``tests.benchmarks.retrieval_gate`` prints both).
STANDS = 0.565
SHARE_WORTH = 0.6
AGREED_RANK, AGREED_WORTH = 2, 0.08
# So close that none of the words is needed ("machine learning" and a guide to artificial intelligence): on the same
# sets up to 0.6 more of 100 questions stand, and of those about something else none or one, 5 in one of 13 pairs.
CLOSE_ALONE = 0.46
# An English model finds any two texts in another language close, so that words count for more there.
FOREIGN_STANDS, FOREIGN_SHARE_WORTH = 0.66, 1.0
FAIRLY_SIMILAR = 0.25
COVERAGE_ALONE = 0.85
# Without a vector: the share of the words; where the script is not Latin, of words or of runs of three characters, with
# how far the first passage is ahead of the tenth in the ranking, and the share alone where there are not so many.
WORDS_ALONE = 0.5
FOREIGN_WORDS_ALONE, FOREIGN_WORDS_LEADING = 0.28, 0.72
CHARACTERS_ALONE, CHARACTERS_LEADING = 0.16, 0.62
LEAD_WORTH, _LEAD_OVER = 0.75, 9

_WORD = re.compile(r"\w+")
STOP_WORDS = frozenset(
    "a about an and any are as at be been but by can could did do does for from had has have how i if in into is it "
    "its me my no not of on or our shall should so some such than that the their them then there these they this to "
    "was we were what when where which who whom whose why will with would you your".split()
)

Ranking = Sequence[tuple[int, float]]
"""(passage id, score), best first."""


@dataclass(frozen=True, slots=True)
class Found:
    """One passage in the fused ranking."""

    passage_id: int
    score: float
    dense_rank: int | None
    keyword_rank: int | None
    similarity: float | None
    rerank_score: float | None = None


def query_words(query: str) -> list[str]:
    """Returns the question's words without stop words and repeats; all of them where nothing else would be left."""
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(query)))
    return ([word for word in words if word not in STOP_WORDS] or words)[:MAX_QUERY_WORDS]


def fuse(dense: Ranking, keyword: Ranking, dense_weight: float = DENSE_WEIGHT) -> list[Found]:
    """Averages both sides after stretching each to 0..1; a passage that one side lacks has 0 there."""
    dense_scores, keyword_scores = stretched(dense), _words_stretched(keyword)
    dense_ranks = {chunk: rank for rank, (chunk, _) in enumerate(dense, 1)}
    keyword_ranks = {chunk: rank for rank, (chunk, _) in enumerate(keyword, 1)}
    cosines = dict(dense)
    found = [
        Found(
            chunk,
            dense_weight * dense_scores.get(chunk, 0.0) + (1 - dense_weight) * keyword_scores.get(chunk, 0.0),
            dense_ranks.get(chunk),
            keyword_ranks.get(chunk),
            cosines.get(chunk),
        )
        for chunk in dict.fromkeys([*dense_scores, *keyword_scores])
    ]
    return sorted(found, key=lambda f: (-f.score, f.passage_id))


def moved(query: Vector, best: Vector) -> Vector:
    """Returns the question's vector, pulled towards those of the best passages (rows)."""
    import numpy as np

    towards = query + FEEDBACK_WEIGHT * best.mean(axis=0)
    vector: Vector = (towards / max(float(np.linalg.norm(towards)), 1e-12)).astype(np.float32)
    return vector


def stems(words: Sequence[str]) -> list[str]:
    """Returns what words begin with, for languages whose endings the index does not know; short ones as they are."""
    return [word[: max(_SHORTEST_STEM, len(word) - _ENDING)] for word in words if len(word) > _SHORTEST_STEM]


def merged(words: Ranking, grams: Ranking) -> list[tuple[int, float]]:
    """Adds up two keyword rankings, each stretched to 0..1."""
    first, second = _words_stretched(words), _words_stretched(grams)
    both = {i: first.get(i, 0.0) + second.get(i, 0.0) for i in first | second}
    return sorted(both.items(), key=lambda hit: (-hit[1], hit[0]))[:CANDIDATES]


def word_weights(words: Sequence[str], frequencies: Mapping[str, int], passages: int) -> dict[str, float]:
    """Returns how much each word of a question says: more, the fewer passages have it (inverse document frequency)."""
    return {word: math.log1p((passages + 0.5) / (frequencies.get(word, 0) + 0.5)) for word in words}


def beginning_of(word: str) -> str:
    """Returns what is compared of a word: all but its ending."""
    return word[: max(4, len(word) - 3)]


def coverage(weights: Mapping[str, float], text: str) -> float:
    """Returns how much of a question's words, by weight, a passage has; endings and accents are not compared."""
    there = " " + " ".join(_WORD.findall(folded(text)))
    held = sum(weight for word, weight in weights.items() if f" {beginning_of(folded(word))}" in there)
    return held / max(sum(weights.values()), 1e-9)


def character_coverage(query: str, text: str) -> float:
    """The same for scripts without spaces: the share of the question's runs of three characters."""
    runs = {run[i : i + 3] for run in _WORD.findall(folded(query)) for i in range(max(1, len(run) - 2))}
    there = folded(text)
    return sum(run in there for run in runs) / max(len(runs), 1)


@dataclass(frozen=True, slots=True)
class Bar:
    """What a passage has to reach for a question to stand on it.

    ``stands`` is for its closeness with ``share_worth`` times the share of the question's words that it has, and
    ``agreed_worth`` where words and model both put it at the top; ``close`` is closeness that is enough by itself.
    Where its closeness is not known, ``alone`` is the share it needs, or ``leading`` what share and lead need together.
    Where the words are several, or a number or code (``is_exact``), nearly all of them are enough.
    """

    is_exact: bool
    stands: float = STANDS
    share_worth: float = SHARE_WORTH
    agreed_worth: float = AGREED_WORTH
    close: float | None = CLOSE_ALONE
    alone: float = WORDS_ALONE
    leading: float | None = None

    def is_reached(self, item: Found, share: float, lead: float | None) -> bool:
        """True where the passage carries the question; ``lead`` is how far the first is ahead, where that is known."""
        if share >= COVERAGE_ALONE and self.is_exact:
            return True
        if item.similarity is None:
            if self.leading is None or lead is None:
                return share >= self.alone
            return share + LEAD_WORTH * lead >= self.leading
        if self.close is not None and item.similarity >= self.close:
            return True
        agreed = self.agreed_worth if is_agreed(item) else 0.0
        return item.similarity + self.share_worth * share + agreed >= self.stands


def relevant(found: Sequence[Found], covered: Mapping[int, float], bar: Bar) -> list[Found]:
    """Returns the passages to answer from; none when even the best is about something else."""
    lead = found[0].score - found[_LEAD_OVER].score if len(found) > _LEAD_OVER else None
    carrying = {i.passage_id for i in found if bar.is_reached(i, covered.get(i.passage_id, 0.0), lead)}
    if not carrying:
        return []
    return [item for item in found if (item.similarity or 0.0) >= FAIRLY_SIMILAR or item.passage_id in carrying]


def is_agreed(item: Found) -> bool:
    """True where words and model both put the passage at the top."""
    ranks = (item.dense_rank, item.keyword_rank)
    return all(rank is not None and rank <= AGREED_RANK for rank in ranks)


def stretched(ranking: Ranking, low: float | None = None) -> dict[int, float]:
    """Returns the scores stretched to 0..1; the least, or ``low``, becomes 0."""
    if not ranking:
        return {}
    scores = [score for _, score in ranking]
    low = min(scores) if low is None else low
    high = max(scores)
    if high - low < 1e-9:
        return {passage: 1.0 for passage, _ in ranking}
    return {passage: (score - low) / (high - low) for passage, score in ranking}


def _words_stretched(keyword: Ranking) -> dict[int, float]:
    """A short keyword list is all there is: its last passage is worth more than those without any of the words."""
    return stretched(keyword, 0.0 if len(keyword) < CANDIDATES else None)
