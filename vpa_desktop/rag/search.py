"""A question in, stored passages out: runs both searches side by side and puts words to what they found."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.messages import Citation
from vpa_desktop.rag import retrieval
from vpa_desktop.rag.chunks import is_latin, is_unsegmented
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.index import VectorIndex
from vpa_desktop.rag.index_keeper import IndexKeeper
from vpa_desktop.rag.positions import without_position
from vpa_desktop.rag.retrieval import Found, Ranking
from vpa_desktop.records import SearchResult, SearchWhy
from vpa_desktop.storage.documents import DocumentStore, Passage
from vpa_desktop.storage.passage_search import PassageSearch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

log = logging.getLogger(__name__)
_PER_DOCUMENT = 3
_NEIGHBOURS = 6
_SHOWN_AT_MOST = 30


class Searcher:
    """Fused search over the passages of all or some collections."""

    def __init__(self, store: DocumentStore, words: PassageSearch, keeper: IndexKeeper, embedder: Embedder) -> None:
        self._store = store
        self._words = words
        self._keeper = keeper
        self._embedder = embedder

    async def search(
        self, query: str, top_k: int, collections: Sequence[str] = (), *, relevant_only: bool = False
    ) -> list[SearchResult]:
        """Returns up to ``top_k`` passages, best first; ``relevant_only`` leaves out what is about something else."""
        query = query.strip()
        if not query or top_k < 1:
            return []
        words = retrieval.query_words(query)
        frequencies = await self._words.frequencies(words)
        affordable = retrieval.affordable_words(words, frequencies)
        keyword, vector = await asyncio.gather(self._by_words(query, affordable, collections), self._vector(query))
        found = await self._fused(query, vector, keyword, collections)
        passages = await self._store.passages([item.chunk_id for item in found])
        documents = {chunk_id: passage.document_id for chunk_id, passage in passages.items()}
        spread = retrieval.spread(found, documents, _PER_DOCUMENT)
        if relevant_only:
            weights = retrieval.word_weights(words, frequencies, await self._store.count_passages())
            spread = _relevant(query, weights, spread[:_SHOWN_AT_MOST], passages)
        return [_result(item, passages[item.chunk_id]) for item in spread[:top_k]]

    async def _by_words(self, query: str, words: Sequence[str], collections: Sequence[str]) -> Ranking:
        ranking = await self._words.by_words(words, retrieval.CANDIDATES, collections)
        if is_unsegmented(query):
            return await self._words.by_characters(query, retrieval.CANDIDATES, collections) or ranking
        return ranking

    async def _vector(self, query: str) -> Vector | None:
        try:
            return await self._embedder.embed_query(query)
        except KnowledgeError as failed:
            log.info("searching by words only: %s", failed)
            return None

    async def _fused(
        self, query: str, vector: Vector | None, keyword: Ranking, collections: Sequence[str]
    ) -> list[Found]:
        # A model that does not know the script only disturbs what the words found.
        if vector is None or (keyword and self._embedder.is_latin_only and not is_latin(query)):
            return retrieval.fuse([], keyword, dense_weight=0.0)
        index = await self._keeper.current()
        among = await self._store.ids_in(collections) if collections else None
        return await asyncio.to_thread(_with_vectors, index, vector, keyword, among)


async def surroundings(store: DocumentStore, chunk_id: int) -> tuple[str, str, str]:
    """Returns the text before a passage, the passage and the text after it, put together from its neighbours."""
    passage = (await store.passages([chunk_id])).get(chunk_id)
    if passage is None:
        raise KnowledgeError(
            "This passage is no longer there", "Its document was changed or removed", "Ask again to find it anew"
        )
    near = await store.passages_of(passage.document_id, passage.ordinal - _NEIGHBOURS, passage.ordinal + _NEIGHBOURS)
    same = _same_part(near, passage)
    before = _joined(same, same[0].start, passage.start)
    return before, passage.text, _joined(same, passage.end, None)


def citations_within(found: Sequence[SearchResult], top_k: int, context_tokens: int) -> tuple[Citation, ...]:
    """Numbers the best passages from 1: at most ``top_k``, and as many tokens as fit; the first always does."""
    citations: list[Citation] = []
    left = context_tokens
    for result in found:
        if len(citations) >= top_k:
            break
        if result.tokens > left and citations:
            continue
        left -= result.tokens
        citations.append(
            Citation(
                n=len(citations) + 1,
                document=result.document,
                path=result.path,
                title=result.title,
                page=result.page,
                section=result.section,
                score=result.score,
                text=result.text,
                document_id=result.document_id,
                chunk_id=result.chunk_id,
                start=result.start,
                end=result.end,
            )
        )
    return tuple(citations)


def _relevant(
    query: str, weights: Mapping[str, float], found: Sequence[Found], passages: Mapping[int, Passage]
) -> list[Found]:
    texts = {item.chunk_id: f"{passages[item.chunk_id].title} {passages[item.chunk_id].text}" for item in found}
    if is_unsegmented(query):
        shares = {chunk_id: retrieval.character_coverage(query, text) for chunk_id, text in texts.items()}
        return retrieval.relevant(found, shares, True, retrieval.CHARACTERS_ALONE)
    shares = {chunk_id: retrieval.coverage(weights, text) for chunk_id, text in texts.items()}
    is_exact = len(weights) > 1 or any(char.isdigit() for char in query)
    least = retrieval.WORDS_ALONE if is_latin(query) else retrieval.FOREIGN_WORDS_ALONE
    return retrieval.relevant(found, shares, is_exact, least)


def _with_vectors(index: VectorIndex, query: Vector, keyword: Ranking, among: Sequence[int] | None) -> list[Found]:
    import numpy as np

    allowed = None if among is None else np.array(among, dtype=np.int64)
    dense = index.search(query, retrieval.CANDIDATES, allowed)
    found = retrieval.with_feedback(
        query,
        dense,
        keyword,
        vectors_of=lambda ids: np.stack(list(index.vectors(ids).values())),
        search=lambda moved: index.search(moved, retrieval.CANDIDATES, allowed),
    )
    unknown = index.vectors([item.chunk_id for item in found[:_SHOWN_AT_MOST] if item.similarity is None])
    cosines = {chunk_id: float(vector @ query) for chunk_id, vector in unknown.items()}
    return [replace(i, similarity=cosines[i.chunk_id]) if i.chunk_id in cosines else i for i in found]


def _same_part(near: Sequence[Passage], passage: Passage) -> list[Passage]:
    """The neighbours on the passage's page or in its section: there the offsets go on rising."""
    middle = next(i for i, other in enumerate(near) if other.chunk_id == passage.chunk_id)
    place = _place(passage)
    first, last = middle, middle
    while first > 0 and _place(near[first - 1]) == place and (near[first - 1].start < near[first].start):
        first -= 1
    while last + 1 < len(near) and _place(near[last + 1]) == place and (near[last + 1].start > near[last].start):
        last += 1
    return list(near[first : last + 1])


def _place(passage: Passage) -> tuple[int | None, str]:
    return passage.page, without_position(passage.section)


def _joined(passages: Sequence[Passage], start: int, end: int | None) -> str:
    """The text from ``start`` to ``end`` as far as these passages hold it; a line end where blanks were cut off."""
    pieces: list[str] = []
    at = start
    for passage in passages:
        stop = passage.end if end is None else min(passage.end, end)
        begin = max(passage.start, at)
        if begin >= stop:
            continue
        if pieces and begin > at:
            pieces.append("\n")
        pieces.append(passage.text[begin - passage.start : stop - passage.start])
        at = stop
    return "".join(pieces)


def _result(item: Found, passage: Passage) -> SearchResult:
    return SearchResult(
        document_id=passage.document_id,
        document=passage.path.replace("\\", "/").rsplit("/", 1)[-1] or passage.title,
        path=passage.path,
        title=passage.title,
        page=passage.page,
        section=passage.section,
        chunk_id=passage.chunk_id,
        score=round(item.score, 4),
        text=passage.text,
        why=SearchWhy(item.dense_rank, item.keyword_rank),
        similarity=item.similarity,
        start=passage.start,
        end=passage.end,
        tokens=passage.tokens,
    )
