"""Keyword and vector candidates to one ranking, as pure functions. The figures are from findings on six test sets.

Scores of each side are stretched to 0..1 over its candidates and averaged with ``DENSE_WEIGHT``; the three best
passages then pull the question's vector towards themselves for a second look (pseudo-relevance feedback).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

CANDIDATES = 100
DENSE_WEIGHT = 0.5
FEEDBACK_PASSAGES = 3
FEEDBACK_WEIGHT = 0.5
POSTINGS_BUDGET = 40_000
MAX_QUERY_WORDS = 64

# Measured with the default embedder on five mixes of questions and texts: of the questions that have an answer 97 to
# 99 of 100 keep their passages, of those about something else 1 to 18 of 100 still find one.
SIMILAR = 0.40
FAIRLY_SIMILAR = 0.25
COVERAGE_WITH_SIMILARITY = 0.6
COVERAGE_ALONE = 0.85
# Without a vector: words of a known script, words of another (80 to 90 of 100 kept, 5 to 10 of 100 let through),
# runs of three characters (80 kept, 5 let through).
WORDS_ALONE = 0.5
FOREIGN_WORDS_ALONE = 0.28
CHARACTERS_ALONE = 0.16

_WORD = re.compile(r"\w+")
STOP_WORDS = frozenset(
    "a about an and any are as at be been but by can could did do does for from had has have how i if in into is it "
    "its me my no not of on or our shall should so some such than that the their them then there these they this to "
    "was we were what when where which who whom whose why will with would you your".split()
)

Ranking = Sequence[tuple[int, float]]
"""(chunk id, score), best first."""


@dataclass(frozen=True, slots=True)
class Found:
    """One passage in the fused ranking."""

    chunk_id: int
    score: float
    dense_rank: int | None
    keyword_rank: int | None
    similarity: float | None


def query_words(query: str) -> list[str]:
    """Returns the question's words without stop words and repeats; all of them where nothing else would be left."""
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(query)))
    return ([word for word in words if word not in STOP_WORDS] or words)[:MAX_QUERY_WORDS]


def affordable_words(words: Sequence[str], frequencies: Mapping[str, int], budget: int = POSTINGS_BUDGET) -> list[str]:
    """Returns the words to search for: rarest first until the passages to be scored pass the budget.

    Words that are nowhere are left out; the rarest is always there.
    """
    chosen: list[str] = []
    spent = 0
    for word in sorted((w for w in words if frequencies.get(w, 0) > 0), key=lambda w: frequencies[w]):
        spent += frequencies[word]
        if chosen and spent > budget:
            break
        chosen.append(word)
    return chosen


def fuse(dense: Ranking, keyword: Ranking, dense_weight: float = DENSE_WEIGHT) -> list[Found]:
    """Averages both sides after stretching each to 0..1; a passage that one side lacks has 0 there.

    A short keyword list is all there is, so its last passage is not worth as little as those without any of the words.
    """
    keyword_low = 0.0 if len(keyword) < CANDIDATES else None
    dense_scores, keyword_scores = _stretched(dense), _stretched(keyword, keyword_low)
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
    return sorted(found, key=lambda f: (-f.score, f.chunk_id))


def with_feedback(
    query: Vector,
    dense: Ranking,
    keyword: Ranking,
    vectors_of: Callable[[Sequence[int]], Vector],
    search: Callable[[Vector], Ranking],
) -> list[Found]:
    """Fuses, moves the question's vector towards the best passages, searches and fuses again.

    ``similarity`` stays the cosine with the question itself where it is known.
    """
    import numpy as np

    first = fuse(dense, keyword)
    best = [found.chunk_id for found in first[:FEEDBACK_PASSAGES] if found.similarity is not None]
    if not best:
        return first
    moved = query + FEEDBACK_WEIGHT * vectors_of(best).mean(axis=0)
    second = search((moved / max(float(np.linalg.norm(moved)), 1e-12)).astype(np.float32))
    plain = dict(dense)
    return [
        Found(f.chunk_id, f.score, f.dense_rank, f.keyword_rank, plain.get(f.chunk_id)) for f in fuse(second, keyword)
    ]


def word_weights(words: Sequence[str], frequencies: Mapping[str, int], passages: int) -> dict[str, float]:
    """Returns how much each word of a question says: more, the fewer passages have it (inverse document frequency)."""
    return {word: math.log1p((passages + 0.5) / (frequencies.get(word, 0) + 0.5)) for word in words}


def coverage(weights: Mapping[str, float], text: str) -> float:
    """Returns how much of a question's words, by weight, a passage has; endings of words are not compared."""
    there = " " + " ".join(_WORD.findall(text.lower()))
    held = sum(weight for word, weight in weights.items() if f" {word[: max(4, len(word) - 3)]}" in there)
    return held / max(sum(weights.values()), 1e-9)


def character_coverage(query: str, text: str) -> float:
    """The same for scripts without spaces: the share of the question's runs of three characters."""
    runs = {run[i : i + 3] for run in _WORD.findall(query) for i in range(max(1, len(run) - 2))}
    return sum(run in text for run in runs) / max(len(runs), 1)


def relevant(
    found: Sequence[Found], covered: Mapping[int, float], is_exact: bool, without_vector: float = WORDS_ALONE
) -> list[Found]:
    """Returns the passages to answer from; none when even the best is about something else.

    A question stands when one passage is close to it in meaning, or fairly close and has most of its words, or has
    nearly all of its words where they are several or a number or code (``is_exact``). Passages whose closeness is not
    known need ``without_vector`` of its words.
    """

    def carries(item: Found) -> bool:
        share, cosine = covered.get(item.chunk_id, 0.0), item.similarity
        if share >= COVERAGE_ALONE and is_exact:
            return True
        if cosine is None:
            return share >= without_vector
        return cosine >= SIMILAR or (share >= COVERAGE_WITH_SIMILARITY and cosine >= FAIRLY_SIMILAR)

    if not any(carries(item) for item in found):
        return []
    return [item for item in found if (item.similarity or 0.0) >= FAIRLY_SIMILAR or carries(item)]


def spread(found: Sequence[Found], document_of: Mapping[int, str], per_document: int) -> list[Found]:
    """Keeps the order, but moves what one document has beyond ``per_document`` behind the others.

    Passages without a document are gone: they were removed meanwhile.
    """
    taken: dict[str, int] = {}
    first: list[Found] = []
    rest: list[Found] = []
    for item in found:
        document = document_of.get(item.chunk_id)
        if document is None:
            continue
        taken[document] = taken.get(document, 0) + 1
        (first if taken[document] <= per_document else rest).append(item)
    return first + rest


def _stretched(ranking: Ranking, low: float | None = None) -> dict[int, float]:
    if not ranking:
        return {}
    scores = [score for _, score in ranking]
    low = min(scores) if low is None else low
    high = max(scores)
    if high - low < 1e-9:
        return {chunk: 1.0 for chunk, _ in ranking}
    return {chunk: (score - low) / (high - low) for chunk, score in ranking}
