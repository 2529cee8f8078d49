"""Keyword search over passages: FTS5 with bm25, by words, and by grams for text that is not Latin.

bm25 costs fifteen times what finding the passages does, and grows with every passage that has any of the words. So the
passages are found first, word by word; those that have the most, counted by how rare the words are, are then ranked.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vpa_desktop.storage.spelling import is_word, spelled

if TYPE_CHECKING:
    import numpy as np
    import sqlite_utils
    from numpy.typing import NDArray

    from vpa_desktop.storage.database import Database

    Rows = NDArray[np.int64]

COMMON = 20_000
"""A word in more passages than this is looked for only where no word is rarer."""

POSTINGS_BUDGET = 20_000
"""So many passages, counted once for each word, are looked at: the rarest words first."""

_FREQUENT, _REMEMBERED = 1_000, 20_000
"""How often a word is in more passages than this is remembered, so that it is only read where it is searched for."""

_RANKED, _RANKED_AT_MOST = 1_000, 10_000
_RANK = {"passages_fts": "bm25(passages_fts, 1.0, 1.0)", "passages_grams": "bm25(passages_grams)"}
Hits = list[tuple[int, float]]
"""(passage id, score), best first; scores are bm25, larger is better."""


class PassageSearch:
    """Answers with hits, and in about how many passages each word is. ``among`` limits a search to these, rising."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._frequent: dict[tuple[str, str], int] = {}

    async def about_how_many(self) -> int:
        """Returns how many passages there are, or somewhat more where many were removed; counting takes long."""
        return await self._db.read(_last)

    async def by_words(
        self, words: Sequence[str], limit: int, among: array[int] | None = None
    ) -> tuple[dict[str, int], Hits]:
        """Finds passages with any of the words, in any of their forms, in their text, title or section."""
        return await self._find("passages_fts", {word: _quoted(word) for word in words}, limit, among)

    async def spelled(self, words: Sequence[str]) -> dict[str, str]:
        """Returns what words that no passage has should be: of those one letter off the most frequent there is."""
        possible = [word for word in words if is_word(word)]
        return await self._db.read(lambda db: spelled(db, possible)) if possible else {}

    async def by_beginnings(
        self, beginnings: Sequence[str], limit: int, among: array[int] | None = None
    ) -> tuple[dict[str, int], Hits]:
        """Finds passages with words that begin so."""
        return await self._find("passages_fts", {word: _quoted(word) + "*" for word in beginnings}, limit, among)

    async def by_grams(
        self, grams: Sequence[str], limit: int, among: array[int] | None = None
    ) -> tuple[dict[str, int], Hits]:
        """Finds passages that have any of these grams; only text that is not Latin has some."""
        return await self._find("passages_grams", {gram: _quoted(gram) for gram in grams}, limit, among)

    async def _find(
        self, table: str, terms: Mapping[str, str], limit: int, among: array[int] | None
    ) -> tuple[dict[str, int], Hits]:
        if not terms:
            return {}, []

        def work(db: sqlite_utils.Database) -> tuple[dict[str, int], Hits]:
            frequencies, rows = self._looked_up(db, table, terms)
            chosen = affordable(frequencies)
            rows |= {term: _rows(db, table, terms[term]) for term in chosen if term not in rows}
            match = " OR ".join(terms[term] for term in chosen)
            if not chosen and (common := [term for term, count in frequencies.items() if count]):
                match = " AND ".join(terms[term] for term in common)
                chosen, rows = [match], {match: _rows(db, table, match)}
            return frequencies, _ranked(db, table, match, _best(rows, frequencies, chosen, among), limit)

        return await self._db.read(work)

    def _looked_up(
        self, db: sqlite_utils.Database, table: str, terms: Mapping[str, str]
    ) -> tuple[dict[str, int], dict[str, Rows]]:
        """Returns in how many passages each term is, and the passages of those that were not known to be frequent."""
        frequencies: dict[str, int] = {}
        rows: dict[str, Rows] = {}
        for term, match in terms.items():
            known = self._frequent.get((table, match))
            if known is not None:
                frequencies[term] = known
                continue
            found = rows[term] = _rows(db, table, match)
            frequencies[term] = len(found)
            if len(found) > COMMON:
                # They are spread evenly enough to tell from where the last one is how many there are.
                frequencies[term] = int(len(found) * _last(db) / int(found.max()))
            if len(found) > _FREQUENT:
                self._remember(table, match, frequencies[term])
        return frequencies, rows

    def _remember(self, table: str, match: str, frequency: int) -> None:
        if len(self._frequent) >= _REMEMBERED:
            self._frequent.clear()
        self._frequent[table, match] = frequency


def affordable(frequencies: Mapping[str, int], budget: int = POSTINGS_BUDGET) -> list[str]:
    """Returns the terms to search for: rarest first until what they are in passes the budget, at least one.

    A term that is common is none of them.
    """
    chosen: list[str] = []
    spent = 0
    for term in sorted((t for t, count in frequencies.items() if 0 < count <= COMMON), key=lambda t: frequencies[t]):
        spent += frequencies[term]
        if chosen and spent > budget:
            break
        chosen.append(term)
    return chosen


def _last(db: sqlite_utils.Database) -> int:
    return int(db.execute("SELECT ifnull(max(id), 0) FROM passages").fetchone()[0])


def _rows(db: sqlite_utils.Database, table: str, match: str) -> Rows:
    import numpy as np

    # One text with all of them comes out of SQLite three times as fast as a row for each.
    found = f"SELECT rowid FROM {table} WHERE {table} MATCH ? LIMIT ?"
    text = db.execute(f"SELECT group_concat(rowid) FROM ({found})", [match, COMMON + 1]).fetchone()[0]
    rows: Rows = np.fromstring(text or "", dtype=np.int64, sep=",")
    return rows


def _best(
    rows: Mapping[str, Rows], frequencies: Mapping[str, int], terms: Sequence[str], among: array[int] | None
) -> list[int]:
    """Returns the passages that have the most of the terms, each counting the more the rarer it is."""
    import numpy as np

    if not terms:
        return []
    found = np.concatenate([rows[term] for term in terms])
    worth = np.concatenate(
        [np.full(len(rows[term]), math.log1p(1e6 / (frequencies.get(term, 0) + 1.0))) for term in terms]
    )
    if among is not None:
        allowed = np.isin(found, np.frombuffer(among, dtype=np.int64))
        found, worth = found[allowed], worth[allowed]
    if not len(found):
        return []
    # Sorted once, so that the time does not grow with the library.
    order = np.argsort(found, kind="stable")
    found = found[order]
    first = np.flatnonzero(np.concatenate([[True], found[1:] != found[:-1]]))
    passages, scores = found[first], np.add.reduceat(worth[order], first)
    if len(passages) > _RANKED:
        passages = passages[scores >= np.partition(scores, -_RANKED)[-_RANKED]]
    best: list[int] = passages[:_RANKED_AT_MOST].tolist()
    return best


def _ranked(db: sqlite_utils.Database, table: str, match: str, among: Sequence[int], limit: int) -> Hits:
    if not among:
        return []
    # The plus keeps SQLite from asking the index for each passage anew.
    sql = (
        f"SELECT rowid, -{_RANK[table]} AS score FROM {table} WHERE {table} MATCH ? "
        "AND +rowid IN (SELECT value FROM json_each(?)) ORDER BY score DESC, rowid LIMIT ?"
    )
    return [(i, s) for i, s in db.execute(sql, [match, json.dumps(among), limit])]


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
