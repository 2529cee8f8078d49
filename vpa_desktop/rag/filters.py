"""What a question says about where to look: ``#name``, ``type:pdf``, ``after:2024-01-01``, ``before:2025-01``.

``#name`` (or ``#"two words"``) is part of a document's file name or title. A name or a type that no document has was
not meant as one and stays a word of the question. Not the search: that is ``search``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from vpa_desktop.records import SearchScope

_FILTER = re.compile(
    r"""(?<!\S)(?:\#(?:"(?P<quoted>[^"]+)"|(?P<name>[^\s\#"]+))|(?P<key>type|after|before):(?P<value>[\w.,-]+))""",
    re.IGNORECASE,
)
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_AFTER_A_NAME = ".,;:!?)"


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter as it stands in a question, from ``start`` to ``end``, and what it limits a search to."""

    start: int
    end: int
    scope: SearchScope
    is_certain: bool
    """False where it counts only if there is a document that it fits."""


def filters_in(query: str) -> list[Filter]:
    """Returns the filters a question has, in their order."""
    found: list[Filter] = []
    for match in _FILTER.finditer(query):
        start, end = match.span()
        name = match["quoted"] or match["name"]
        if name:
            bare = name if match["quoted"] else name.rstrip(_AFTER_A_NAME)
            if any(char.isalnum() for char in bare):
                found.append(Filter(start, end - len(name) + len(bare), SearchScope(names=(bare,)), False))
                if match["quoted"]:
                    found[-1] = replace(found[-1], end=end)
            continue
        value = match["value"].rstrip(".,")
        end = match.start("value") + len(value)
        if match["key"].lower() == "type":
            types = tuple(kind.strip(".").lower() for kind in value.split(",") if kind.strip("."))
            found.append(Filter(start, end, SearchScope(types=types), False))
        elif (day := day_of(value)) is not None:
            after = match["key"].lower() == "after"
            found.append(Filter(start, end, SearchScope(after=day) if after else SearchScope(before=day), True))
    return found


def without(query: str, filters: Sequence[Filter]) -> str:
    """Returns the question without these filters."""
    pieces, at = [], 0
    for item in filters:
        pieces.append(query[at : item.start])
        at = item.end
    return " ".join("".join([*pieces, query[at:]]).split())


def within(scope: SearchScope, filters: Sequence[Filter]) -> SearchScope:
    """Returns the scope with these filters too: any of the names, any of the types, the narrower of the dates."""
    for item in filters:
        more = item.scope
        scope = replace(
            scope,
            names=scope.names + more.names,
            types=scope.types + more.types,
            after=max((day for day in (scope.after, more.after) if day is not None), default=None),
            before=min((day for day in (scope.before, more.before) if day is not None), default=None),
        )
    return scope


def day_of(text: str) -> date | None:
    """Returns the day that 2024-03-15, 2024-03 or 2024 begins with; None where it is none of them."""
    match = _DAY.fullmatch(text)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return None
