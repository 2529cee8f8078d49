"""Which of the passages found go into a prompt, and why the others do not. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vpa_desktop.evidence import LeftOut
from vpa_desktop.messages import Citation
from vpa_desktop.rag.retrieval import FAIRLY_SIMILAR
from vpa_desktop.records import SearchResult

OFF_TOPIC = "It is about something else."
NO_ROOM = "There was no room left for it."
ENOUGH = "Enough other passages fit better."
VERY_SIMILAR = 0.65
_EXCERPT_CHARS = 240


@dataclass(frozen=True, slots=True)
class Context:
    """What a question is answered from; ``confidence`` (0 to 1) is how well the best passage fits, None without one."""

    citations: tuple[Citation, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    confidence: float | None = None


def with_reasons(found: Sequence[SearchResult], top_k: int, context_tokens: int) -> list[SearchResult]:
    """Returns the passages, best first, each with why it is left out of a prompt; empty where it goes in.

    At most ``top_k`` go in, and as many tokens as fit; the first that is about the question always does.
    """
    judged: list[SearchResult] = []
    taken, left = 0, context_tokens
    for result in found:
        reason = result.left_out
        if not reason and taken >= top_k:
            reason = ENOUGH
        elif not reason and taken and result.tokens > left:
            reason = NO_ROOM
        if not reason:
            taken += 1
            left -= result.tokens
        judged.append(replace(result, left_out=reason))
    return judged


def context_from(found: Sequence[SearchResult], top_k: int, context_tokens: int) -> Context:
    """Numbers the passages that go into a prompt from 1, and says why the others do not."""
    judged = with_reasons(found, top_k, context_tokens)
    kept = [result for result in judged if not result.left_out]
    return Context(
        tuple(_citation(n, result) for n, result in enumerate(kept, 1)),
        tuple(_left_out(result) for result in judged if result.left_out),
        max((_confidence(result) for result in kept), default=None),
    )


def _confidence(result: SearchResult) -> float:
    """The closeness in meaning, stretched from "fairly similar" to "nearly the same words"; else the fused score."""
    if result.similarity is None:
        return result.score
    share = (result.similarity - FAIRLY_SIMILAR) / (VERY_SIMILAR - FAIRLY_SIMILAR)
    return round(min(1.0, max(0.0, share)), 3)


def _citation(n: int, result: SearchResult) -> Citation:
    return Citation(
        n=n,
        document=result.document,
        path=result.path,
        title=result.title,
        page=result.page,
        section=result.section,
        score=result.score,
        text=result.text,
        document_id=result.document_id,
        chunk_id=result.chunk_id,
        start=result.start,
        end=result.end,
    )


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
