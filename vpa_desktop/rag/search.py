"""A question in, stored passages out: runs both searches side by side and puts words to what they found."""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag import retrieval
from vpa_desktop.rag.chunks import is_unsegmented
from vpa_desktop.rag.closeness import USUAL, Scales
from vpa_desktop.rag.context import without_repeats
from vpa_desktop.rag.embedder import RemoteEmbedder, leaves_for
from vpa_desktop.rag.filters import filters_in, within, without
from vpa_desktop.rag.languages import is_foreign, is_latin
from vpa_desktop.rag.left_out import OFF_TOPIC
from vpa_desktop.rag.model_change import Engine
from vpa_desktop.rag.reranker import SecondLook
from vpa_desktop.rag.retrieval import Bar, Found, Ranking
from vpa_desktop.records import OtherPlace, SearchResult, SearchScope, SearchWhy
from vpa_desktop.storage.documents import DocumentStore, Passage
from vpa_desktop.storage.fulltext import composed, query_grams
from vpa_desktop.storage.passage_search import PassageSearch
from vpa_desktop.storage.spelling import respelled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpa_desktop.rag.index import Ids, VectorIndex

    Vector = NDArray[np.float32]

log = logging.getLogger(__name__)
_SHOWN_AT_MOST = 30
BY_WORDS = "Your documents were searched by words only. {reason}"
STAYED_HERE = (
    "Your documents were searched by words only. This question may not leave the computer, "
    "and the embedding model is at {host}."
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and where: the documents a search is limited to and their passages, None for all of them."""

    text: str
    documents: frozenset[str] | None = None
    passages: array[int] | None = None
    is_about_named: bool = False
    """True where the person named the documents, so that their passages need not prove that they belong."""

    stays_here: bool = False
    """True where the question must not leave this computer."""


@dataclass(frozen=True, slots=True)
class Hits:
    """The passages found, best first. ``notice`` says why only words were looked for, where that was not meant."""

    results: tuple[SearchResult, ...] = ()
    notice: str = ""


class Searcher:
    """Fused search over the passages of all or some documents."""

    def __init__(
        self,
        store: DocumentStore,
        words: PassageSearch,
        engine: Callable[[], Awaitable[Engine]],
        second_look: SecondLook | None = None,
    ) -> None:
        self._store = store
        self._words = words
        self._engine = engine
        self._second_look = second_look
        self._scales = Scales()

    async def search(
        self, query: str, top_k: int, scope: SearchScope | None = None, *, stays_here: bool = False
    ) -> Hits:
        """Returns up to ``top_k`` passages, best first; ``left_out`` says of each whether it is off the topic.

        With ``stays_here`` a model elsewhere is not asked about the question.
        """
        question = replace(await self._read(composed(query.strip()), scope or SearchScope()), stays_here=stays_here)
        if not question.text or top_k < 1 or question.documents == frozenset():
            return Hits()
        engine = await self._engine()
        if spelled := await self._words.spelled(retrieval.query_words(question.text)):
            question = replace(question, text=respelled(question.text, spelled))
        words = retrieval.query_words(question.text)
        (frequencies, keyword), (near, notice), passages = await asyncio.gather(
            self._by_words(question, words), _nearest(engine, question), self._words.about_how_many()
        )
        found = await _fused(engine, question, near, keyword)
        judged = max(top_k, _SHOWN_AT_MOST)
        found = found[: judged * 2]
        places = await self._store.places([item.passage_id for item in found], question.documents)
        first = {passage_id: held[0] for passage_id, held in places.items()}
        # The others were removed meanwhile, or are not where the search was limited to.
        there = [item for item in found if item.passage_id in first]
        cosines = {item.passage_id: item.similarity for item in there if item.similarity is not None}
        scale = await self._scales.of(engine.embedder) if cosines else USUAL
        close = {passage_id: scale.closeness(cosine) for passage_id, cosine in cosines.items()}
        fitting = {item.passage_id for item in there}
        if not question.is_about_named:
            weights = retrieval.word_weights(words, frequencies, passages)
            scaled = [replace(item, similarity=close.get(item.passage_id)) for item in there[:judged]]
            fitting = {i.passage_id for i in _relevant(question.text, weights, scaled, first)}
        if self._second_look is not None and there:
            texts = [first[item.passage_id].text for item in there]
            there = await self._second_look.reordered(question.text, there, texts)
        results = [
            _result(item, places[item.passage_id], item.passage_id in fitting, close.get(item.passage_id))
            for item in there
        ]
        return Hits(tuple(without_repeats(results, top_k)), notice)

    async def _read(self, query: str, scope: SearchScope) -> Question:
        """Takes the filters out of a question; those that fit no document are left in it as words."""
        filters = [
            item
            for item in filters_in(query)
            if item.is_certain or await self._store.documents_in(replace(item.scope, collections=scope.collections))
        ]
        scope = within(scope, filters)
        if scope.is_everything:
            return Question(query)
        documents = await self._store.documents_in(scope)
        text = without(query, filters) or " ".join(scope.names)
        passages = await self._store.passages_in(documents)
        return Question(text, documents, passages, bool(scope.names))

    async def _by_words(self, question: Question, words: Sequence[str]) -> tuple[dict[str, int], Ranking]:
        """By grams where the question is not in Latin letters, by words where it is, by both where it is mixed.

        Returns how frequent the words are, and what was found.
        """
        by_grams = await self._by_grams(question)
        frequencies, found = await self._words.by_words(words, retrieval.CANDIDATES, question.passages)
        if by_grams and not is_latin(question.text):
            return frequencies, by_grams
        if is_foreign(question.text):
            stems = retrieval.stems(words)
            _, by_stems = await self._words.by_beginnings(stems, retrieval.CANDIDATES, question.passages)
            found = retrieval.merged(found, by_stems)
        return frequencies, retrieval.merged(found, by_grams) if by_grams else found

    async def _by_grams(self, question: Question) -> Ranking:
        grams = query_grams(question.text)
        _, found = await self._words.by_grams(grams, retrieval.CANDIDATES, question.passages)
        return found


@dataclass(frozen=True, slots=True)
class _Near:
    """A question's vector, the index as it was asked, and what it found: more than are fused where that is cheap."""

    query: Vector
    index: VectorIndex
    found: Ranking


async def _nearest(engine: Engine, question: Question) -> tuple[_Near | None, str]:
    """Asks the model's index; None where the model cannot be had, with the reason where somebody has to know it."""
    host = leaves_for(engine.embedder)
    if host and question.stays_here:
        return None, STAYED_HERE.format(host=host)
    # Each takes its time at a first question: a process to start, and a library to load.
    (query, why), index = await asyncio.gather(_vector_of(engine, question.text), engine.keeper.current())
    if query is None:
        return None, why
    most = retrieval.WIDELY if _is_slow_to_ask(index) else retrieval.CANDIDATES
    return _Near(query, index, await asyncio.to_thread(index.search, query, most, _rows(question.passages))), ""


async def _vector_of(engine: Engine, text: str) -> tuple[Vector | None, str]:
    """A question's vector; None with the reason, where somebody has to know it."""
    try:
        return await engine.embedder.embed_query(text), ""
    except KnowledgeError as failed:
        log.info("searching by words only: %s", failed)
        return None, BY_WORDS.format(reason=failed) if isinstance(engine.embedder, RemoteEmbedder) else ""


def _is_slow_to_ask(index: VectorIndex) -> bool:
    return index.is_scanned and len(index) > retrieval.SLOW_TO_SCAN


def _rows(among: array[int] | None) -> Ids | None:
    import numpy as np

    return None if among is None else np.frombuffer(among, dtype=np.int64)


async def _fused(engine: Engine, question: Question, near: _Near | None, keyword: Ranking) -> list[Found]:
    """Fuses what words and the model found; without a vector, words alone."""
    is_latin_only = engine.embedder.is_latin_only
    # A model that does not know the script only disturbs what the words found.
    if near is None or (keyword and is_latin_only and not is_latin(question.text)):
        return retrieval.fuse([], keyword, dense_weight=0.0)
    is_strange = is_latin_only and is_foreign(question.text)
    weight = retrieval.FOREIGN_DENSE_WEIGHT if is_strange else retrieval.DENSE_WEIGHT
    return await _looked_twice(engine, near, keyword, question.passages, weight)


async def _looked_twice(
    engine: Engine, near: _Near, keyword: Ranking, among: array[int] | None, weight: float
) -> list[Found]:
    """Fuses, looks again from nearer to the best passages, and fuses with that.

    Where the whole index would be looked through again, only the passages nearest to the question are. ``similarity``
    stays the cosine with the question itself.
    """
    import numpy as np

    dense = near.found[: retrieval.CANDIDATES]
    first = retrieval.fuse(dense, keyword, weight)
    best = [item.passage_id for item in first[: retrieval.FEEDBACK_PASSAGES] if item.similarity is not None]
    if vectors := await engine.keeper.vectors(best):
        moved = retrieval.moved(near.query, np.stack(list(vectors.values())))
        is_wide = len(near.found) > retrieval.CANDIDATES
        allowed = np.sort(np.array([i for i, _ in near.found], dtype=np.int64)) if is_wide else _rows(among)
        second = await asyncio.to_thread(near.index.search, moved, retrieval.CANDIDATES, allowed)
        first = retrieval.fuse(second, keyword, weight)
    cosines = dict(near.found)
    unknown = [item.passage_id for item in first[:_SHOWN_AT_MOST] if item.passage_id not in cosines]
    if unknown:
        cosines |= {i: float(vector @ near.query) for i, vector in (await engine.keeper.vectors(unknown)).items()}
    return [replace(item, similarity=cosines.get(item.passage_id)) for item in first]


def _relevant(
    query: str, weights: Mapping[str, float], found: Sequence[Found], passages: Mapping[int, Passage]
) -> list[Found]:
    texts = {item.passage_id: f"{passages[item.passage_id].title} {passages[item.passage_id].text}" for item in found}
    if is_unsegmented(query):
        shares = {passage_id: retrieval.character_coverage(query, text) for passage_id, text in texts.items()}
    else:
        shares = {passage_id: retrieval.coverage(weights, text) for passage_id, text in texts.items()}
    return retrieval.relevant(found, shares, _bar(query, len(weights)))


def _bar(query: str, words: int) -> Bar:
    if is_unsegmented(query):
        return Bar(True, alone=retrieval.CHARACTERS_ALONE, leading=retrieval.CHARACTERS_LEADING, close=None)
    is_exact = words > 1 or any(char.isdigit() for char in query)
    if is_foreign(query):
        return Bar(is_exact, retrieval.FOREIGN_STANDS, retrieval.FOREIGN_SHARE_WORTH, agreed_worth=0.0, close=None)
    if is_latin(query):
        return Bar(is_exact)
    return Bar(is_exact, alone=retrieval.FOREIGN_WORDS_ALONE, leading=retrieval.FOREIGN_WORDS_LEADING, close=None)


def _result(item: Found, places: Sequence[Passage], fits: bool, closeness: float | None) -> SearchResult:
    passage = places[0]
    others = {place.document_id: place for place in places if place.document_id != passage.document_id}
    return SearchResult(
        document_id=passage.document_id,
        document=passage.document,
        path=passage.path,
        title=passage.title,
        page=passage.page,
        section=passage.section,
        chunk_id=passage.chunk_id,
        score=round(item.score, 4),
        text=passage.text,
        why=SearchWhy(item.dense_rank, item.keyword_rank, item.rerank_score),
        similarity=item.similarity,
        closeness=closeness,
        start=passage.start,
        end=passage.end,
        tokens=passage.tokens,
        left_out="" if fits else OFF_TOPIC,
        also_in=tuple(OtherPlace(p.document_id, p.document, p.path, p.page) for p in others.values()),
    )
