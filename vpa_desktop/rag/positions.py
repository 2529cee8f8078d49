"""Where in a file a passage stands, written at the end of its section: ``Chapter > lines 10-40``.

It is for the citation alone. What is embedded and searched goes without it, or one new line at the top of a file
would make every passage after it a new one.
"""

from __future__ import annotations

import re

_POSITION = re.compile(r"(?:^| > )(?:lines?|rows?|cell) \d+(?:-\d+)?$")


def with_position(section: str, word: str, first: int, last: int) -> str:
    """Returns a section with a position behind it; ``word`` is line, row or cell."""
    position = f"{word} {first}" if first == last else f"{word}s {first}-{last}"
    return f"{section} > {position}" if section else position


def without_position(section: str) -> str:
    """Returns a section without the position that may stand at its end."""
    return _POSITION.sub("", section)
