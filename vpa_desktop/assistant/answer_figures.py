"""The quality of answers from documents over time: averages, and a row for each local day. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from vpa_desktop.storage.evidence import JudgedAnswer


def quality_stats(answers: Sequence[JudgedAnswer]) -> dict[str, Any]:
    """Returns ``stats``' group quality: the figures of all answers, and of each day on which there were any."""
    by_day: dict[str, list[JudgedAnswer]] = defaultdict(list)
    for answer in answers:
        by_day[answer.at.astimezone().date().isoformat()].append(answer)
    days = [{"day": day, **_figures(some)} for day, some in sorted(by_day.items())]
    return {**_figures(answers), "days": days}


def _figures(answers: Sequence[JudgedAnswer]) -> dict[str, Any]:
    qualities = [answer.quality for answer in answers]
    return {
        "answers": len(answers),
        "not_in_documents": sum(1 for q in qualities if not q.found),
        "groundedness": _mean(q.groundedness for q in qualities),
        "citation_coverage": _mean(q.citation_coverage for q in qualities),
        "retrieval_confidence": _mean(q.retrieval_confidence for q in qualities),
        "feedback_good": sum(1 for answer in answers if answer.feedback == "good"),
        "feedback_bad": sum(1 for answer in answers if answer.feedback == "bad"),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 3) if known else None
