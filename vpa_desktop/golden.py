"""Golden questions: what a person wants to be found, and how it went over time. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question whose document, and page where one is named, must be among the passages found for it.

    ``collection`` is where it is searched; empty for all documents.
    """

    id: str
    collection: str
    question: str
    document_id: str
    document: str
    page: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GoldenRank:
    """At which place a question found its document; None where it did not."""

    question_id: str
    rank: int | None


@dataclass(frozen=True, slots=True)
class GoldenRun:
    """One run of a collection's questions. ``mean_reciprocal_rank`` is 1 where every document came first."""

    collection: str
    at: datetime
    questions: int
    found: int
    mean_reciprocal_rank: float
    ranks: tuple[GoldenRank, ...] = ()
