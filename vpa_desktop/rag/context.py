"""What of the passages found goes into a prompt: repeats merged, neighbours joined, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vpa_desktop.errors import KnowledgeError
from vpa_desktop.messages import Citation
from vpa_desktop.rag.excerpt import best_part
from vpa_desktop.rag.positions import without_position
from vpa_desktop.records import OtherPlace, SearchResult
from vpa_desktop.storage.documents import DocumentStore, Passage

_NEIGHBOURS = 6
_SAME = 0.8
"""The share of runs of four words that two passages have in common when they say the same."""

_GAP_CHARS = 4
"""What lies between two neighbours in a text: blanks that belong to neither."""


def without_repeats(found: Sequence[SearchResult], most: int) -> list[SearchResult]:
    """Returns up to ``most`` results, best first; one that says what a better one says is merged into it."""
    kept: list[tuple[SearchResult, frozenset[int]]] = []
    for result in found:
        own = _runs(result.text)
        same = next((n for n, (_, runs) in enumerate(kept) if _shared(own, runs) >= _SAME), None)
        if same is not None:
            kept[same] = (_merged(kept[same][0], result), kept[same][1])
        elif len(kept) < most:
            kept.append((result, own))
        else:
            break
    return [result for result, _ in kept]


def _runs(text: str) -> frozenset[int]:
    words = text.casefold().split()
    pieces: Sequence[str] = words if len(words) > 8 else text.casefold()
    if len(pieces) < 4:
        return frozenset([hash(tuple(pieces))])
    return frozenset(map(hash, zip(pieces, pieces[1:], pieces[2:], pieces[3:], strict=False)))


def _shared(a: frozenset[int], b: frozenset[int]) -> float:
    if min(len(a), len(b)) < _SAME * max(len(a), len(b)) or a.isdisjoint(b):
        return 0.0
    common = len(a & b)
    return common / (len(a) + len(b) - common)


def _merged(better: SearchResult, other: SearchResult) -> SearchResult:
    known = {better.document_id, *(place.document_id for place in better.also_in)}
    own = OtherPlace(other.document_id, other.document, other.path, other.page)
    more = {place.document_id: place for place in (own, *other.also_in) if place.document_id not in known}
    return replace(better, also_in=(*better.also_in, *more.values()))


@dataclass(slots=True)
class _Stretch:
    """A run of neighbouring passages of one part of a document, ``first`` to ``last``, and the best of them.

    The ids of a document's passages follow each other; its offsets begin anew with each page or section.
    """

    best: SearchResult
    first: int
    last: int
    start: int
    end: int
    text: str
    tokens: int

    @classmethod
    def of(cls, found: SearchResult | Passage, best: SearchResult) -> _Stretch:
        return cls(best, found.chunk_id, found.chunk_id, found.start, found.end, found.text, found.tokens)

    def is_beside(self, other: _Stretch) -> bool:
        if _part(self.best) != _part(other.best):
            return False
        before, after = (self, other) if self.first <= other.first else (other, self)
        is_next = after.first <= before.last + 1
        return is_next and before.start < after.start <= before.end + _GAP_CHARS

    def cut(self, start: int, end: int) -> None:
        """Leaves what stands from ``start`` to ``end`` of its text."""
        self.tokens = max(1, round(self.tokens * (end - start) / len(self.text)))
        self.start, self.end = self.start + start, self.start + end
        self.text = self.text[start:end]

    def has(self, chunk_id: int) -> bool:
        return self.first <= chunk_id <= self.last

    def tokens_more(self, other: _Stretch) -> int:
        """About how many come along when the other, which is beside it, is joined to it."""
        common = min(other.end, self.end) - max(other.start, self.start)
        return other.tokens - round(other.tokens * max(0, common) / max(1, other.end - other.start))

    def join(self, other: _Stretch) -> None:
        self.tokens += self.tokens_more(other)
        if other.end > self.end:
            self.text += other.text[self.end - other.start :] if other.start <= self.end else "\n" + other.text
        if other.start < self.start:
            head = other.text[: self.start - other.start] if other.end >= self.start else other.text + "\n"
            self.text = head + self.text
        self.start, self.end = min(other.start, self.start), max(other.end, self.end)
        self.first, self.last = min(other.first, self.first), max(other.last, self.last)


async def fill(
    store: DocumentStore, found: Sequence[SearchResult], top_k: int, tokens: int, words: Sequence[str] = ()
) -> tuple[Citation, ...]:
    """Numbers the best passages from 1: at most ``top_k``, and as many tokens as fit; the first always does.

    Passages that are neighbours in a document become one. Of one that is too long for what is left of the tokens the
    sentences are taken that have most of the question's ``words``; what is left then goes to the neighbours of the
    passages chosen, best first.
    """
    stretches: list[_Stretch] = []
    left = tokens
    for result in found:
        own = _Stretch.of(result, result)
        beside = next((stretch for stretch in stretches if stretch.is_beside(own)), None)
        if beside is None and len(stretches) >= top_k:
            continue
        more = own.tokens if beside is None else beside.tokens_more(own)
        if more > left and stretches:
            part = None if beside else best_part(own.text, own.tokens, left, words)
            if part is None:
                continue
            own.cut(*part)
            more = own.tokens
        left -= more
        if beside is None:
            stretches.append(own)
        else:
            beside.join(own)
    stretches = _grown_together(stretches)
    await _widen(store, stretches, left)
    return tuple(_citation(n, stretch) for n, stretch in enumerate(_grown_together(stretches), 1))


def _grown_together(stretches: Sequence[_Stretch]) -> list[_Stretch]:
    """Makes one of those that came to lie beside each other."""
    kept: list[_Stretch] = []
    for stretch in stretches:
        beside = next((other for other in kept if other.is_beside(stretch)), None)
        if beside is None:
            kept.append(stretch)
        else:
            beside.join(stretch)
    return kept


async def _widen(store: DocumentStore, stretches: Sequence[_Stretch], left: int) -> None:
    for stretch in stretches:
        if left <= 0:
            return
        best = stretch.best
        own = (await store.passages([best.chunk_id])).get(best.chunk_id)
        if own is None:
            continue
        near = await store.passages_of(own.document_id, own.ordinal - _NEIGHBOURS, own.ordinal + _NEIGHBOURS)
        for passage in sorted(near, key=lambda p: (abs(p.ordinal - own.ordinal), -p.ordinal)):
            more = _Stretch.of(passage, replace(best, page=passage.page, section=passage.section))
            is_free = not any(other.has(passage.chunk_id) for other in stretches)
            if is_free and stretch.is_beside(more) and stretch.tokens_more(more) <= left:
                left -= stretch.tokens_more(more)
                stretch.join(more)


def _part(passage: SearchResult | Passage) -> tuple[str, int | None, str]:
    return passage.document_id, passage.page, without_position(passage.section)


def _citation(n: int, stretch: _Stretch) -> Citation:
    best = stretch.best
    return Citation(
        n=n,
        document=best.document,
        path=best.path,
        title=best.title,
        page=best.page,
        section=best.section,
        score=best.score,
        text=stretch.text,
        document_id=best.document_id,
        chunk_id=best.chunk_id,
        start=stretch.start,
        end=stretch.end,
        also_in=tuple(place.document for place in best.also_in),
    )


async def surroundings(store: DocumentStore, chunk_id: int) -> tuple[str, str, str]:
    """Returns the text before a passage, the passage and the text after it, put together from its neighbours."""
    passage = (await store.passages([chunk_id])).get(chunk_id)
    if passage is None:
        raise KnowledgeError(
            "This passage is no longer there", "Its document was changed or removed", "Ask again to find it anew"
        )
    near = await store.passages_of(passage.document_id, passage.ordinal - _NEIGHBOURS, passage.ordinal + _NEIGHBOURS)
    same = _part_around(near, passage)
    before = _joined(same, same[0].start, passage.start)
    return before, passage.text, _joined(same, passage.end, None)


def _part_around(near: Sequence[Passage], passage: Passage) -> list[Passage]:
    """The neighbours on the passage's page or in its section: there the offsets go on rising."""
    middle = next(i for i, other in enumerate(near) if other.chunk_id == passage.chunk_id)
    place = _part(passage)
    first, last = middle, middle
    while first > 0 and _part(near[first - 1]) == place and near[first - 1].start < near[first].start:
        first -= 1
    while last + 1 < len(near) and _part(near[last + 1]) == place and near[last + 1].start > near[last].start:
        last += 1
    return list(near[first : last + 1])


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
