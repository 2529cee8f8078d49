"""A provider's model as an Embedder: batches, lengths, what is kept of questions. Sending is ``embedding_calls``'."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vpa_desktop.assistant.embedding_calls import ELSEWHERE, EmbeddingCalls, as_knowledge_error, host_for
from vpa_desktop.catalog import LLMProvider, LLMProviderConfig, split_address
from vpa_desktop.config import resource_path
from vpa_desktop.embedding import USUAL_TOKENS, ProviderChoice, Purpose, facts_of
from vpa_desktop.errors import ContentBlocked, ContextTooLong, KnowledgeError, VPAError
from vpa_desktop.rag.embedder import RemoteEmbedder
from vpa_desktop.rag.model_folder import NO_PROMPTS, Prompts, prompts_mark, prompts_of
from vpa_desktop.tokens import estimate_tokens

if TYPE_CHECKING:
    from vpa_desktop.rag.embedder import Vectors

QUERY_S: Final = 5.0
LOCAL_QUERY_S: Final = 20.0
"""How long a question waits for its vector: words alone find much too. A model on this computer may have to load."""

REST_S: Final = 30.0
"""For so long nobody is asked again after a question that waited in vain."""

KEPT_QUERIES: Final = 64
REQUEST_BYTES: Final = 280_000
"""OpenAI takes 300,000 tokens in a request, and no token is less than a byte."""

SHORTEST_CUT: Final = 100
_BATCHES: Final = {LLMProvider.OPENAI: 256, LLMProvider.AZURE_OPENAI: 256, LLMProvider.GOOGLE: 100}
_OTHER_BATCH: Final = 64
"""Vendors take 2,048 texts (Google 100). Fewer are stored sooner, and a kill loses no more than one batch; written
numbers, as other servers send them, are four times as long."""


def model_id_of(config: LLMProviderConfig, choice: ProviderChoice) -> str:
    """Return what a model's vectors are known by, but for their length: kind, address and model make them alike."""
    place = split_address(config.endpoint).netloc.rpartition("@")[2].lower()
    return f"provider:{config.kind}:{place}:{choice.model}{prompts_mark(_prompts(config, choice.model))}"


def dimensions_in(model_id: str, config: LLMProviderConfig, choice: ProviderChoice) -> int | None:
    """Return how long the vectors of a stored model are, where it is this one."""
    own, _, length = model_id.rpartition(":")
    return int(length) if own == model_id_of(config, choice) and length.isdecimal() else None


class ProviderEmbedder(RemoteEmbedder):
    """Implements Embedder. ``dim`` is known before: from the setting, the table, or one vector asked for."""

    is_latin_only = False

    def __init__(
        self,
        calls: EmbeddingCalls,
        choice: ProviderChoice,
        config: LLMProviderConfig,
        dim: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        facts = facts_of(choice.model)
        self.choice = str(choice)
        self.name = f"{choice.model} ({choice.provider_id})"
        self.model_id = f"{model_id_of(config, choice)}:{dim}"
        self.dim = dim
        self.max_tokens = facts.max_tokens if facts else USUAL_TOKENS
        self.tokenizer_file: Path = resource_path("models", "tokenizer.json")
        self._calls = calls
        self._wanted = choice
        self._kind = config.kind
        self._host = host_for(config, choice.model)
        self._prompts = _prompts(config, choice.model)
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._clock = clock
        self._rests_until = float("-inf")
        self._why_it_rests = KnowledgeError("")

    @property
    def sends_to(self) -> str:
        """The host that gets the texts; empty where they stay on this computer."""
        config = self._calls.configs().get(self._wanted.provider_id)
        return self._host if config is None else host_for(config, self._wanted.model)

    @property
    def batch(self) -> int:
        """How many passages go into one request."""
        return _BATCHES.get(LLMProvider(self._kind), _OTHER_BATCH)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Returns one row a text. Raises KnowledgeError with the provider's, the limit's or the policy's reason."""
        import numpy as np

        ready = [self._fitting(self._prompts.passage + text) for text in texts]
        parts = [await self._asked(part, "passage") for part in _in_requests(ready, self.batch)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), dtype=np.float32)

    async def embed_query(self, text: str) -> Vectors:
        """Returns the vector of a question; one that was asked lately is not paid for again."""
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        if self._clock() < self._rests_until:
            why = self._why_it_rests
            raise KnowledgeError(why.what, why.why, why.next_step)
        try:
            async with asyncio.timeout(QUERY_S if self.sends_to else LOCAL_QUERY_S):
                row: Vectors = (await self._asked([self._fitting(self._prompts.query + text)], "query"))[0]
        except TimeoutError as exc:
            late = KnowledgeError(
                f"{self.name} gave no vector in time", "A question does not wait for it longer", "Ask again later"
            )
            self._rest(late)
            raise late from exc
        except KnowledgeError as exc:
            if _is_passing(exc):
                self._rest(exc)
            raise
        self._kept[text] = row
        if len(self._kept) > KEPT_QUERIES:
            self._kept.popitem(last=False)
        return row

    async def aclose(self) -> None:
        """Has nothing to give back: the connections are the provider's."""

    def _rest(self, why: KnowledgeError) -> None:
        self._rests_until, self._why_it_rests = self._clock() + REST_S, why

    def _fitting(self, text: str) -> str:
        """The text, cut where it is surely too long for the model."""
        if len(text) <= self.max_tokens or estimate_tokens(text).tokens <= self.max_tokens:
            return text or "-"  # no vendor takes an empty one
        return text[: self.max_tokens * 2]

    async def _asked(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """Ask; where one text is too long, or will not be taken, it alone is cut."""
        try:
            found = await self._calls.embed(self._wanted, texts, purpose)
        except (ContextTooLong, ContentBlocked) as exc:
            return await self._asked_apart(texts, purpose, exc)
        except VPAError as exc:
            raise as_knowledge_error(exc) from exc
        return await asyncio.to_thread(self._unit_rows, found.vectors)

    async def _asked_apart(self, texts: Sequence[str], purpose: Purpose, why: VPAError) -> Vectors:
        import numpy as np

        if len(texts) == 1:
            half = texts[0][: len(texts[0]) // 2]
            if len(half) < SHORTEST_CUT:
                raise as_knowledge_error(why) from why
            return await self._asked([half], purpose)
        middle = len(texts) // 2
        return np.concatenate([await self._asked(part, purpose) for part in (texts[:middle], texts[middle:])])

    def _unit_rows(self, vectors: Sequence[Sequence[float]]) -> Vectors:
        import numpy as np

        rows: Vectors = np.array(vectors, dtype=np.float32)
        if rows.shape[1] != self.dim:
            raise KnowledgeError(
                f"{self.name} gives vectors of {rows.shape[1]} numbers, not {self.dim}",
                "The model behind that name is another one now, or cannot give shorter ones",
                ELSEWHERE,
            )
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


def _prompts(config: LLMProviderConfig, model: str) -> Prompts:
    """What the maker wants before each text; the large vendors' models want nothing, or their dialect puts it there."""
    if config.kind in (LLMProvider.OLLAMA, LLMProvider.OPENAI_COMPATIBLE):
        return prompts_of(model, {})
    return NO_PROMPTS


def _in_requests(texts: Sequence[str], most: int) -> Iterator[list[str]]:
    """The texts in requests of no more than so many, and no more bytes than a vendor takes."""
    some: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode("utf-8", "replace"))
        if some and (len(some) == most or size + length > REQUEST_BYTES):
            yield some
            some, size = [], 0
        some.append(text)
        size += length
    if some:
        yield some


def _is_passing(error: KnowledgeError) -> bool:
    """True for a failure of the network or the service: asked again at once it would cost the next question time."""
    return bool(getattr(error.__cause__, "retryable", False))
