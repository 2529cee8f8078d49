"""What an answer stands on: what was searched for, what was left out and why, how well the passages carry it.

Pure values, made while a turn is answered, stored with the answer and shown beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

EXTRACT_MODEL: Final = "extracts"
"""What is stored as the model of an answer that is made of the documents' own sentences."""

Feedback = Literal["good", "bad", ""]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A passage that was found and not sent, with the reason as a sentence. ``text`` is its beginning."""

    document: str
    page: int | None
    section: str
    score: float
    text: str
    reason: str
    document_id: str = ""
    chunk_id: int = 0


@dataclass(frozen=True, slots=True)
class Quality:
    """How well an answer stands on the passages it was given. Shares are 0 to 1, None where they cannot be judged.

    ``found`` False: nothing in the documents fitted the question. ``retrieval_confidence`` is how well the best passage
    fits the question; ``citation_coverage`` the share of the answer's statements that name a passage;
    ``groundedness`` the share whose words and numbers are in the passages; ``unsupported`` are the others, and
    ``misattributed`` those that are in other passages than the ones they name.
    """

    found: bool
    retrieval_confidence: float | None = None
    citation_coverage: float | None = None
    groundedness: float | None = None
    statements: int = 0
    unsupported: tuple[str, ...] = ()
    misattributed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of an answer's grounds. An empty ``searched_for`` is the question as it was asked."""

    searched_for: str = ""
    left_out: tuple[LeftOut, ...] = ()
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """How well several answers stand on the documents: means of their shares, None where none could be judged.

    ``answers`` are those for whose question the documents were searched; feedback is what the person said of them.
    """

    answers: int = 0
    not_in_documents: int = 0
    groundedness: float | None = None
    citation_coverage: float | None = None
    retrieval_confidence: float | None = None
    feedback_good: int = 0
    feedback_bad: int = 0

    @property
    def said_right(self) -> float | None:
        """The share said to be right among the answers that the person judged; None where there are none."""
        judged = self.feedback_good + self.feedback_bad
        return self.feedback_good / judged if judged else None


@dataclass(frozen=True, slots=True)
class AnswerTrend:
    """The figures of all answers of a time, and of each of its local days, oldest first, with the empty ones."""

    total: AnswerFigures
    days: tuple[tuple[date, AnswerFigures], ...] = ()


NO_ANSWERS: Final = AnswerTrend(AnswerFigures())
