"""Which of the passages found did not go into a prompt, and why. Not what chooses them. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vpa_desktop.evidence import LeftOut
from vpa_desktop.messages import Citation
from vpa_desktop.rag.positions import without_position
from vpa_desktop.rag.retrieval import FAIRLY_SIMILAR
from vpa_desktop.records import SearchResult

OFF_TOPIC = "It is about something else."
NO_ROOM = "There was no room left for it."
ENOUGH = "Enough other passages fit better."
VERY_SIMILAR = 0.65
_EXCERPT_CHARS = 240


@dataclass(frozen=True, slots=True)
class Context:
    """What a question is answered from; ``confidence`` (0 to 1) is how well the best passage fits, None without one.

    ``notice`` says why only the words were looked for, where that was not meant.
    """

    citations: tuple[Citation, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    confidence: float | None = None
    notice: str = ""


def context_of(found: Sequence[SearchResult], citations: tuple[Citation, ...], top_k: int, notice: str = "") -> Context:
    """Returns the passages chosen, with why the others that were found are not among them."""
    explained = with_reasons(found, citations, top_k)
    return Context(
        citations,
        tuple(_left_out(result) for result in explained if result.left_out),
        max((_confidence(result) for result in explained if not result.left_out), default=None),
        notice,
    )


def with_reasons(found: Sequence[SearchResult], citations: Sequence[Citation], top_k: int) -> list[SearchResult]:
    """Returns the results, each with why it is left out; empty where it is a citation or part of one."""
    is_full = len(citations) >= top_k
    return [replace(result, left_out=_reason(result, citations, is_full)) for result in found]


def _reason(result: SearchResult, citations: Sequence[Citation], is_full: bool) -> str:
    if any(_is_within(result, citation) for citation in citations):
        return ""
    return result.left_out or (ENOUGH if is_full else NO_ROOM)


def _is_within(result: SearchResult, citation: Citation) -> bool:
    if result.chunk_id == citation.chunk_id:
        return True
    place = (citation.document_id, citation.page, without_position(citation.section))
    is_part = (result.document_id, result.page, without_position(result.section)) == place
    return is_part and citation.start <= result.start < result.end <= citation.end


def _confidence(result: SearchResult) -> float:
    """The closeness in meaning, stretched from "fairly similar" to "nearly the same words"; else the fused score."""
    close = result.similarity if result.closeness is None else result.closeness
    if close is None:
        return result.score
    share = (close - FAIRLY_SIMILAR) / (VERY_SIMILAR - FAIRLY_SIMILAR)
    return round(min(1.0, max(0.0, share)), 3)


def _left_out(result: SearchResult) -> LeftOut:
    return LeftOut(
        document=result.document,
        page=result.page,
        section=result.section,
        score=result.score,
        text=" ".join(result.text.split())[:_EXCERPT_CHARS],
        reason=result.left_out,
        document_id=result.document_id,
        chunk_id=result.chunk_id,
    )
