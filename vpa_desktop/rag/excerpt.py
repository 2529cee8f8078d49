"""The part of a passage that says most about a question, for what is left of a budget. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vpa_desktop.rag.chunks import units
from vpa_desktop.rag.retrieval import beginning_of

LEAST_TOKENS = 30
"""So few tokens are not worth a citation of their own."""

_WORD = re.compile(r"\w+")


def best_part(text: str, tokens: int, most: int, words: Sequence[str]) -> tuple[int, int] | None:
    """Returns where the whole sentences stand that have most of the words and about ``most`` of the tokens.

    ``tokens`` is what all of the text has. None where no sentence is short enough, or too little is left.
    """
    if most < LEAST_TOKENS:
        return None
    bounds = [(start, start + len(text[start:end].rstrip())) for start, end in units(text)]
    held = [_held(text[start:end], words) for start, end in bounds]
    longest = most * len(text) // max(1, tokens)
    best: tuple[int, int, int, int] | None = None
    for first, (start, _) in enumerate(bounds):
        there: set[str] = set()
        for (_, end), more in zip(bounds[first:], held[first:], strict=True):
            if end - start > longest:
                break
            there |= more
            if best is None or (len(there), end - start) > best[:2]:
                best = (len(there), end - start, start, end)
    return None if best is None else best[2:]


def _held(sentence: str, words: Sequence[str]) -> set[str]:
    there = " " + " ".join(_WORD.findall(sentence.lower()))
    return {word for word in words if f" {beginning_of(word)}" in there}
