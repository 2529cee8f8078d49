"""Where a passage stands in a text that may be broken into lines, hyphenated or spaced in another way.

Only letters and digits are compared: what a reader cleaned of line ends and hyphens is found in the raw text again.
Pure functions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LEAST_LETTERS = 12
_PIECES = re.compile(r"\n+|(?<=[.!?。！？])\s+|\s\|\s")


@dataclass(frozen=True, slots=True)
class _Letters:
    """The letters and digits of a text in small, and where each stands in it."""

    text: str
    places: list[int]


def find_passage(text: str, passage: str, near: int = 0) -> list[tuple[int, int]]:
    """Returns the ranges (start, end) of a passage in a text, the occurrence nearest to ``near``.

    One range where it is there as a whole; else those of its lines and sentences that are; none where nothing is.
    """
    whole = _letters(text)
    if (found := _nearest(whole, _letters(passage).text, near)) is not None:
        return [found]
    ranges: list[tuple[int, int]] = []
    for piece in _PIECES.split(passage):
        letters = _letters(piece).text
        if len(letters) >= _LEAST_LETTERS and (found := _nearest(whole, letters, near)) is not None:
            ranges.append(found)
    return _merged(ranges)


def _letters(text: str) -> _Letters:
    letters: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        if char.isalnum():
            for small in filter(str.isalnum, char.lower()):  # one capital can become a letter and its dot
                letters.append(small)
                places.append(place)
    return _Letters("".join(letters), places)


def _nearest(whole: _Letters, wanted: str, near: int) -> tuple[int, int] | None:
    if not wanted:
        return None
    best: int | None = None
    at = whole.text.find(wanted)
    while at >= 0:
        if best is None or abs(whole.places[at] - near) < abs(whole.places[best] - near):
            best = at
        at = whole.text.find(wanted, at + 1)
    if best is None:
        return None
    return whole.places[best], whole.places[best + len(wanted) - 1] + 1


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
