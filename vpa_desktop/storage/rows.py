"""Values to columns and back: times, money, JSON, ids, and who owns a row. Knows no table."""

from __future__ import annotations

import functools
import json
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    D = TypeVar("D", bound=DataclassInstance)

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_START_TOLERANCE_S = 2.0
_SQL_VARIABLES = 500


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


def new_id(now: datetime) -> str:
    """A 26-character id that sorts by time: 48 bits of milliseconds and 80 random ones in Crockford's base 32."""
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def time_to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds always, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def text_to_time(text: str) -> datetime:
    """The aware datetime that ``time_to_text`` wrote."""
    return datetime.fromisoformat(text)


def money_to_text(amount: Decimal | None) -> str | None:
    """A Decimal without loss; None stays None (the price is unknown)."""
    return None if amount is None else str(amount)


def text_to_money(text: str | None) -> Decimal | None:
    """The Decimal that ``money_to_text`` wrote."""
    return None if text is None else Decimal(text)


def to_json(value: object) -> str:
    """One dataclass, or several, or plain values, as compact JSON."""
    return json.dumps(value, default=asdict, ensure_ascii=False, separators=(",", ":"))


def from_json(kind: type[D], data: Any) -> D:
    """The dataclass from its decoded JSON, lists as tuples; fields that a newer version added are left out."""
    known = {field.name for field in fields(kind)}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return kind(**{name: value for name, value in values.items() if name in known})


def many_from_json(kind: type[D], text: str) -> tuple[D, ...]:
    """The dataclasses from a JSON list."""
    items: Iterable[Any] = json.loads(text)
    return tuple(from_json(kind, item) for item in items)


@functools.lru_cache(maxsize=4)
def _owner_of(pid: int) -> str:
    import psutil

    return f"{pid}@{psutil.Process(pid).create_time():.2f}"


def this_process() -> str:
    """This process, told apart from a later one that gets the same number: its id and when it started."""
    return _owner_of(os.getpid())


def is_alive(owner: str) -> bool:
    """Whether the process that ``this_process`` named still runs."""
    import psutil

    pid, _, started = owner.partition("@")
    try:
        # The start is computed from the boot time, which shifts a little when the clock is set.
        shift_s = abs(float(psutil.Process(int(pid)).create_time()) - float(started))
    except psutil.AccessDenied:
        return True
    except (psutil.NoSuchProcess, ValueError):
        return False
    return shift_s <= _START_TOLERANCE_S


def portions(values: Sequence[Any]) -> list[list[Any]]:
    """Cuts many values into lists that one statement can take."""
    return [list(values[i : i + _SQL_VARIABLES]) for i in range(0, len(values), _SQL_VARIABLES)]


def marks(values: Sequence[Any]) -> str:
    """The question marks for so many values."""
    return ", ".join("?" * len(values))
