"""What OpenAI's model families take: reasoning, effort, sampling. Only names; the wire is not here.

Told by the family's number, so that a family that is not out yet is treated like the newest one.
"""

from __future__ import annotations

import re
from typing import Final, get_args

from vpa_desktop.messages import Effort

FAMILY: Final = re.compile(r"(?:^|[/:])(?:(o)(\d)|gpt-(?!35(?:-|$))(\d{1,2})(?:\.(\d+))?(?![\do]))(.*)", re.IGNORECASE)
"""Azure writes gpt-35-turbo for gpt-3.5; gpt-4o is no gpt-4.0."""

CHAT_ONLY: Final = re.compile(r"gpt-(?:\w+-)*(?:audio|search)\b")
"""Models that answer in Chat Completions alone."""

ALWAYS_THINKS: Final = re.compile(r"gpt-6-astra|gpt-6\.1-sol")
"""Families after 5.1 that cannot be told not to reason."""

LEVELS: Final[tuple[str, ...]] = get_args(Effort)


def reasons(model: str) -> bool:
    """True for the models that reason and so refuse sampling parameters: from gpt-5 on, and the o series."""
    return _version(model) is not None


def samples(model: str, effort: str | None) -> bool:
    """True where the model takes temperature and top_p."""
    return not reasons(model) or (nearest_effort(model, effort) == "none" and effort is not None)


def nearest_effort(model: str, wanted: str | None) -> str | None:
    """The effort the model takes that is nearest to the wanted one, the higher of two; None stays None."""
    if wanted not in LEVELS:
        return wanted
    at = LEVELS.index(wanted)
    return min(_taken(model), key=lambda level: (abs(LEVELS.index(level) - at), -LEVELS.index(level)))


def tools_only_without_effort(model: str) -> bool:
    """True where Chat Completions refuses function tools unless the model is told not to reason."""
    version = _version(model)
    return version is not None and version >= (5, 6) and not ALWAYS_THINKS.search(model)


def _taken(model: str) -> tuple[str, ...]:
    version = _version(model)
    if version is None:
        return LEVELS
    if version < (5, 0):
        return ("low", "medium", "high")
    if version < (5, 1):
        return ("minimal", "low", "medium", "high")
    if version < (5, 2):
        return ("none", "low", "medium", "high")
    levels = ("low", "medium", "high", "xhigh") if version < (5, 6) else ("low", "medium", "high", "xhigh", "max")
    return levels if ALWAYS_THINKS.search(model) else ("none", *levels)


def _version(model: str) -> tuple[int, int] | None:
    """The number of a reasoning family, the o series below all others; None for models that do not reason."""
    found = FAMILY.search(model)
    if found is None:
        return None
    o_series, _, major, minor, rest = found.groups()
    if o_series:
        return (0, 0)
    if int(major) < 5 or "-chat" in rest:
        return None
    return (int(major), int(minor or 0))
