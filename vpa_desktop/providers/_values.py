"""Values out of JSON that may be anything: what is not of the expected kind is nothing. Knows no protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def text_of(value: Any) -> str | None:
    """The text, or None where there is none."""
    return value if isinstance(value, str) and value else None


def list_of(value: Any) -> Sequence[Any]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else ()


def dicts_of(value: Any) -> Sequence[Mapping[str, Any]]:
    """The objects in the list."""
    return [entry for entry in list_of(value) if isinstance(entry, dict)]


def dict_of(value: Any) -> Mapping[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def object_in(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, or None."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
