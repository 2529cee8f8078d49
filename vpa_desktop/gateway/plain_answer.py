"""One question without documents and without a stored conversation, as the source document's manager answers it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vpa_desktop.messages import Citation, EnhancedLLMRequest, EnhancedLLMResponse, LLMRequest, LLMResponse, Message

if TYPE_CHECKING:
    from vpa_desktop.gateway.manager import LLMProviderManager


async def plain_answer(manager: LLMProviderManager, request: EnhancedLLMRequest) -> EnhancedLLMResponse:
    """Return the whole answer; a warning says where more was asked for than this does. Raises VPAError."""
    turns = [Message("system", request.system)] if request.system else []
    asked = LLMRequest(
        (*turns, Message("user", request.user_query, request.images)),
        model=request.model,
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        local_only=request.local_only,
        over_limit=request.over_limit,
        user_id=request.user_id,
    )
    wanted = request.provider if manager.get_provider(request.provider or "") is not None else None
    warnings = []
    if request.provider and wanted is None:
        warnings.append(f"There is no provider {request.provider} here, or it has no key; another one was asked")
        asked = replace(asked, model=None)
    if request.use_rag:
        warnings.append("Documents were not searched: create_complete_vpa_system() does that")
    answer = await manager.generate(asked, provider=wanted)
    return enhanced(answer, warnings=tuple(warnings))


def enhanced(
    answer: LLMResponse,
    *,
    citations: tuple[Citation, ...] = (),
    redactions: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
) -> EnhancedLLMResponse:
    """Return an answer of the gateway as one to a person's question; ``warnings`` stand before its own."""
    return EnhancedLLMResponse(
        content=answer.content,
        provider=answer.provider,
        model=answer.model,
        finish_reason=answer.finish_reason,
        usage=answer.usage,
        cost_usd=answer.cost_usd,
        ttft_ms=answer.ttft_ms,
        latency_ms=answer.latency_ms,
        cached=answer.cached,
        context_used=bool(citations),
        citations=citations,
        attempts=answer.attempts,
        first_choice=answer.first_choice,
        first_choice_usd=answer.first_choice_usd,
        saved_usd=answer.saved_usd,
        saved_ms=answer.saved_ms,
        redactions=redactions,
        warnings=(*warnings, *answer.warnings),
        reasoning=answer.reasoning,
    )
