"""Keyword and vector candidates to one ranking, as pure functions. The figures are from findings on six test sets.

Scores of each side are stretched to 0..1 over its candidates and averaged with ``DENSE_WEIGHT``; the three best
passages then pull the question's vector towards themselves for a second look (pseudo-relevance feedback).
"""

from __future__ import annotations

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
    """Averages both sides after stretching each to 0..1; a passage that one side lacks has 0 there."""
    dense_scores, keyword_scores = _stretched(dense), _stretched(keyword)
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


def capped(found: Sequence[Found], document_of: Mapping[int, str], per_document: int) -> list[Found]:
    """Keeps the order and at most so many passages of one document; passages without a document are gone."""
    taken: dict[str, int] = {}
    kept: list[Found] = []
    for item in found:
        document = document_of.get(item.chunk_id)
        if document is None or taken.get(document, 0) >= per_document:
            continue
        taken[document] = taken.get(document, 0) + 1
        kept.append(item)
    return kept


def _stretched(ranking: Ranking) -> dict[int, float]:
    if not ranking:
        return {}
    scores = [score for _, score in ranking]
    low, high = min(scores), max(scores)
    if high - low < 1e-9:
        return {chunk: 1.0 for chunk, _ in ranking}
    return {chunk: (score - low) / (high - low) for chunk, score in ranking}
