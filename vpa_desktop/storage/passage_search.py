"""Keyword search over passages: FTS5 with bm25 for words, its trigram index for scripts without spaces."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

    from vpa_desktop.storage.database import Database

_TEXT_WEIGHT, _HEADING_WEIGHT = 1.0, 1.0


class PassageSearch:
    """Answers with (chunk id, score), best first; scores are bm25, larger is better."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def frequencies(self, words: Sequence[str]) -> dict[str, int]:
        """Returns in how many passages each word is, in any of its forms."""

        def work(db: sqlite_utils.Database) -> dict[str, int]:
            counts: dict[str, int] = {}
            for word, terms in _terms(words).items():
                sql = f"SELECT min(doc), count(*) FROM chunks_vocab WHERE term IN ({', '.join('?' * len(terms))})"
                least, there = db.execute(sql, terms).fetchone()
                counts[word] = int(least) if terms and there == len(set(terms)) else 0
            return counts

        return await self._db.read(work)

    async def by_words(
        self, words: Sequence[str], limit: int, collections: Sequence[str] = ()
    ) -> list[tuple[int, float]]:
        """Returns the passages with any of the words in their text, title or section."""
        if not words:
            return []
        match = " OR ".join(_quoted(word) for word in words)
        rank = f"bm25(chunks_fts, {_TEXT_WEIGHT}, {_HEADING_WEIGHT})"
        return await self._ranked("chunks_fts", match, rank, limit, collections)

    async def by_characters(self, text: str, limit: int, collections: Sequence[str] = ()) -> list[tuple[int, float]]:
        """Returns the passages in scripts without spaces that share runs of three characters with the text."""
        runs = ["".join(run.split()) for run in _letters_only(text)]
        pieces = dict.fromkeys(run[i : i + 3] for run in runs for i in range(len(run) - 2))
        if not pieces:
            return []
        match = " OR ".join(_quoted(piece) for piece in list(pieces)[:64])
        return await self._ranked("chunks_trigram", match, "bm25(chunks_trigram)", limit, collections)

    async def _ranked(
        self, table: str, match: str, rank: str, limit: int, collections: Sequence[str]
    ) -> list[tuple[int, float]]:
        sql = f"SELECT rowid, -{rank} AS score FROM {table} WHERE {table} MATCH ?"
        values: list[str | int] = [match]
        if collections:
            marks = ", ".join("?" * len(collections))
            sql += (
                " AND rowid IN (SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id "
                f"WHERE d.collection IN ({marks}))"
            )
            values += collections
        sql += " ORDER BY score DESC, rowid LIMIT ?"
        values.append(limit)
        return await self._db.read(lambda db: [(i, s) for i, s in db.execute(sql, values).fetchall()])


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _letters_only(text: str) -> list[str]:
    return "".join(char if char.isalnum() else "\n" for char in text).split("\n")


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
