"""Words to FTS5 queries, and what is indexed of texts that words cannot serve. Not ranking: that is retrieval's.

FTS5's ``unicode61`` takes a run of letters for one word, which fails for scripts written without spaces, and its
stemmer knows English alone. Text that is not Latin is therefore also indexed by its grams: runs of two characters
where a character is a syllable or more (Han, kana, Hangul), of three elsewhere. Measured, of 100 questions and without
a vector: in Chinese 87 by runs of three and 98 by runs of two, in Arabic 89 by words and 96 by runs of three.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_UNSEGMENTED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "]"
)
# A blank beside one character alone parts words in a question, and hardly ever in a text.
_ONE_ALONE = re.compile(
    rf"(?<!{_UNSEGMENTED.pattern})(?P<alone>{_UNSEGMENTED.pattern})\s+(?={_UNSEGMENTED.pattern})"
    rf"|(?<={_UNSEGMENTED.pattern})\s+(?={_UNSEGMENTED.pattern}(?!{_UNSEGMENTED.pattern}))"
)
_OTHER_WIDTH = re.compile("[\uff01-\uff9f\u3000]+")
_WORD = re.compile(r"\w+")
_SYLLABIC = (
    (0x1100, 0x11FF),  # Hangul
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3130, 0x318F),  # Hangul
    (0x31F0, 0x31FF),  # Katakana
    (0x3400, 0x9FFF),  # Han
    (0xAC00, 0xD7AF),  # Hangul
    (0xF900, 0xFAFF),  # Han
    (0x20000, 0x3FFFF),  # Han
)
_FIRST_NOT_LATIN = "\u0370"
# What is written with a letter but not in every text: accents, Hebrew and Arabic vowel signs and the stretched line.
_OPTIONAL_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
_LEAST_SHARE = 0.1


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


def grams_of(text: str) -> str:
    """What the gram index keeps of a text, apart by blanks; empty where hardly a letter is not Latin."""
    if text.isascii():
        return ""
    letters = [char for char in text if char.isalpha()]
    foreign = sum(char >= _FIRST_NOT_LATIN for char in letters)
    return " ".join(_grams(text)) if foreign > _LEAST_SHARE * len(letters) else ""


def query_grams(query: str) -> list[str]:
    """The different grams of a question; none where no letter of it is other than Latin."""
    if not any(char >= _FIRST_NOT_LATIN and char.isalpha() for char in query):
        return []
    return list(dict.fromkeys(_grams(_ONE_ALONE.sub(lambda match: match["alone"] or "", query))))


def _grams(text: str) -> Iterator[str]:
    """Latin words and numbers as they are, runs of other letters by their grams."""
    for kind, run in itertools.groupby(folded(text), _kind):
        letters = "".join(run)
        if kind == 1 or 0 < len(letters) <= kind:
            yield letters
        elif kind:
            yield from (letters[at : at + kind] for at in range(len(letters) - kind + 1))


def composed(text: str) -> str:
    """The same text with each letter and its marks as one character, and of the usual width."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _OTHER_WIDTH.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text))


def folded(text: str) -> str:
    """What of a text is compared: small letters without accents, Arabic vowel signs and other optional marks."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", _OPTIONAL_MARKS.sub("", apart))


@lru_cache(maxsize=8192)
def _kind(char: str) -> int:
    """The length of the grams a character goes into: 0 for what is no letter, 1 for a word kept whole."""
    if unicodedata.category(char)[0] not in "LMN":
        return 0
    if char < _FIRST_NOT_LATIN or unicodedata.category(char)[0] == "N":
        return 1
    return 2 if any(first <= ord(char) <= last for first, last in _SYLLABIC) else 3
