"""Reading JSON that may be anything: a value of the wanted kind, or what stands for nothing. Knows no field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def as_text(value: Any) -> str | None:
    """A text with something in it, else None."""
    return value if isinstance(value, str) and value else None


def as_list(value: Any) -> Sequence[Any]:
    """A list, empty where it is none."""
    return value if isinstance(value, list) else ()


def as_dict(value: Any) -> Mapping[str, Any]:
    """An object, empty where it is none."""
    return value if isinstance(value, dict) else {}


def count(value: Any) -> int | None:
    """A token count, or None where the wire carries none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
