"""Whether decoded JSON has the shape of a dataclass of ours: for files that somebody else may have written.

Knows the few types our records are made of, and refuses what it does not know. Reads nothing and stores nothing.
"""

from __future__ import annotations

import types
from dataclasses import is_dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def misfit(kind: Any, value: Any, place: str) -> str:
    """Returns where ``value`` does not fit ``kind``, as in ``citations[2].page``; empty where all of it fits.

    Fields that are missing or unknown are no misfit: an older or a newer version has others.
    """
    if _is_record(kind):
        return _record_misfit(kind, value, place)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):  # here always one kind, or nothing
        (wanted,) = (each for each in get_args(kind) if each is not type(None))
        return "" if value is None else misfit(wanted, value, place)
    if origin is Literal:
        return "" if value in get_args(kind) and not isinstance(value, bool) else place
    if origin is tuple:
        return _list_misfit(get_args(kind)[0], value, place)
    return "" if _is_plain(kind, value) else place


def _is_record(kind: Any) -> bool:
    return is_dataclass(kind) or hasattr(kind, "_fields")


def _record_misfit(kind: Any, value: Any, place: str) -> str:
    if not isinstance(value, dict):
        return place
    hints = _hints(kind)
    found = (misfit(hints[name], each, f"{place}.{name}") for name, each in value.items() if name in hints)
    return next((each for each in found if each), "")


def _list_misfit(kind: Any, value: Any, place: str) -> str:
    if not isinstance(value, list):
        return place
    return next((found for n, each in enumerate(value) if (found := misfit(kind, each, f"{place}[{n}]"))), "")


def _is_plain(kind: Any, value: Any) -> bool:
    if kind is Decimal:
        return isinstance(value, str) and is_money(value)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    return kind in (str, bool) and isinstance(value, kind)


def is_money(text: str) -> bool:
    """Whether the text is an amount, as ``rows.money_to_text`` writes one."""
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


@lru_cache(maxsize=32)
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
