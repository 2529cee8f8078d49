"""Choosing what makes the vectors: what there is, what each costs and where texts go, and the change itself.

A provider's model is tried with one word that is nobody's before it is chosen; text of the documents goes nowhere
before the person has agreed to the host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from vpa_desktop.assistant.embedding_calls import EmbeddingCalls, Note, as_knowledge_error, host_for
from vpa_desktop.assistant.model_catalogue import ModelCatalogue
from vpa_desktop.assistant.provider_embedder import ProviderEmbedder, dimensions_in, model_id_of
from vpa_desktop.catalog import KINDS, LLMProviderConfig
from vpa_desktop.config import Settings
from vpa_desktop.embedding import (
    DEFAULT_CHOICE,
    SUGGESTED,
    EmbeddingOffer,
    EmbeddingQuote,
    ProviderChoice,
    facts_of,
    makes_embeddings,
    provider_choice,
)
from vpa_desktop.errors import KnowledgeError, PolicyRefused, VPAError
from vpa_desktop.prices import embedding_cost_usd
from vpa_desktop.rag.embedder import Embedder, OnnxEmbedder
from vpa_desktop.rag.sentence_embedder import open_embedder
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.kept_here import Amount, KeptHere
from vpa_desktop.storage.vectors import VectorStore

HEADING_TOKENS: Final = 16
"""What the title and the heading before each passage add, about."""

_MILLION: Final = 1_000_000
LIST_S: Final = 6.0
"""How long a provider's list of models is waited for; without it the usual ones are offered."""


class EmbeddingDesk:
    """The use-cases of the embedding model. ``save`` writes settings by dotted key; they count at once."""

    def __init__(
        self,
        calls: EmbeddingCalls,
        catalogue: ModelCatalogue,
        db: Database,
        settings: Callable[[], Settings],
        save: Callable[[Mapping[str, Any]], Awaitable[None]],
        note: Note | None = None,
    ) -> None:
        self._calls = calls
        self._catalogue = catalogue
        self._vectors = VectorStore(db)
        self._kept_here = KeptHere(db)
        self._settings = settings
        self._save = save
        self._note = note
        self._seen: dict[str, int] = {}

    # What makes the vectors now

    async def open(self, choice: str) -> Embedder:
        """Return the embedder of a choice; raises KnowledgeError where it cannot be had, or may not be asked."""
        wanted = self._provider_choice(choice)
        if wanted is None:
            self._must_be_no_providers(choice)
            return await open_embedder(choice)
        config = self._calls.configs().get(wanted.provider_id)
        if config is None:
            raise _gone(wanted)
        return ProviderEmbedder(self._calls, wanted, config, await self._dimensions(wanted, config))

    def _must_be_no_providers(self, choice: str) -> None:
        """Raise KnowledgeError for a vendor's model without the vendor: it would be looked for on the hub."""
        named = provider_choice(choice, KINDS)
        if named is not None and facts_of(named.model) is not None:
            raise _gone(named)

    def place(self) -> str:
        """Return what tells the provider's model in the settings apart, with its address; empty where it is none."""
        wanted = self._provider_choice(self._settings().rag.embedding_model)
        config = self._calls.configs().get(wanted.provider_id) if wanted is not None else None
        if wanted is None or config is None:
            return ""
        return f"{model_id_of(config, wanted)}:{self._seen.get(str(wanted), '')}"

    async def obstacle(self) -> VPAError | None:
        """Say why the provider's model in the settings cannot be asked now, without asking it; None where it can."""
        wanted = self._provider_choice(self._settings().rag.embedding_model)
        if wanted is None:
            return None
        try:
            door = await self._calls.door(wanted)
            self._calls.must_be_agreed(wanted, door.host)
        except VPAError as exc:
            return exc
        return None

    async def reopen(self, choice: str) -> Embedder:
        """``open`` for the model before: nothing is sent where the person has not agreed any more."""
        wanted = self._provider_choice(choice, is_old=True)
        if wanted is not None and (config := self._calls.configs().get(wanted.provider_id)) is not None:
            try:
                self._calls.must_be_agreed(wanted, host_for(config, wanted.model))
            except PolicyRefused as refusal:
                raise as_knowledge_error(refusal) from refusal
        return await self.open(choice)

    def _provider_choice(self, choice: str, *, is_old: bool = False) -> ProviderChoice | None:
        rag = self._settings().rag
        agreed = rag.embedding_host if choice == rag.embedding_model and not is_old else ""
        return provider_choice(choice, self._calls.configs(), agreed_host=agreed)

    async def _dimensions(self, choice: ProviderChoice, config: LLMProviderConfig) -> int:
        """How long the vectors are: as tried, as stored, as known; else one is asked for."""
        if choice.dimensions is not None:
            return choice.dimensions
        if (seen := self._seen.get(str(choice))) is not None:
            return seen
        models = await self._vectors.models()
        for stored in (models.wanted, models.answering) if models is not None else ():
            if (length := dimensions_in(stored, config, choice)) is not None:
                return length
        facts = facts_of(choice.model)
        if facts is not None:
            return facts.dimensions
        try:
            self._calls.must_be_agreed(choice, host_for(config, choice.model))
        except PolicyRefused as refusal:
            raise as_knowledge_error(refusal) from refusal
        return await self._try(choice)

    async def _try(self, choice: ProviderChoice) -> int:
        """Ask for one vector; return how long it is."""
        try:
            found = await self._calls.test(choice)
        except VPAError as exc:
            raise as_knowledge_error(exc) from exc
        length = len(found.vectors[0])
        if choice.dimensions not in (None, length):
            raise KnowledgeError(
                f"{choice.model} cannot give vectors of {choice.dimensions} numbers",
                f"It gave one of {length}",
                f"Choose it without @{choice.dimensions}",
            )
        self._seen[str(choice)] = length
        return length

    # Choosing

    async def offers(self) -> list[EmbeddingOffer]:
        """Return what can be chosen: the model that comes along, then the models of providers that have some."""
        current = self._settings().rag.embedding_model or DEFAULT_CHOICE
        found = [EmbeddingOffer(DEFAULT_CHOICE, OnnxEmbedder.name, is_current=current == DEFAULT_CHOICE)]
        configs = [c for c in self._calls.configs().values() if c.kind in SUGGESTED and c.enabled]
        for some in await asyncio.gather(*(self._offers_of(config, current) for config in configs)):
            found += some
        if all(not offer.is_current for offer in found):
            wanted = self._provider_choice(current)
            config = self._calls.configs().get(wanted.provider_id) if wanted is not None else None
            host = host_for(config, wanted.model) if wanted is not None and config is not None else ""
            found.append(EmbeddingOffer(current, current, host, is_current=True))
        return found

    async def _offers_of(self, config: LLMProviderConfig, current: str) -> list[EmbeddingOffer]:
        models = await self._models(config)
        found = []
        for model in models:
            choice = ProviderChoice(config.provider_id, model)
            note = ""
            try:
                await self._calls.door(choice)
            except VPAError as exc:
                note = str(exc)
            name = f"{model} ({config.provider_id})"
            host = host_for(config, model)
            found.append(EmbeddingOffer(str(choice), name, host, note, is_current=str(choice) == current))
        return found

    async def _models(self, config: LLMProviderConfig) -> list[str]:
        """The provider's models that make vectors, as it lists them itself; the usual ones where it does not say."""
        try:
            async with asyncio.timeout(LIST_S):
                listed = (await self._catalogue.models(config.provider_id)).models
        except TimeoutError:
            listed = (await self._catalogue.known(config.provider_id)).models
        named = [model.id for model in listed if makes_embeddings(model.id)]
        return named or list(SUGGESTED[config.kind])

    async def quote(self, choice: str) -> EmbeddingQuote:
        """Say what choosing a model means, before anything is sent; raises KnowledgeError for no provider's model."""
        wanted = self._provider_choice(choice)
        config = self._calls.configs().get(wanted.provider_id) if wanted is not None else None
        if wanted is None or config is None:
            self._must_be_no_providers(choice)
            amount = await self._kept_here.amount(())
            zero = Decimal(0)
            name = OnnxEmbedder.name if choice in ("", DEFAULT_CHOICE) else choice
            return EmbeddingQuote(choice, name, passages=amount.passages, price_per_million=zero, cost_usd=zero)
        host = host_for(config, wanted.model)
        private = self._settings().privacy.local_only_collections if host else ()
        amount = await self._kept_here.amount(private)
        tokens = _tokens(amount)
        facts = facts_of(wanted.model)
        return EmbeddingQuote(
            choice,
            wanted.model,
            host,
            wanted.provider_id,
            amount.passages,
            tokens,
            amount.kept_here,
            await asyncio.to_thread(embedding_cost_usd, config, wanted.model, _MILLION),
            await asyncio.to_thread(embedding_cost_usd, config, wanted.model, tokens),
            wanted.dimensions or self._seen.get(str(wanted)) or (facts.dimensions if facts else None),
        )

    async def choose(self, choice: str, *, agreed: bool = False) -> EmbeddingQuote:
        """Have this model make the vectors from now on; the one before answers until they are there.

        ``agreed`` says that the person has read the quote. Raises PolicyRefused without that where something would
        leave or cost, KnowledgeError where the model cannot be had; nothing is changed then.
        """
        quote = await self.quote(choice)
        if quote.needs_consent and not agreed:
            raise PolicyRefused(
                "The embedding model was not changed",
                f"Text of your documents would go to {quote.host}" if quote.host else "It costs money",
                "Agree to it in Settings, Documents, or with --yes",
                rule="rag.embedding_host",
            )
        wanted = self._provider_choice(choice)
        if wanted is None:
            await (await self.open(choice)).aclose()
        else:
            await self._try(wanted)
        await self._save({"rag.embedding_model": choice, "rag.embedding_host": quote.host or None})
        if self._note is not None:
            where = quote.host or "this computer"
            await self._note("embedding model chosen", choice, "done", host=where, passages=quote.passages)
        return quote


def _gone(choice: ProviderChoice) -> KnowledgeError:
    return KnowledgeError(
        f"There is no provider {choice.provider_id}",
        f"The embedding model {choice} is one of its",
        "Add it in Settings, Providers, or choose another embedding model in Settings, Documents",
    )


def _tokens(amount: Amount) -> int:
    return amount.tokens + HEADING_TOKENS * amount.passages
