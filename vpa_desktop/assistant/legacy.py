"""``VPARAGLLMIntegration``: the interface of before, over the integration of now, so that old callers go on.

Arguments, results and the kinds of stream pieces are those of before. What is better now comes along: routing, limits,
masking, citations. A failure is a result with ``success`` False and its sentence in ``error``, never as an answer.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import cache
from typing import Any

from vpa_desktop.assistant.integration import EnhancedLLMIntegration
from vpa_desktop.config import Settings, apply_environment, find_paths
from vpa_desktop.errors import VPAError
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import (
    Citation,
    ContextFound,
    EnhancedLLMRequest,
    EnhancedLLMResponse,
    TextDelta,
    TurnDone,
    TurnStarted,
)
from vpa_desktop.old_names import KINDS_BEFORE
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.settings_file import load_settings

OLD = (
    "VPARAGLLMIntegration is the interface of before and will not stay for ever. It works as it did. "
    "EnhancedLLMIntegration is what it is now: see the README, From another program"
)
_PREVIEW = 100


@cache
def _say_once() -> None:
    logging.getLogger(__name__).warning(OLD)


class VPARAGLLMIntegration:
    """The interface of before.

    ``llm_manager`` is a manager, or the integration that ``create_complete_vpa_system`` returns: only that one has a
    database, in which a conversation goes on from one call to the next. ``rag_system`` is the knowledge base.
    """

    def __init__(
        self, llm_manager: LLMProviderManager | EnhancedLLMIntegration, rag_system: KnowledgeBase | None = None
    ) -> None:
        warnings.warn(OLD, DeprecationWarning, stacklevel=2)
        _say_once()
        self.max_context_chunks = 5
        self.min_similarity_threshold = 0.3  # kept for callers that set it; passages are not chosen by one number now
        self.context_window_size = 2000
        self._conversations: dict[tuple[str, str | None], str] = {}
        self._whole = llm_manager if isinstance(llm_manager, EnhancedLLMIntegration) else None
        self.llm_manager = llm_manager.manager if isinstance(llm_manager, EnhancedLLMIntegration) else llm_manager
        self.rag_system: KnowledgeBase | None = None
        self.set_rag_system(rag_system)

    def set_rag_system(self, rag_system: KnowledgeBase | None) -> None:
        """Answer from these documents from now on."""
        self.rag_system = rag_system
        settings = _settings()
        self._integration = self._whole or EnhancedLLMIntegration(
            self.llm_manager, lambda: settings, knowledge=rag_system
        )

    async def generate_enhanced_response(
        self,
        user_id: str,
        user_message: str,
        conversation_id: str | None = None,
        provider: str | None = None,
        system_prompt: str | None = None,
        use_rag: bool = True,
        rag_top_k: int = 3,
    ) -> dict[str, Any]:
        """Return the answer with its sources as a dictionary; ``success`` says whether there is one."""
        request = self._request(user_id, user_message, conversation_id, provider, system_prompt, use_rag, rag_top_k)
        began = time.perf_counter()
        try:
            answer = await self._integration.generate_enhanced_response(request)
        except VPAError as exc:
            return {
                "response": "",
                "error": str(exc),
                "success": False,
                "rag_enabled": bool(request.use_rag),
                "rag_context_used": False,
            }
        self._remember(user_id, conversation_id, answer.conversation_id)
        return _as_before(answer, bool(request.use_rag), time.perf_counter() - began)

    async def stream_enhanced_response(
        self,
        user_id: str,
        user_message: str,
        conversation_id: str | None = None,
        provider: str | None = None,
        system_prompt: str | None = None,
        use_rag: bool = True,
        rag_top_k: int = 3,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield first what was found (``rag_context``), then the answer's pieces (``llm_chunk``), or an ``error``."""
        request = self._request(user_id, user_message, conversation_id, provider, system_prompt, use_rag, rag_top_k)
        began, is_said = time.perf_counter(), False
        try:
            async with aclosing(self._integration.stream_turn(request)) as events:
                async for event in events:
                    if isinstance(event, TurnStarted):
                        self._remember(user_id, conversation_id, event.conversation_id)
                    if not is_said and isinstance(event, (ContextFound, TextDelta, TurnDone)):
                        is_said = True
                        count = len(event.citations) if isinstance(event, ContextFound) else 0
                        yield _found(count, time.perf_counter() - began)
                    if isinstance(event, TextDelta):
                        yield {"type": "llm_chunk", "content": event.text}
        except VPAError as exc:
            yield {"type": "error", "content": "", "error": str(exc)}

    def _request(
        self,
        user_id: str,
        text: str,
        conversation_id: str | None,
        provider: str | None,
        system: str | None,
        use_rag: bool,
        top_k: int,
    ) -> EnhancedLLMRequest:
        known = self._conversations.get((user_id, conversation_id), "new" if self._whole is not None else None)
        has_documents = self.rag_system is not None or self._whole is not None
        return EnhancedLLMRequest(
            user_query=text,
            user_id=user_id,
            conversation_id=known,
            provider=_provider(self.llm_manager, provider),
            system=system,
            use_rag=use_rag and has_documents,
            rag_top_k=max(1, min(top_k, self.max_context_chunks)),
        )

    def _remember(self, user_id: str, theirs: str | None, ours: str | None) -> None:
        if ours is not None:
            self._conversations[user_id, theirs] = ours


def create_rag_llm_integration(
    llm_manager: LLMProviderManager | EnhancedLLMIntegration, rag_system: KnowledgeBase | None = None
) -> VPARAGLLMIntegration:
    """Return the interface of before, by its old function."""
    return VPARAGLLMIntegration(llm_manager, rag_system)


def _settings() -> Settings:
    return apply_environment(load_settings(find_paths().settings_file).settings)


def _provider(manager: LLMProviderManager, name: str | None) -> str | None:
    """A provider by its name here, else by the old name of its kind."""
    if name is None or manager.get_provider(str(name)) is not None:
        return None if name is None else str(name)
    return KINDS_BEFORE.get(str(getattr(name, "value", name)), str(name))


def _found(count: int, seconds: float) -> dict[str, Any]:
    return {"type": "rag_context", "rag_sources_count": count, "rag_retrieval_time": seconds, "content": ""}


def _as_before(answer: EnhancedLLMResponse, rag_enabled: bool, total_s: float) -> dict[str, Any]:
    generation_s = min(answer.latency_ms / 1000, total_s)
    retrieval_s = total_s - generation_s
    usage = answer.usage
    return {
        "response": answer.content,
        "provider": answer.provider,
        "model": answer.model,
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": (usage.input_tokens or 0) + (usage.output_tokens or 0),
        },
        "response_time": generation_s,
        "success": True,
        "rag_enabled": rag_enabled,
        "rag_context_used": answer.context_used,
        "rag_sources_count": len(answer.citations),
        "rag_sources": [_source(each) for each in answer.citations],
        "rag_retrieval_time": retrieval_s,
        "total_processing_time": total_s,
        "llm_generation_time": generation_s,
        "pipeline_stages": {"rag_retrieval": retrieval_s, "llm_generation": generation_s, "total": total_s},
    }


def _source(citation: Citation) -> dict[str, Any]:
    text = citation.text
    return {
        "document_id": citation.document,
        "chunk_id": f"{citation.document}:{citation.n}",
        "similarity": citation.score,
        "content_preview": text if len(text) <= _PREVIEW else f"{text[:_PREVIEW]}...",
        "metadata": {"title": citation.title, "path": citation.path, "page": citation.page},
    }
