"""What a turn is answered from: the question made whole, the passages found for it, what was left out.

And what is said where the documents hold nothing about it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from vpa_desktop.assistant.followup import resolve
from vpa_desktop.assistant.words import stems
from vpa_desktop.config import RagSettings
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.messages import EnhancedLLMRequest
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.left_out import Context

Rewrite = Callable[[str, Sequence[str]], Awaitable[str]]

NOT_THERE: Final = "This is not in your documents: I found no passage about it."
NO_DOCUMENTS: Final = "There are no documents yet. Add some in the Documents tab or with `vpa-desktop docs add`."
GUESSED: Final = "This is not in your documents: the small demonstration model answered by itself, and is often wrong"
ASK_THE_MODEL: Final = "*To ask the model itself, switch Documents off.*"
_ASKS: Final = re.compile(
    r"^\s*(?:who|whom|whose|what|when|where|which|why|how|is|are|was|were|do|does|did|has|have|had|can|could|will|would"
    r"|should|wer|was|wann|wo|woher|wohin|welche[rsmn]?|warum|wieso|wie|ist|sind|war|hat|haben|qui|que|quoi|quand|où"
    r"|pourquoi|comment|combien|quién|qué|cuándo|dónde|cómo|cuánto)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Grounds:
    """``searched`` is False where the documents were not looked at; ``searched_for`` empty where as it was asked."""

    searched: bool = False
    searched_for: str = ""
    context: Context = field(default_factory=Context)

    @property
    def none_found(self) -> bool:
        """True where the documents were searched and hold nothing about the question."""
        return self.searched and not self.context.citations


async def find_grounds(
    knowledge: KnowledgeBase,
    request: EnhancedLLMRequest,
    question: str,
    before: Sequence[str],
    settings: RagSettings,
    warnings: list[str],
    rewrite: Rewrite,
    *,
    stays_here: bool = False,
) -> Grounds:
    """Searches the documents for a question; ``before`` are the questions before it, oldest first.

    With ``stays_here`` the question goes to no embedding model elsewhere.

    Where the person lets the model do it, ``rewrite`` makes a follow-up question whole, else a rule does.
    """

    async def find(text: str) -> Context:
        asked = request.rag_top_k or settings.top_k, request.collections, request.scope
        found = await knowledge.find_context(text, *asked, stays_here=stays_here)
        if found.notice and found.notice not in warnings:
            warnings.append(found.notice)
        return found

    try:
        if request.collections:
            known = await knowledge.collections()
            warnings.extend(f"There is no collection {c}" for c in request.collections if c not in known)
        if await knowledge.count() == 0:
            return Grounds(searched=request.documents_only)
        resolved = resolve(question, before)
        context = Context()
        if not resolved.leans:
            context = await find(question)
            if context.citations or resolved.text == question:
                return Grounds(True, "", context)
        by_model = await rewrite(question, before) if settings.follow_up == "model" else ""
        whole = by_model or resolved.text
        found = await find(whole)
        if not (resolved.leans or by_model) and _is_off(question, found):
            return Grounds(True, "", context)
        return Grounds(True, whole, found)
    except KnowledgeError as exc:
        warnings.append(f"Your documents could not be searched. {exc}")
        return Grounds()


def _is_off(question: str, found: Context) -> bool:
    """Whether passages were found by the words of the question before alone: this one names something else."""
    own = stems(question)
    held = own & frozenset().union(*(stems(citation.text) for citation in found.citations))
    return len(own) > 1 and len(held) * 2 <= len(own)


def is_question(text: str) -> bool:
    """Whether something is asked that documents could answer; a greeting or a task for the model is not."""
    return text.rstrip().endswith(("?", "？")) or bool(_ASKS.search(text))


def not_in_documents(documents: int, *, model_could_answer: bool) -> str:
    """Returns the answer where the documents hold nothing about a question."""
    said = [NOT_THERE if documents else NO_DOCUMENTS]
    return "\n\n".join([*said, ASK_THE_MODEL] if model_could_answer else said)
