"""Makes providers under the policy: one that nobody here may ask gets no connection at all, for any purpose.

Tests, lists of models and probes go past the gateway; this is what they meet. It asks the book each time, so that a
policy that changes counts for providers that are made from then on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.embedding import EmbeddingRequest, Embeddings
from vpa_desktop.errors import PolicyRefused
from vpa_desktop.messages import LLMRequest, StreamEvent
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.security.policy import PolicyBook
from vpa_desktop.security.tightening import taken_at_its_word

Build = Callable[[LLMProviderConfig], BaseLLMProvider]


class ForbiddenProvider(BaseLLMProvider):
    """A provider that is never asked: every call raises the reason."""

    def __init__(self, config: LLMProviderConfig, refusal: PolicyRefused) -> None:
        super().__init__(config)
        self._said = (refusal.what, refusal.why, refusal.next_step)
        self._rule = refusal.rule

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Raises PolicyRefused."""
        for event in self._refuse():
            yield event

    async def list_models(self) -> list[ModelInfo]:
        """Raises PolicyRefused."""
        self._refuse()
        return []

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Raises PolicyRefused."""
        self._refuse()
        return await super().embed(request)

    def _refuse(self) -> Sequence[StreamEvent]:
        raise PolicyRefused(*self._said, rule=self._rule)


def guarded(build: Build, book: Callable[[], PolicyBook]) -> Build:
    """Return ``build`` under the policies in force."""

    def make(config: LLMProviderConfig) -> BaseLLMProvider:
        policies = book()
        if not policies:
            return build(config)
        config = taken_at_its_word(config, policies)
        refusal = policies.refusal_here(config)
        return build(config) if refusal is None else ForbiddenProvider(config, refusal)

    return make
