"""Words to FTS5 queries, and which texts the word index cannot serve. Not ranking: that is retrieval's.

FTS5's ``unicode61`` takes a run of letters for one word, which fails for scripts written without spaces.
"""

from __future__ import annotations

import re

_UNSEGMENTED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "]"
)
_WORD = re.compile(r"\w+")


def is_unsegmented(text: str) -> bool:
    """Whether ``text`` has letters of a script written without spaces, so that it belongs in the trigram index."""
    return _UNSEGMENTED.search(text) is not None


def words_query(words: str) -> str:
    """An FTS5 query for texts with every one of ``words``, the last as a beginning; empty where there is no word."""
    found = [f'"{word}"' for word in _WORD.findall(words)]
    return " ".join(found) + "*" if found else ""


def like_pattern(words: str) -> str:
    """A pattern for LIKE ... ESCAPE '\\' that finds ``words`` anywhere, as they stand."""
    escaped = words.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
