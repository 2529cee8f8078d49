"""Citations in an answer, checked against the passages that were sent while the answer streams.

A number that no passage has is taken out and remembered. Code is left as it is, and so are links.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_TOKEN: Final = re.compile(
    r"(?P<ticks>`+)|(?P<blank>[ \t]{0,8})\[(?P<numbers>\d{1,3}(?:[ \t]?[,;–-][ \t]?\d{1,3})*)\](?![(:])"
)
# What more text could still change: ticks that go on, blanks before a citation, a citation whose end is not there.
_OPEN_END: Final = re.compile(r"(?:`+|[ \t]{0,8}\[[\d \t,;–-]{0,40}\]?|[ \t]{1,8})$")
_LONGEST_END: Final = 64
_RANGE_AT_MOST: Final = 20


class CitationCheck:
    """Checks one answer. ``invented`` are the numbers that were taken out, in their order."""

    def __init__(self, sent: Collection[int]) -> None:
        self.invented: list[int] = []
        self._sent = frozenset(sent)
        self._held = ""
        self._code = ""

    def feed(self, piece: str) -> str:
        """Returns what can be shown after the next piece."""
        if not self._sent:
            return piece
        text = self._held + piece
        tail = text[-_LONGEST_END:]
        open_end = _OPEN_END.search(tail)
        at = len(text) - len(tail) + open_end.start() if open_end else len(text)
        self._held = text[at:]
        return self._checked(text[:at])

    def rest(self) -> str:
        """Returns what was held back at the end."""
        held, self._held = self._held, ""
        return self._checked(held) if held else ""

    def restart(self) -> None:
        """Forgets the text so far: the answer begins anew."""
        self._held, self._code = "", ""
        self.invented.clear()

    def warning(self) -> str:
        """Returns what is said of the numbers that were taken out; empty where none was."""
        if not self.invented:
            return ""
        names = ", ".join(f"[{n}]" for n in dict.fromkeys(self.invented))
        number = f"only {len(self._sent)} passages were" if len(self._sent) > 1 else "only one passage was"
        return f"The answer named sources that do not exist ({names}); {number} sent. They were taken out"

    def _checked(self, text: str) -> str:
        return _TOKEN.sub(self._replaced, text)

    def _replaced(self, token: re.Match[str]) -> str:
        if ticks := token["ticks"]:
            if not self._code:
                self._code = ticks
            elif len(ticks) == len(self._code) or (len(self._code) >= 3 and len(ticks) > len(self._code)):
                self._code = ""
            return token[0]
        if self._code:
            return token[0]
        wanted = _numbers(token["numbers"])
        wrong = [n for n in wanted if n not in self._sent]
        if not wrong:
            return token[0]
        self.invented += wrong
        kept = [n for n in wanted if n in self._sent]
        return f"{token['blank']}[{', '.join(map(str, kept))}]" if kept else ""


def checked(text: str, sent: Collection[int]) -> tuple[str, CitationCheck]:
    """Returns a whole text without invented citations, and the check that took them out."""
    check = CitationCheck(sent)
    return check.feed(text) + check.rest(), check


def cited(text: str) -> frozenset[int]:
    """Returns the numbers that a text cites."""
    return frozenset(n for token in _TOKEN.finditer(text) if token["numbers"] for n in _numbers(token["numbers"]))


def without_citations(text: str) -> str:
    """Returns a text without its citations."""
    return _TOKEN.sub(lambda token: token[0] if token["ticks"] else "", text)


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in re.split(r"[,;]", text):
        ends = [int(end) for end in re.split(r"[–-]", part) if end.strip()]
        is_range = len(ends) == 2 and 0 < ends[1] - ends[0] <= _RANGE_AT_MOST
        found += range(ends[0], ends[1] + 1) if is_range else ends
    return found
