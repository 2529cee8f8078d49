"""Text cut into passages of whole sentences, measured in the embedder's tokens. Runs inside the parser process.

A passage never crosses a part, so it has one page or section to cite; ``start`` and ``end`` are character offsets
in the text of its part. Code and rows of sheets are cut where a line ends, and a small table is not cut at all (the
loaders write the column's name into every row of a large one). One pass of the tokenizer measures everything.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vpa_desktop.rag.loaders import Part
from vpa_desktop.rag.positions import with_position

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SLICE_CHARS = 64 * 1024
_CHARS_PER_TOKEN_AT_MOST = 8
_LONGEST_WORD_CHARS = 160
# A sentence ends at .!? (with what closes it) before a blank, at a CJK full stop, or where a line ends that is not
# wrapped prose: before a blank line, a list item, a table row or a heading.
_SENTENCE_END = re.compile(
    r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\sa-z])|(?<=[。！？])|\n[ \t]*\n\s*|\n(?=[ \t]*(?:[-*+•|#>]|\d+[.)])\s?)"
)
_WHOLE_TABLE_CHARS = 400
# Thai and Lao, Burmese, Khmer, kana, Han.
_NO_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One passage: ``text`` is ``part.text[start:end]``; ``tokens`` does not count the model's own marks."""

    ordinal: int
    text: str
    page: int | None
    section: str
    start: int
    end: int
    tokens: int


@lru_cache(maxsize=2)
def tokenizer_from(path: Path) -> Tokenizer:
    """Loads a tokenizer with the padding and truncation that come in its file switched off."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def chunk_parts(parts: Sequence[Part], tokenizer: Tokenizer, *, max_tokens: int, overlap_tokens: int) -> list[Chunk]:
    """Cuts every part into passages of at most ``max_tokens`` that share sentences up to ``overlap_tokens``."""
    chunks: list[Chunk] = []
    for part in parts:
        section_of = _Sections(part)
        measured = _measured(part.text, tokenizer, max_tokens, by_line=bool(part.numbers))
        for start, end, tokens in _packed(measured, max_tokens, overlap_tokens):
            text = part.text[start:end]
            left = len(text) - len(text.lstrip())
            text = text.strip()
            if text and not is_noise(text):
                begin = start + left
                stop = begin + len(text)
                section = section_of(begin, stop)
                chunks.append(Chunk(len(chunks), text, part.page, section, begin, stop, max(tokens, 1)))
    return chunks


class _Sections:
    """The section of a passage: its part's, with the numbers of its lines where the part has them."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._line_ends = [match.start() for match in re.finditer("\n", part.text)] if part.numbers else []

    def __call__(self, start: int, end: int) -> str:
        numbers = self._part.numbers
        if not numbers:
            return self._part.section
        first, last = (bisect.bisect_left(self._line_ends, at) for at in (start, end))
        most = len(numbers) - 1
        return with_position(
            self._part.section, self._part.numbered, numbers[min(first, most)], numbers[min(last, most)]
        )


def is_unsegmented(text: str) -> bool:
    """True where most of the text is in a script written without spaces, which a word index cannot split."""
    letters = sum(1 for char in text if char.isalpha())
    return letters > 0 and len(_NO_SPACES.findall(text)) * 2 > letters


def is_latin(text: str) -> bool:
    """True where at least half of the letters are Latin ones, which is what an English model knows."""
    letters = [char for char in text if char.isalpha()]
    return sum(char < "\u0250" for char in letters) * 2 >= len(letters)


def is_noise(text: str) -> bool:
    """True for what is no language: leader dots, or mostly one unbroken run as of base64 or padding."""
    words = text.split()
    if sum(map(str.isalnum, text)) * 4 < sum(map(len, words)):
        return True
    longest = max(map(len, words), default=0)
    return longest > _LONGEST_WORD_CHARS and longest * 2 > len(text) and not _NO_SPACES.search(text)


def _measured(
    text: str, tokenizer: Tokenizer, max_tokens: int, *, by_line: bool = False
) -> Iterator[tuple[int, int, int]]:
    """Yields the sentences as (start, end, tokens), those over ``max_tokens`` cut at token borders."""
    longest_chars = max_tokens * _CHARS_PER_TOKEN_AT_MOST
    for base, piece in _slices(text):
        # Encoding.offsets builds its list anew at every access.
        token_starts = [offset[0] for offset in tokenizer.encode(piece, add_special_tokens=False).offsets]
        for start, end in _lines(piece) if by_line else units(piece):
            first, after = bisect.bisect_left(token_starts, start), bisect.bisect_left(token_starts, end)
            while after - first > max_tokens or end - start > longest_chars:
                cut = token_starts[first + max_tokens] if after - first > max_tokens else end
                cut = min(cut, start + longest_chars)
                middle = bisect.bisect_left(token_starts, cut)
                yield base + start, base + cut, middle - first
                start, first = cut, middle
            if end > start:
                yield base + start, base + end, after - first


def _slices(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        end = start + _SLICE_CHARS
        if end < len(text):
            for mark in ("\n", ". ", " "):
                found = text.rfind(mark, start + 1, end)
                if found > 0:
                    end = found + len(mark)
                    break
        yield start, text[start:end]
        start = min(end, len(text))


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield start, end
        start = end


def units(text: str) -> Iterator[tuple[int, int]]:
    """Yields what is not cut apart, by where it stands: sentences, small tables, and the rows of larger ones."""
    start = 0
    for first, after in _tables(text):
        yield from _sentences(text, start, first)
        start = after
        if after - first <= _WHOLE_TABLE_CHARS:
            yield first, after
        else:
            yield from ((first + a, first + b) for a, b in _lines(text[first:after]))
    yield from _sentences(text, start, len(text))


def _tables(text: str) -> Iterator[tuple[int, int]]:
    """Where at least two lines after each other have cells with bars between them."""
    if " | " not in text:
        return
    first, rows = 0, 0
    for start, end in _lines(text):
        if text.find(" | ", start, end) >= 0:
            first, rows = (first if rows else start), rows + 1
            continue
        if rows > 1:
            yield first, start
        rows = 0
    if rows > 1:
        yield first, len(text)


def _sentences(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    for match in _SENTENCE_END.finditer(text, start, stop):
        if match.end() > start:
            yield start, match.end()
            start = match.end()
    if start < stop:
        yield start, stop


def _packed(
    sentences: Iterator[tuple[int, int, int]], max_tokens: int, overlap_tokens: int
) -> Iterator[tuple[int, int, int]]:
    window: list[tuple[int, int, int]] = []
    fresh = 0  # sentences at the window's end that no passage has held yet
    total = 0
    longest_chars = max_tokens * _CHARS_PER_TOKEN_AT_MOST
    for sentence in sentences:
        full = total + sentence[2] > max_tokens or (window and sentence[1] - window[0][0] > longest_chars)
        if window and full:
            if fresh:
                yield window[0][0], window[-1][1], total
            window = _tail(window, min(overlap_tokens, max_tokens - sentence[2]), longest_chars - sentence[1])
            total = sum(tokens for _, _, tokens in window)
            fresh = 0
        window.append(sentence)
        total += sentence[2]
        fresh += 1
    if fresh:
        yield window[0][0], window[-1][1], total


def _tail(window: list[tuple[int, int, int]], tokens: int, chars: int) -> list[tuple[int, int, int]]:
    kept: list[tuple[int, int, int]] = []
    for sentence in reversed(window):
        tokens -= sentence[2]
        if tokens < 0 or sentence[0] + chars < 0:
            break
        kept.insert(0, sentence)
    return kept
