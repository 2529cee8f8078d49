"""What a word may be that no passage has: one letter off, or with its umlauts written out.

No dictionary: which spellings there are is read from the word index. That knows stems, and its list of them is sorted,
so that looking for the next one there is from each possible one leaves most of the possible ones out.
"""

from __future__ import annotations

import bisect
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from vpa_desktop.storage.fulltext import folded

if TYPE_CHECKING:
    import sqlite_utils

SHORTEST = 5
"""A shorter word is too often another one when a letter is changed."""

_AT_MOST = 2
"""So many words of a question are looked for: it takes some milliseconds each."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORD = re.compile(r"\w+")
_WRITTEN_OUT = re.compile("(?<=[aou])e")


def is_word(text: str) -> bool:
    """True for a word in Latin letters that is long enough; numbers and codes with digits stay as they are."""
    return len(text) >= SHORTEST and all(char in _LETTERS for char in folded(text))


def spellings(word: str) -> Iterator[str]:
    """Yields the spellings that are one letter off: two changed over, one left out, another one, or one more.

    The first letter is kept: hardly anybody mistypes it.
    """
    plain = folded(word)
    if (umlauts := _WRITTEN_OUT.sub("", plain)) != plain:
        yield umlauts
    for at in range(1, len(plain)):
        before, after = plain[:at], plain[at:]
        yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        for letter in _LETTERS:
            yield before + letter + after[1:]
            yield before + letter + after
    for letter in _LETTERS:
        yield plain + letter


def respelled(text: str, found: Mapping[str, str]) -> str:
    """Returns a text with words (small letters) replaced by what they should be."""
    return _WORD.sub(lambda match: found.get(match[0].lower(), match[0]), text)


def spelled(db: sqlite_utils.Database, words: Sequence[str]) -> dict[str, str]:
    """Returns what those of the words that no passage has should be: the most frequent spelling there is."""
    absent = sorted((word for word in words if not _is_there(db, word)), key=len, reverse=True)
    found: dict[str, str] = {}
    for word in absent[:_AT_MOST]:
        by_stem = _by_stem(list(dict.fromkeys(spellings(word))))
        if there := _frequencies(db, sorted(by_stem)):
            found[word] = by_stem[max(there, key=lambda stem: there[stem])]
    return found


def _is_there(db: sqlite_utils.Database, word: str) -> bool:
    sql = "SELECT 1 FROM passages_fts WHERE passages_fts MATCH ? LIMIT 1"
    return db.execute(sql, [f'"{word}"']).fetchone() is not None


def _by_stem(words: Sequence[str]) -> dict[str, str]:
    """Returns words by the stems that the word index makes of them; the first where several have the same."""
    found: dict[str, str] = {}
    with closing(sqlite3.connect(":memory:")) as conn:
        conn.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize='porter unicode61')")
        conn.execute("CREATE VIRTUAL TABLE stems USING fts5vocab('words', 'instance')")
        conn.execute("INSERT INTO words (text) VALUES (?)", [" ".join(words)])
        for stem, at in conn.execute("SELECT term, offset FROM stems ORDER BY offset"):
            found.setdefault(stem, words[at])
    return found


def _frequencies(db: sqlite_utils.Database, stems: Sequence[str]) -> dict[str, int]:
    """Returns in how many passages each of these (rising) is, of those that are in any."""
    found: dict[str, int] = {}
    at = 0
    while at < len(stems):
        sql = "SELECT term, doc FROM passages_vocab WHERE term >= ? LIMIT 1"
        following = db.execute(sql, [stems[at]]).fetchone()
        if following is None:
            break
        term, count = following
        if term == stems[at]:
            found[term] = count
            at += 1
        else:
            at = bisect.bisect_left(stems, term, lo=at + 1)
    return found
