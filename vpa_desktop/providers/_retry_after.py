"""How long a server asks to wait, from the headers of its answer. No network, no vendor's fields."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_S: Final = 36_525 * 86_400.0
"""A century: what a server names is kept whole, as far as its end can be written down as a date."""

SINCE_1970_S: Final = 1e9
"""A bare number from here on is a moment, in seconds; from a hundred times that on in milliseconds."""

DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")

NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d+)?")


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Read how long to wait: retry-after-ms, retry-after in seconds or as a date, or an exhausted limit's reset."""
    found = _named_s(headers, now or datetime.now(UTC))
    return None if found is None else min(found, LONGEST_S)


def duration_s(text: str) -> float | None:
    """Read a duration such as 6m0s, 37.4s or 12ms; None for anything else."""
    found = DURATION.fullmatch(text) if text else None
    if found is None:
        return None
    hours, minutes, seconds, ms = (float(part or 0) for part in found.groups())
    return min(hours * 3600 + minutes * 60 + seconds + ms / 1000, LONGEST_S)


def _named_s(headers: Mapping[str, str], now: datetime) -> float | None:
    try:
        if "retry-after-ms" in headers:
            return _finite(float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "").strip()
        if value:
            return _finite(float(value) if value[0].isdigit() else _until(parsedate_to_datetime(value), now))
    except ValueError:
        pass  # not one of the three forms: as good as not sent
    waits = [_reset_s(headers[name.replace("remaining", "reset")], now) for name in _exhausted(headers)]
    return max((wait for wait in waits if wait is not None), default=None)


def _exhausted(headers: Mapping[str, str]) -> list[str]:
    """Names of the "remaining" headers that stand at zero and whose reset is known."""
    return [
        name
        for name, value in headers.items()
        if "ratelimit" in name
        and "remaining" in name
        and value == "0"
        and name.replace("remaining", "reset") in headers
    ]


def _reset_s(value: str, now: datetime) -> float | None:
    """Seconds until a reset: a duration such as 6m0s, plain seconds, a moment as a date or as a number."""
    value = value.strip()
    if NUMBER.fullmatch(value):
        number = float(value)
        if number < SINCE_1970_S:
            return number
        return max(0.0, (number / 1000 if number >= 100 * SINCE_1970_S else number) - now.timestamp())
    if (seconds := duration_s(value)) is not None:
        return seconds
    try:
        return max(0.0, _until(datetime.fromisoformat(value), now))
    except ValueError:
        return None


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise ValueError("not a time to wait")
    return max(0.0, seconds)


def _until(then: datetime, now: datetime) -> float:
    return ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()
