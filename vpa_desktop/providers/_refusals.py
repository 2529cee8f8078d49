"""Fields of a request that a server refuses by name: which one it means, and the request without it. No network.

Servers name it in very different ways: a parameter ("reasoning.effort"), a validation error's place, or only in prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from vpa_desktop.providers._failures import Problem

PLAIN_WORDS: Final = frozenset({"stop", "store", "include", "reasoning", "text", "think", "user"})
"""Names that are ordinary words too: in prose they count only in quotes, or where a field is spoken of."""


def refused_field(problem: Problem, sent: Mapping[str, Any], optional: Sequence[str]) -> str | None:
    """The optional field a 400 or 422 names as unwelcome, by its parameter or by its literal name."""
    if problem.status not in (400, 422) or problem.classify() != "invalid_request":
        return None
    names = [name for name in optional if _holds(sent, name)]
    if problem.param is not None:
        place = re.split(r"[.\[]", problem.param)
        return next((name for size in (2, 1) for name in names if name.split(".") == place[:size]), None)
    found = [(at, -len(name), name) for name in names if (at := _mentioned(name, problem.message)) is not None]
    return min(found)[2] if found else None


def without_fields(body: Mapping[str, Any], refused: Iterable[str]) -> dict[str, Any]:
    """The body without these fields; a dotted name takes one out of an object, and the object where nothing is left."""
    kept = dict(body)
    for name in refused:
        outer, _, inner = name.partition(".")
        if not inner:
            kept.pop(outer, None)
        elif isinstance(kept.get(outer), dict):
            kept[outer] = {key: value for key, value in kept[outer].items() if key != inner}
            if not kept[outer]:
                del kept[outer]
    return kept


def _holds(sent: Mapping[str, Any], name: str) -> bool:
    outer, _, inner = name.partition(".")
    value = sent.get(outer)
    return value is not None and (not inner or (isinstance(value, dict) and inner in value))


def _mentioned(name: str, message: str) -> int | None:
    """Where a message names the field, None where it does not."""
    word = re.escape(name.rpartition(".")[2])
    if name.rpartition(".")[2] in PLAIN_WORDS:
        pattern = (
            rf"['\"`]{word}['\"`]|(?:field|parameter|argument|input|supplied)s?(?:\(s\))?:? {word}\b|^{word}:|\b{word}="
        )
    else:
        pattern = rf"(?<![\w.]){re.escape(name)}(?!\w)"
        if "." in name:
            pattern += rf"|(?<!\w){word}(?!\w)"
    found = re.search(pattern, message, re.MULTILINE)
    return found.start() if found else None
