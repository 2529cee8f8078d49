"""Keyword search over passages: FTS5 with bm25, by words, and by grams for text that is not Latin."""

from __future__ import annotations

import contextlib
import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

    from vpa_desktop.storage.database import Database

_RANK = {"passages_fts": "bm25(passages_fts, 1.0, 1.0)", "passages_grams": "bm25(passages_grams)"}


class PassageSearch:
    """Answers with (passage id, score), best first; scores are bm25, larger is better.

    ``among`` limits a search to these passages, rising.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def frequencies(self, words: Sequence[str]) -> dict[str, int]:
        """Returns in how many passages each word is, in any of its forms."""

        def work(db: sqlite_utils.Database) -> dict[str, int]:
            counts: dict[str, int] = {}
            for word, terms in _terms(words).items():
                found = _frequencies(db, "passages_vocab", terms)
                counts[word] = min(found.values()) if found and len(found) == len(set(terms)) else 0
            return counts

        return await self._db.read(work)

    async def gram_frequencies(self, grams: Sequence[str]) -> dict[str, int]:
        """Returns in how many passages each gram is."""
        return await self._db.read(lambda db: _frequencies(db, "passages_grams_vocab", grams))

    async def by_words(
        self, words: Sequence[str], limit: int, among: array[int] | None = None
    ) -> list[tuple[int, float]]:
        """Returns the passages with any of the words in their text, title or section."""
        return await self._ranked("passages_fts", words, limit, among)

    async def by_beginnings(
        self, beginnings: Sequence[str], limit: int, among: array[int] | None = None
    ) -> list[tuple[int, float]]:
        """Returns the passages with words that begin so."""
        return await self._ranked("passages_fts", beginnings, limit, among, "*")

    async def by_grams(
        self, grams: Sequence[str], limit: int, among: array[int] | None = None
    ) -> list[tuple[int, float]]:
        """Returns the passages that have any of these grams; only text that is not Latin has some."""
        return await self._ranked("passages_grams", grams, limit, among)

    async def _ranked(
        self, table: str, terms: Sequence[str], limit: int, among: array[int] | None, ending: str = ""
    ) -> list[tuple[int, float]]:
        if not terms:
            return []
        match = " OR ".join(_quoted(term) + ending for term in terms)
        sql = f"SELECT rowid, -{_RANK[table]} AS score FROM {table} WHERE {table} MATCH ? ORDER BY score DESC, rowid"

        def work(db: sqlite_utils.Database) -> list[tuple[int, float]]:
            if among is None:
                return [(i, s) for i, s in db.execute(f"{sql} LIMIT ?", [match, limit])]
            rows = db.execute(sql, [match])
            return list(islice(((i, s) for i, s in rows if _is_in(among, i)), limit))

        return await self._db.read(work)


def _is_in(rising: array[int], value: int) -> bool:
    at = bisect_left(rising, value)
    return at < len(rising) and rising[at] == value


def _frequencies(db: sqlite_utils.Database, vocabulary: str, terms: Sequence[str]) -> dict[str, int]:
    if not terms:
        return {}
    sql = f"SELECT term, doc FROM {vocabulary} WHERE term IN ({', '.join('?' * len(terms))})"
    return {term: int(count) for term, count in db.execute(sql, list(terms))}


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _terms(words: Sequence[str]) -> dict[str, list[str]]:
    """The terms the word index keeps for each word, as its own tokenizer makes them (a word can give several)."""
    with contextlib.closing(sqlite3.connect(":memory:")) as conn:
        conn.execute("CREATE VIRTUAL TABLE words USING fts5(word, tokenize='porter unicode61')")
        conn.execute("CREATE VIRTUAL TABLE terms USING fts5vocab('words', 'instance')")
        conn.executemany("INSERT INTO words (rowid, word) VALUES (?, ?)", enumerate(words))
        terms: dict[str, list[str]] = {word: [] for word in words}
        for row, term in conn.execute("SELECT doc, term FROM terms ORDER BY doc, offset"):
            terms[words[row]].append(term)
    return terms
