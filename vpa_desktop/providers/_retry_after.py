"""How long a server asks to wait, from the headers of its answer. No network, no vendor's fields."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Read how long to wait: retry-after-ms, retry-after in seconds or as a date, or an exhausted limit's reset."""
    now = now or datetime.now(UTC)
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
    found = DURATION.fullmatch(value.strip())
    if value and found:
        hours, minutes, seconds, ms = (float(part or 0) for part in found.groups())
        return hours * 3600 + minutes * 60 + seconds + ms / 1000
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
