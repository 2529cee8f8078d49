"""The contract every provider keeps. Nothing about HTTP, routing, storage or where keys live.

``stream`` is the contract; ``generate`` folds it. A stream yields deltas and ends with exactly one
StreamDone, or raises a ProviderError: the end of the bytes alone is never success.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.embedding import EmbeddingRequest, Embeddings
from vpa_desktop.errors import BadReply, RequestRejected
from vpa_desktop.messages import LLMRequest, LLMResponse, ReasoningDelta, StreamDone, StreamEvent, TextDelta, Usage
from vpa_desktop.tokens import TokenCount, estimate_prompt_tokens


class PassedOver(NamedTuple):
    """One of several keys that a request was tried with in vain: the receipt's words, and the time it took."""

    reason: str
    ms: float


class BaseLLMProvider(ABC):
    """One configured provider. Subclasses implement ``stream`` and what of the rest their wire has.

    Objects are cheap until used: no connection, file or heavy import in the constructor.

    ``provider_id`` is the person's own name for it, ``model`` the one used where a request names none, ``is_local``
    says that a request never leaves this machine; all three are the configuration's.
    """

    provider_id: str
    model: str
    is_local: bool

    context_tokens: int | None = None
    """The model's window, where it is known: older turns are left out to fit it."""
    key_label: str = ""
    """What usage rows call the key that is asked with: the person's name for it or its last characters, never it."""
    passed_over: tuple[PassedOver, ...] = ()
    """Of one attempt: the keys that were refused before the one that was taken."""

    def __init__(self, config: LLMProviderConfig) -> None:
        self.config = config

    @property
    def config(self) -> LLMProviderConfig:
        """How it is configured."""
        return self._config

    @config.setter
    def config(self, config: LLMProviderConfig) -> None:
        self._config = config
        self.provider_id = config.provider_id
        self.model = str(config.model)
        self.is_local = config.is_local

    def for_attempt(self, *, force: bool = False) -> BaseLLMProvider:
        """The object to stream one attempt from: itself, where there is one key. ``force`` asks what rests too."""
        return self

    @abstractmethod
    def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer as it comes, then one StreamDone.

        Closing the generator cancels the request and closes its connection. Raises ProviderError.
        """

    async def generate(self, request: LLMRequest) -> LLMResponse:
        """Return the whole answer; raises what ``stream`` raises."""
        started = time.perf_counter()
        text: list[str] = []
        reasoning: list[str] = []
        ttft_ms: float | None = None
        done: StreamDone | None = None
        async with aclosing(self.stream(request)) as events:
            async for event in events:
                if isinstance(event, StreamDone):
                    done = event
                    continue
                if ttft_ms is None:
                    ttft_ms = (time.perf_counter() - started) * 1000
                (text if isinstance(event, TextDelta) else reasoning).append(event.text)
        if done is None:
            raise BadReply(
                f"{self.provider_id} ended its answer without saying that it was complete",
                provider=self.provider_id,
                model=self.model,
            )
        return LLMResponse(
            content="".join(text),
            provider=self.provider_id,
            model=done.model or request.model or self.model,
            finish_reason=done.finish_reason,
            usage=done.usage or Usage(),
            reasoning="".join(reasoning),
            tool_calls=done.tool_calls,
            carry=done.carry,
            ttft_ms=ttft_ms,
            latency_ms=(time.perf_counter() - started) * 1000,
            request_id=done.request_id,
        )

    def answer_limit(self, model: str) -> int | None:
        """The length in tokens that is sent along where nobody has set one; None where none is."""
        return None

    async def connect(self) -> None:
        """Check that the provider answers with these settings; raises ProviderError with the reason in words.

        Costs nothing where the protocol allows it (a model list, not an answer).
        """
        await self.list_models()

    async def list_models(self) -> list[ModelInfo]:
        """The models this provider offers; the configured one where it has no list."""
        return [ModelInfo(self.model)]

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Return one vector a text; raises ProviderError, also where this kind makes none."""
        raise RequestRejected(
            f"{self.provider_id} makes no vectors of texts",
            f"The kind {self.config.kind} has no such models",
            "Choose another embedding model in Settings, Documents",
            provider=self.provider_id,
            model=request.model,
            error_class="not_found",
        )

    async def count_tokens(self, request: LLMRequest) -> TokenCount:
        """The tokens of a prompt: the provider's own count where asking costs nothing, else an estimate that says so.

        Never raises: a count that cannot be had is an estimate.
        """
        return estimate_prompt_tokens(request.messages)

    def window_of(self, model: str) -> int | None:
        """The window this model is asked with, where it is known: another model may have another one."""
        return self.context_tokens

    def retire(self) -> None:  # noqa: B027 - most providers hold nothing
        """Take note that no new requests will come: what is held goes as soon as running answers are over."""

    async def aclose(self) -> None:  # noqa: B027 - most providers own nothing
        """Give back connections, processes and memory. Safe to call twice."""


__all__ = ["BaseLLMProvider", "ReasoningDelta", "StreamDone", "StreamEvent", "TextDelta"]
