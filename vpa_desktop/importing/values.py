"""Foreign JSON values read with suspicion: what is not of the kind that is asked for counts as not there."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
Picture = dict[str, str]
"""``name``, ``media_type`` and ``data`` in base64, as a conversation that travels has it."""

PICTURE = "[A picture that the export does not hold]"
_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>(.*?)</think(?:ing)?>\s*", re.DOTALL)
_DATA_URL = re.compile(r"data:(image/[a-z0-9+.-]+);base64,", re.IGNORECASE)
_MILLISECONDS_FROM = 100_000_000_000  # as seconds that would be the year 5138


def objects(value: Any) -> list[Json]:
    """Return the objects of a list; without anything else that is in it."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def json_object(value: Any) -> Json:
    """Return an object as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(value: Any) -> str:
    """Return text as it is, anything else as none."""
    return value if isinstance(value, str) else ""


def time_of(value: Any) -> datetime | None:
    """Return a time from Unix seconds, milliseconds or nanoseconds, or ISO 8601; None for anything else."""
    if isinstance(value, str):
        if value.isdigit():
            return time_of(int(value))
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at if 1970 <= at.year <= 9000 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        return None
    while value > _MILLISECONDS_FROM:
        value /= 1000
    return datetime.fromtimestamp(value, UTC)


def picture_of(url: Any, name: Any = "") -> Picture | None:
    """Return the picture that an address holds in itself (``data:image/png;base64,...``); None for any other."""
    head = _DATA_URL.match(text_of(url))
    if head is None:
        return None
    data = "".join(url[head.end() :].split())
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        return None
    return {"name": text_of(name), "media_type": head[1].lower(), "data": data}


def split_thought(text: str) -> tuple[str, str]:
    """Return an answer and the reasoning that stood before it between ``think`` tags."""
    found = _THOUGHT.match(text)
    return (text[found.end() :], found[1].strip()) if found else (text, "")


def joined(pieces: Iterator[str]) -> str:
    """Return the pieces that are not empty, as paragraphs."""
    return "\n\n".join(piece for piece in pieces if piece.strip())
