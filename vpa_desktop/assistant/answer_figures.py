"""The quality of answers from documents over time: averages, and a row for each local day. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from vpa_desktop.evidence import AnswerFigures, AnswerTrend
from vpa_desktop.storage.evidence import JudgedAnswer


def quality_stats(answers: Sequence[JudgedAnswer]) -> dict[str, Any]:
    """Returns ``stats``' group quality: the figures of all answers, and of each day on which there were any."""
    days = [{"day": day.isoformat(), **asdict(figures_of(some))} for day, some in sorted(_by_day(answers).items())]
    return {**asdict(figures_of(answers)), "days": days}


def trend_of(answers: Sequence[JudgedAnswer], *, today: date, days: int) -> AnswerTrend:
    """Returns the figures of the last ``days`` local days up to ``today``; older answers are left out."""
    by_day = _by_day(answers)
    shown = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    total = figures_of([answer for day in shown for answer in by_day.get(day, ())])
    return AnswerTrend(total, tuple((day, figures_of(by_day.get(day, ()))) for day in shown))


def figures_of(answers: Sequence[JudgedAnswer]) -> AnswerFigures:
    """Returns the figures of some answers."""
    qualities = [answer.quality for answer in answers]
    return AnswerFigures(
        answers=len(answers),
        not_in_documents=sum(1 for q in qualities if not q.found),
        groundedness=_mean(q.groundedness for q in qualities),
        citation_coverage=_mean(q.citation_coverage for q in qualities),
        retrieval_confidence=_mean(q.retrieval_confidence for q in qualities),
        feedback_good=sum(1 for answer in answers if answer.feedback == "good"),
        feedback_bad=sum(1 for answer in answers if answer.feedback == "bad"),
    )


def _by_day(answers: Sequence[JudgedAnswer]) -> dict[date, list[JudgedAnswer]]:
    by_day: dict[date, list[JudgedAnswer]] = defaultdict(list)
    for answer in answers:
        by_day[answer.at.astimezone().date()].append(answer)
    return by_day


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 3) if known else None
