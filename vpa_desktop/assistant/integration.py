"""EnhancedLLMIntegration: one turn of a conversation, from the question to the stored answer.

store the question -> retrieve -> route -> mask -> a kept or a new answer -> settle. Nothing about Qt or HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from vpa_desktop.analytics import figures_by_provider, savings_of
from vpa_desktop.assistant.answer_figures import quality_stats
from vpa_desktop.assistant.checked_answer import CheckedAnswer
from vpa_desktop.assistant.extract import EXTRACT_MODEL, extract_answer, without_extracts
from vpa_desktop.assistant.grounds import GUESSED, Grounds, find_grounds, is_question, not_in_documents
from vpa_desktop.assistant.outgoing import OutgoingGuard
from vpa_desktop.assistant.prompt import build_messages, new_fence
from vpa_desktop.assistant.quality import quality_of
from vpa_desktop.assistant.rewriting import Rewriter
from vpa_desktop.assistant.stats import caching_stats
from vpa_desktop.assistant.turn import Turn
from vpa_desktop.catalog import is_demonstration
from vpa_desktop.config import Settings
from vpa_desktop.errors import AllProvidersFailed, BadReply, StreamInterrupted, VPAError
from vpa_desktop.evidence import Evidence
from vpa_desktop.gateway.answer_cache import AnswerCache
from vpa_desktop.gateway.answer_desk import AnswerDesk
from vpa_desktop.gateway.failover import ReadyAnswer
from vpa_desktop.gateway.fitting import SAW_PICTURES
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.gateway.on_limit import may_answer
from vpa_desktop.gateway.permission import default_refused, leads_away
from vpa_desktop.gateway.plain_answer import enhanced
from vpa_desktop.messages import (
    Citation,
    ContextFound,
    EnhancedLLMRequest,
    EnhancedLLMResponse,
    GatewayEvent,
    LLMRequest,
    LLMResponse,
    Message,
    ReasoningDelta,
    RouteDone,
    RouteStarted,
    Seam,
    TextDelta,
    TurnDone,
    TurnEvent,
)
from vpa_desktop.model_facts import ending_sentence
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.records import MessageRecord
from vpa_desktop.storage.conversations import ConversationStore


@dataclass(slots=True)
class _Prepared:
    """A turn that is ready to be sent."""

    asked: LLMRequest
    provider: str | None
    route: list[BaseLLMProvider]
    grounds: Grounds
    shown: CheckedAnswer
    guard: OutgoingGuard
    ready: dict[str, ReadyAnswer]
    keyed: tuple[Message, ...]
    warnings: list[str] = field(default_factory=list)
    fixed: str = ""

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The passages that are sent."""
        return self.grounds.context.citations


class EnhancedLLMIntegration:
    """Answers questions: with documents, through the gateway, into the conversation.

    ``settings`` is asked at each turn, so that a change counts at once. ``ready`` is awaited before a route is
    chosen (keys may still be coming from the keyring).
    """

    def __init__(
        self,
        manager: LLMProviderManager,
        settings: Callable[[], Settings],
        *,
        conversations: ConversationStore | None = None,
        knowledge: KnowledgeBase | None = None,
        desk: AnswerDesk | None = None,
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.manager = manager
        self._settings = settings
        self._conversations = conversations
        self._knowledge = knowledge
        self.desk = desk or AnswerDesk(manager, AnswerCache(lambda: settings().cache))
        self._ready = ready
        self.closes_with: Callable[[], Awaitable[None]] | None = None

    async def aclose(self) -> None:
        """Close what was opened together with this object, if anything was."""
        if self.closes_with is not None:
            await self.closes_with()

    async def stream_turn(self, request: EnhancedLLMRequest) -> AsyncGenerator[TurnEvent, None]:
        """Yield the turn's events; the last is TurnDone. Raises VPAError; what came until then is stored.

        Closing the generator stops the answer at once and keeps its text.
        """
        turn = await Turn.begin(self._conversations, request)
        settled = False
        try:
            yield turn.started
            started = time.perf_counter()
            prepared = await self._prepare(request, turn)
            found = Evidence(prepared.grounds.searched_for, prepared.grounds.context.left_out)
            yield ContextFound(prepared.citations, (time.perf_counter() - started) * 1000, found)
            answer: LLMResponse | None = None
            async with aclosing(self._answer(request, prepared)) as events:
                async for event in events:
                    if isinstance(event, RouteDone):
                        answer = event.response
                        continue
                    if isinstance(event, TextDelta):
                        turn.add_text(event.text)
                    elif isinstance(event, ReasoningDelta):
                        turn.add_reasoning(event.text)
                    elif isinstance(event, Seam) and event.restarts:
                        turn.restart()
                    yield event
            if answer is None:
                raise BadReply("The route ended without an answer")
            if self._is_guessed(answer, prepared.grounds, turn.question):
                prepared.warnings.append(GUESSED)
            response = await turn.done(_enhanced(answer, prepared, turn.question))
            settled = True
            yield TurnDone(response)
        except VPAError as exc:
            settled = True
            attempts = exc.attempts if isinstance(exc, AllProvidersFailed) else ()
            state = "interrupted" if isinstance(exc, StreamInterrupted) and turn.text else "failed"
            await turn.broken(state, str(exc), attempts=attempts)  # type: ignore[arg-type]
            raise
        finally:
            if not settled:
                await asyncio.shield(turn.broken("stopped"))

    async def generate_enhanced_response(self, request: EnhancedLLMRequest) -> EnhancedLLMResponse:
        """Return the whole answer; raises what ``stream_turn`` raises."""
        async with aclosing(self.stream_turn(request)) as events:
            async for event in events:
                if isinstance(event, TurnDone):
                    return event.response
        raise BadReply("The turn ended without an answer")

    async def generate_streaming_response(self, request: EnhancedLLMRequest) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it comes."""
        async with aclosing(self.stream_turn(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    yield event.text

    # The steps of a turn

    async def _prepare(self, request: EnhancedLLMRequest, turn: Turn) -> _Prepared:
        if self._ready is not None:
            await self._ready()
        settings = self._settings()
        warnings: list[str] = []
        provider, model = self._named(request, warnings)
        local_only = request.local_only or await self._must_stay(request, settings)
        rewrite = Rewriter(
            self.manager,
            provider,
            is_demonstration,
            local_only=local_only,
            masks=settings.privacy.redact_outgoing,
            user_id=request.user_id,
        )
        grounds = await self._grounds(request, turn, warnings, rewrite, stays_here=local_only)
        citations = grounds.context.citations
        is_vain = grounds.none_found and is_question(turn.question)
        fence = new_fence()
        messages = build_messages(
            turn.question,
            history=self._history(turn, provider, local_only=local_only),
            citations=citations,
            images=turn.pictures,
            earlier=await turn.earlier_pictures(),
            system=request.system,
            nothing_found=is_vain,
            fence=lambda: fence,
        )
        last = messages[-1]
        keyed = (
            (*messages[:-1], replace(last, content=last.content.replace(fence, "SOURCE"))) if citations else messages
        )
        guard = OutgoingGuard()
        asked = LLMRequest(
            messages,
            model=model,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            conversation_id=turn.started.conversation_id,
            local_only=local_only,
            over_limit=request.over_limit,
            user_id=request.user_id,
            metadata={"message_id": turn.started.message_id, SAW_PICTURES: turn.saw_pictures()},
        )
        await self.manager.learn_prices(asked)
        route = self.manager.route(asked, provider)
        warnings += self._endings(route, model, provider)
        if settings.privacy.redact_outgoing and leads_away(route, asked, self.manager.model_owner(provider, route)):
            asked = replace(asked, messages=guard.mask(messages))
        if guard.kinds:
            warnings.append(f"{len(guard.kinds)} secrets were masked before sending: {', '.join(guard.kinds)}")
        is_vain = is_vain and not turn.pictures
        extract = await self._extract(grounds, turn.question) if citations or is_vain else ""
        may = may_answer(self.manager, route, asked.user_id) if extract else []
        ready = {p.provider_id: ReadyAnswer(EXTRACT_MODEL, extract) for p in may if is_demonstration(p.config)}
        shown = CheckedAnswer(guard, [c.n for c in citations])
        fixed = extract if is_vain and request.documents_only else ""
        return _Prepared(asked, provider, route, grounds, shown, guard, ready, keyed, warnings, fixed)

    def _history(self, turn: Turn, provider: str | None, *, local_only: bool) -> Sequence[MessageRecord]:
        """The turns before, without those of the documents' own sentences where the small model is asked."""
        if all(record.model != EXTRACT_MODEL for record in turn.history):
            return turn.history
        first = self.manager.route(LLMRequest((), local_only=local_only), provider)[:1]
        return without_extracts(turn.history) if first and is_demonstration(first[0].config) else turn.history

    async def _extract(self, grounds: Grounds, question: str) -> str:
        """An answer without a model: the passages' own sentences, or that there are none."""
        if grounds.context.citations:
            return extract_answer(grounds.searched_for or question, grounds.context.citations)
        documents = await self._knowledge.count() if self._knowledge is not None else 0
        return not_in_documents(documents, model_could_answer=True)

    def _is_guessed(self, answer: LLMResponse, grounds: Grounds, question: str) -> bool:
        """True where the small model answered what the documents do not hold: larger ones are told to say so."""
        provider = self.manager.get_provider(answer.provider)
        is_small = provider is not None and is_demonstration(provider.config)
        return is_small and answer.model != EXTRACT_MODEL and grounds.none_found and is_question(question)

    def _endings(self, route: list[BaseLLMProvider], model: str | None, provider: str | None) -> list[str]:
        """A sentence where the model to be asked first has ended or is about to; ``provider`` is the one named."""
        owner = self.manager.model_owner(provider, route)
        first = [(p.config, (p.provider_id == owner and model) or p.model) for p in route[:1]]
        infos = [self.manager.model_info(config, name) for config, name in first]
        return [sentence for info in infos if (sentence := ending_sentence(info, date.today()))]

    def ending_warning(self, provider_id: str | None, model: str | None) -> str:
        """Say what a turn with this choice would warn of before it is sent: a model that has ended, or is about to."""
        known = provider_id is None or self.manager.get_provider(provider_id) is not None
        wanted = model or (None if provider_id else self._settings().default_model or None)
        found = self._endings(self.manager.route(LLMRequest(()), provider_id), wanted, provider_id) if known else []
        return found[0] if found else ""

    def _named(self, request: EnhancedLLMRequest, warnings: list[str]) -> tuple[str | None, str | None]:
        """The provider and model to ask first: the person's, else the settings'."""
        if request.provider is None:
            wanted = self.manager.routing.default_provider
            if wanted and not self.manager.is_registered(wanted):
                warnings.append(f"{wanted}, your default provider, has no key that can be read; another one was asked")
            elif (refusal := default_refused(self.manager, request.user_id)) is not None:
                warnings.append(f"{refusal}")
            return None, request.model or self._settings().default_model or None
        if self.manager.get_provider(request.provider) is not None:
            return request.provider, request.model
        for provider_id in self.manager.provider_ids:
            found = self.manager.get_provider(provider_id)
            if found is not None and found.config.kind == request.provider:
                return provider_id, request.model
        if not self.manager.routing.fallback_enabled:
            self.manager.route(LLMRequest(()), request.provider)  # raises the sentence that names the known ones
        warnings.append(f"There is no provider {request.provider} here, or it has no key; another one was asked")
        return None, None

    async def _grounds(
        self, request: EnhancedLLMRequest, turn: Turn, warnings: list[str], rewrite: Rewriter, *, stays_here: bool
    ) -> Grounds:
        if self._knowledge is None or request.use_rag is False or not turn.question.strip():
            return Grounds()
        before = [record.content for record in turn.history if record.role == "user"]
        rag = self._settings().rag
        return await find_grounds(
            self._knowledge, request, turn.question, before, rag, warnings, rewrite, stays_here=stays_here
        )

    async def _must_stay(self, request: EnhancedLLMRequest, settings: Settings) -> bool:
        """True where the question reaches into a collection that may not leave this machine."""
        private = set(settings.privacy.local_only_collections)
        if not private or request.use_rag is False or self._knowledge is None:
            return False
        return bool(private & set(request.collections or await self._knowledge.collections()))

    async def _answer(self, request: EnhancedLLMRequest, prepared: _Prepared) -> AsyncGenerator[GatewayEvent, None]:
        """The gateway's events, with masked secrets back in their place and without sources that do not exist."""
        if prepared.fixed:
            for event in _without_a_model(prepared.fixed):
                yield event
            return
        stream = self.desk.stream(
            prepared.asked,
            route=prepared.route,
            ready_answers=prepared.ready,
            model_for=self.manager.model_owner(prepared.provider, prepared.route),
            fresh=request.fresh or request.regenerates is not None,
            keep=not request.temporary and not prepared.guard.kinds,
            keyed=prepared.keyed,
            passages=prepared.citations,
        )
        async with aclosing(prepared.shown.events(stream)) as events:
            async for event in events:
                yield event

    # Figures

    async def get_system_stats(self) -> dict[str, Any]:
        """Return performance, caching and per-provider figures under the source document's names."""
        rows = await self.manager.ledger.rows()
        good = [r.latency_ms for r in rows if r.outcome == "ok" and r.latency_ms is not None and not r.cached]
        providers = {}
        for figures in figures_by_provider(rows):
            provider = self.manager.get_provider(figures.provider)
            breaker = self.manager.breaker(figures.provider, provider.model).state if provider else "closed"
            providers[figures.provider] = {
                "requests": figures.requests,
                "success_rate": figures.success_rate,
                "p50_ms": figures.p50_ms,
                "p95_ms": figures.p95_ms,
                "ttft_p50_ms": figures.ttft_p50_ms,
                "cost_usd": figures.cost_usd,
                "breaker": breaker,
            }
        failed = sum(1 for r in rows if r.outcome == "failed")
        return {
            "performance": {
                "total_requests": len(rows),
                "failed_requests": failed,
                "avg_response_time": sum(good) / len(good) / 1000 if good else 0.0,
            },
            "caching": caching_stats(savings_of(rows), await self.desk.cache.count()),
            "quality": quality_stats(await self._conversations.judged_answers() if self._conversations else ()),
            "providers": providers,
        }

    async def clear_cache(self) -> int:
        """Forget every kept answer; returns how many there were."""
        return await self.desk.cache.forget()


def _enhanced(answer: LLMResponse, prepared: _Prepared, question: str) -> EnhancedLLMResponse:
    kinds, warned = tuple(prepared.guard.kinds), prepared.shown.warning()
    warnings = (*prepared.warnings, warned) if warned else tuple(prepared.warnings)
    grounds = prepared.grounds
    evidence = Evidence(grounds.searched_for, grounds.context.left_out, quality_of(answer, grounds, question))
    made = enhanced(answer, citations=prepared.citations, redactions=kinds, warnings=warnings)
    return replace(made, evidence=evidence)


def _without_a_model(text: str) -> tuple[GatewayEvent, ...]:
    """The events of an answer that nobody was asked for."""
    name = "documents"
    done = LLMResponse(text, name, name, finish_reason="stop", cost_usd=Decimal(), ttft_ms=0.0)
    return RouteStarted(name, name), TextDelta(text), RouteDone(done)
