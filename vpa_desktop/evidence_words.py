"""How well an answer stands on the documents, in words, the same in the window and on the command line. Pure functions.

No Qt, no printing.
"""

from __future__ import annotations

from typing import Final

from vpa_desktop.evidence import Quality

_FITS_WELL: Final = 0.6
_FITS_FAIRLY: Final = 0.3


def summary(quality: Quality) -> str:
    """Returns one line: how well the passages fit, how many statements are in them, how many name their source."""
    if not quality.found:
        return "Nothing in your documents fits this question"
    parts = []
    if quality.retrieval_confidence is not None:
        parts.append(f"The passages fit the question {fit(quality.retrieval_confidence)}")
    if quality.statements and quality.groundedness is not None:
        supported = quality.statements - len(quality.unsupported)
        parts.append(f"{supported} of {quality.statements} statements are in them")
    elif quality.statements:
        parts.append("whether its statements are in them was not checked (another language)")
    if quality.statements and quality.citation_coverage is not None:
        named = round(quality.citation_coverage * quality.statements)
        parts.append(f"{named} of {quality.statements} name their source")
    return "  ·  ".join(parts)


def fit(confidence: float) -> str:
    """Returns a retrieval confidence as a word."""
    if confidence >= _FITS_WELL:
        return "well"
    return "fairly well" if confidence >= _FITS_FAIRLY else "poorly"


def unsupported(quality: Quality) -> str:
    """Returns the warning about statements that the passages do not have; empty where there are none."""
    count = len(quality.unsupported)
    if not count:
        return ""
    of = f"{count} of {quality.statements} statements"
    if quality.statements == 1:
        of = "What this answer says"
    are = "is" if count == 1 else "are"
    return f"{of} {are} not in the passages that were sent. Sources shows which."
