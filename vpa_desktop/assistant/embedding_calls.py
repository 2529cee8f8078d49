"""One request for vectors: may it be sent, what may it cost, who is asked, what is booked and noted. Keeps no vector.

Every text that leaves for its vector goes through here: the person's agreement to the host, the policies, the limits,
the masking of secrets, the books and the audit are looked after in this one place.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from vpa_desktop.assistant.outgoing import OutgoingGuard
from vpa_desktop.catalog import LLMProviderConfig, split_address
from vpa_desktop.config import Settings
from vpa_desktop.embedding import SUGGESTED, EmbeddingRequest, Embeddings, ProviderChoice, Purpose
from vpa_desktop.errors import KeyMissing, KnowledgeError, PolicyRefused, ProviderError, StorageError, VPAError
from vpa_desktop.gateway.budget import Reservation
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import LOCAL_USER, Message
from vpa_desktop.prices import embedding_cost_usd
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.records import UsageRow
from vpa_desktop.security.addresses import is_handed_on
from vpa_desktop.security.policy import stays_local
from vpa_desktop.tokens import estimate_tokens

log = logging.getLogger(__name__)

TRIES: Final = 4
LONGEST_WAIT_S: Final = 60.0
"""A provider that wants to be left alone for longer is: the work goes on later."""

ELSEWHERE: Final = "Choose another embedding model in Settings, Documents, or with: vpa-desktop docs model"
TEST_WORD: Final = "test"

Note = Callable[..., Awaitable[None]]
"""Writes an entry into the audit, as ``AuditLog.append_anyway`` does."""


@dataclass(frozen=True, slots=True)
class Door:
    """Whom a model's texts go to. ``host`` is empty where they stay on this computer."""

    provider: BaseLLMProvider
    model: str
    host: str


def host_for(config: LLMProviderConfig, model: str) -> str:
    """Return the host that gets texts for this model; empty where they stay on this computer."""
    if stays_local(config, model):
        return ""
    if is_handed_on(config, model):
        return "ollama.com"
    return split_address(config.endpoint).netloc.rpartition("@")[2].lower() or config.endpoint or "no address"


class EmbeddingCalls:
    """``configs`` are the providers in force, ``ready`` waits for their keys, ``note`` None keeps no audit."""

    def __init__(
        self,
        manager: LLMProviderManager,
        configs: Callable[[], Mapping[str, LLMProviderConfig]],
        settings: Callable[[], Settings],
        ready: Callable[[], Awaitable[None]],
        note: Note | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.configs = configs
        self._manager = manager
        self._settings = settings
        self._ready = ready
        self._note = note
        self._sleep = sleep

    async def door(self, choice: ProviderChoice) -> Door:
        """Return whom to ask. Raises KnowledgeError, KeyMissing or PolicyRefused where nobody may be asked."""
        await self._ready()
        config = self.configs().get(choice.provider_id)
        if config is None or not config.enabled:
            said = "There is no provider" if config is None else "You have switched off"
            raise KnowledgeError(
                f"{said} {choice.provider_id}", f"The embedding model {choice} needs it", f"Bring it back. {ELSEWHERE}"
            )
        if config.kind not in SUGGESTED:
            raise KnowledgeError(
                f"{choice.provider_id} makes no vectors of texts", f"Its kind, {config.kind}, cannot", ELSEWHERE
            )
        provider = self._manager.get_provider(choice.provider_id)
        if provider is None:
            raise KeyMissing(
                f"There is no key for {choice.provider_id} that can be read",
                f"The embedding model {choice} needs it",
                "Add one in Settings, Keys, or with: vpa-desktop keys set " + choice.provider_id,
            )
        refusal = self._manager.policy.refusal_here(provider.config, choice.model)
        if refusal is not None:
            raise refusal
        return Door(provider, choice.model, host_for(provider.config, choice.model))

    async def _permitted(self, choice: ProviderChoice, *, needs_agreement: bool) -> Door:
        """``door``, with the person's agreement where texts of the documents would leave; a refusal is audited."""
        try:
            door = await self.door(choice)
            if needs_agreement:
                self.must_be_agreed(choice, door.host)
        except PolicyRefused as refusal:
            await self._told("refused", choice, rule=refusal.rule, why=refusal.why)
            raise
        return door

    def must_be_agreed(self, choice: ProviderChoice, host: str) -> None:
        """Raise PolicyRefused where the person has not agreed that text of the documents goes to this host."""
        agreed = self._settings().rag.embedding_host
        if not host or agreed == host:
            return
        why = f"You have agreed to {agreed}" if agreed else "You have not agreed to it yet"
        raise PolicyRefused(
            f"No text of your documents was sent to {host}",
            why,
            f"Agree in Settings, Documents, or with: vpa-desktop docs model {choice}",
            rule="rag.embedding_host",
        )

    async def test(self, choice: ProviderChoice) -> Embeddings:
        """Return the vector of one word that is nobody's: it shows whether the model is there. Raises VPAError."""
        door = await self._permitted(choice, needs_agreement=False)
        request = EmbeddingRequest((TEST_WORD,), choice.model, "passage", choice.dimensions)
        return await self._booked(door, choice, request)

    async def embed(self, choice: ProviderChoice, texts: Sequence[str], purpose: Purpose) -> Embeddings:
        """Return the vectors of texts; those of passages are tried for again after a failure that may pass.

        Raises VPAError: BudgetExceeded, PolicyRefused, KeyMissing and KnowledgeError before anything is sent.
        """
        for position in range(TRIES):
            door = await self._permitted(choice, needs_agreement=True)
            request = EmbeddingRequest(await self._masked(door, texts), choice.model, purpose, choice.dimensions)
            try:
                return await self._booked(door, choice, request)
            except ProviderError as exc:
                wait_s = 2.0**position if exc.retry_after_s is None else exc.retry_after_s
                is_over = position + 1 == TRIES or purpose == "query" or wait_s > LONGEST_WAIT_S
                if is_over or not exc.retryable:
                    raise
                log.info("vectors are asked for again in %.0f s: %s", wait_s, exc)
                await self._sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    async def _masked(self, door: Door, texts: Sequence[str]) -> tuple[str, ...]:
        if not door.host or not self._settings().privacy.redact_outgoing:
            return tuple(texts)
        return await asyncio.to_thread(lambda: tuple(map(masked, texts)))

    async def _booked(self, door: Door, choice: ProviderChoice, request: EmbeddingRequest) -> Embeddings:
        """Ask once, within the limits; what it cost is booked whatever happens."""
        config, user_id = door.provider.config, self._manager.policy.user_of(LOCAL_USER)
        most = sum(len(text.encode("utf-8", "replace")) for text in request.texts)  # no token is less than a byte
        needed = await asyncio.to_thread(embedding_cost_usd, config, door.model, most)
        reservation = await self._manager.budget.reserve(
            needed, provider=config.provider_id, model=door.model, user_id=user_id
        )
        began = time.perf_counter()
        found: Embeddings | None = None
        failed: ProviderError | PolicyRefused | None = None
        try:
            found = await door.provider.embed(request)
        except (ProviderError, PolicyRefused) as exc:
            failed = exc
            raise
        finally:
            row = await self._row(door, request, found, failed, (time.perf_counter() - began) * 1000)
            await self._settle(reservation, row._replace(user_id=user_id))
            facts = {"host": door.host or "this computer", "model": door.model, "purpose": request.purpose}
            counts = {
                "texts": len(request.texts),
                "tokens": row.input_tokens,
                "cost_usd": "unknown" if row.cost_usd is None else str(row.cost_usd),
            }
            await self._told(row.outcome if row.outcome != "ok" else "done", choice, **facts, **counts)
        return found

    async def _row(
        self,
        door: Door,
        request: EmbeddingRequest,
        found: Embeddings | None,
        failed: VPAError | None,
        took_ms: float,
    ) -> UsageRow:
        """The request as it is booked: a failure costs nothing, one that was broken off what was sent."""
        config = door.provider.config
        counted = found.input_tokens if found is not None else None
        tokens = sum(estimate_tokens(text).tokens for text in request.texts) if counted is None else counted
        known: Decimal | None = Decimal(0)
        if failed is None:
            known = await asyncio.to_thread(embedding_cost_usd, config, door.model, tokens)
        return UsageRow(
            at=datetime.now(UTC),
            provider=config.provider_id,
            model=door.model,
            outcome="ok" if found is not None else "failed" if failed is not None else "cancelled",
            input_tokens=0 if failed is not None else tokens,
            output_tokens=0,
            cost_usd=known,
            latency_ms=took_ms,
            error_class=failed.error_class if isinstance(failed, ProviderError) else "",
            estimated=counted is None,
            key_label=(found.key_label if found is not None else "") or door.provider.key_label,
        )

    async def _settle(self, reservation: Reservation, row: UsageRow) -> None:
        """Book it. A disk that refuses loses no vector: what was set aside stays so, and the limit holds."""
        try:
            await self._manager.budget.settle(reservation, row)
        except StorageError as exc:
            log.warning("What vectors of %s cost could not be booked: %s", row.provider, exc)

    async def _told(self, result: str, choice: ProviderChoice, **facts: object) -> None:
        if self._note is not None:
            await self._note("text sent for vectors", choice.provider_id, result, **facts)


def masked(text: str) -> str:
    """Return a text with its secrets replaced, as prompts have them replaced before they leave."""
    return OutgoingGuard().mask((Message("user", text),))[0].content


def as_knowledge_error(error: VPAError) -> KnowledgeError:
    """Return an error in the words of the documents' part, which knows no providers."""
    return error if isinstance(error, KnowledgeError) else KnowledgeError(error.what, error.why, error.next_step)


__all__ = ["Door", "EmbeddingCalls", "as_knowledge_error", "host_for", "masked"]
