"""What the two local engines share: a model in a process of its own, spoken to over loopback in Chat Completions.

A process, because a crash in native code must not take the window along and because ending it gives all its memory
back. It starts with the first request and ends when it was idle for long, with ``aclose``, or with this program.
"""

from __future__ import annotations

import asyncio
import secrets
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import ProviderError, ProviderUnavailable
from vpa_desktop.messages import LLMRequest, StreamEvent
from vpa_desktop.providers._child import Child, ChildFailed
from vpa_desktop.providers._failures import Peer
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._options import Options
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.providers.openai_compatible import OpenAICompatibleProvider
from vpa_desktop.tokens import TokenCount


class LocalModelProvider(OpenAICompatibleProvider):
    """A model on this machine. One answer at a time, later requests wait; nothing loads before the first."""

    program: ClassVar[str]
    """The child that is run, by its name in ``children``."""

    start_s: ClassVar[float] = 120.0
    """How long loading may take; large files on slow disks need their time. No other time limit counts it."""

    environment: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: LLMProviderConfig, *, http: HttpSession | None = None) -> None:
        super().__init__(config, http=http)
        self._turn = asyncio.Lock()
        self._key = secrets.token_urlsafe(24)
        self._child = Child(
            self.program,
            name=config.provider_id,
            start_s=self.start_s,
            idle_s=config.keep_loaded_minutes * 60,
            environment=self.environment,
        )

    @abstractmethod
    def settings(self, request: LLMRequest | None) -> dict[str, Any]:
        """What the process is told, without the key; raises ProviderUnavailable where something is missing."""

    @abstractmethod
    def not_loaded(self, settings: Mapping[str, Any], answer: Mapping[str, Any]) -> ProviderUnavailable:
        """The error for a model that its engine could not load, from what the process said."""

    def loaded(self, answer: Mapping[str, Any]) -> None:
        """Take note of what the process said about the model."""
        self._base = None  # its port is another one each time

    @property
    def process_id(self) -> int | None:
        """The model's process, None where it is not loaded."""
        return self._child.pid

    def bases(self) -> Sequence[str]:
        """The loopback port the model's process chose."""
        return [f"http://127.0.0.1:{self._child.answer['port']}/v1"] if self._child.pid else []

    def headers(self) -> Mapping[str, str]:
        """The random key of this process: other programs here must not use the model."""
        return {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._key}",
            "Connection": "close",  # llama.cpp's server drops kept connections without a word
        }

    def peer(self, model: str) -> Peer:
        """The local model, as error sentences name it."""
        endpoint = next(iter(self.bases()), "")
        options = Options.of(self.config)
        return Peer(self.provider_id, "the local model", model, endpoint, True, self.config.timeout, self._key, options)

    def sees_images(self, model: str) -> bool | None:
        """Text only."""
        return False

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer as it comes, then one StreamDone; closing it stops the computation."""
        await self.with_images(request, str(request.model or self.model))  # refused before anything is loaded
        async with self._turn:
            settings = self.settings(request)
            try:
                async with self._child.use({**settings, "api_key": self._key}) as answer:
                    self.loaded(answer)
                    async with aclosing(super().stream(request)) as events:
                        async for event in events:
                            yield event
            except ChildFailed as exc:
                raise self._failed(exc, settings) from exc
            except ProviderError as exc:
                if exc.error_class == "network":  # on loopback that means its process is gone or beyond use
                    await self._child.end()
                raise

    async def connect(self) -> None:
        """Load the model; raises ProviderUnavailable with the next step where something is missing."""
        settings = self.settings(None)
        if self._turn.locked():
            return  # it answers somebody just now, or loads for that, perhaps another model than its own
        try:
            self.loaded(await self._child.ready({**settings, "api_key": self._key}))
        except ChildFailed as exc:
            raise self._failed(exc, settings) from exc

    async def list_models(self) -> list[ModelInfo]:
        """The configured model; loads nothing."""
        return [ModelInfo(self.model, context_tokens=self.context_tokens, images=False)]

    async def count_tokens(self, request: LLMRequest) -> TokenCount:
        """The model's own count where it is loaded; loads nothing."""
        if self._child.pid is None:
            return await BaseLLMProvider.count_tokens(self, request)
        return await super().count_tokens(request)

    def retire(self) -> None:
        """Give the model's memory back, now or after the answers that are under way."""
        self._child.retire()

    async def aclose(self) -> None:
        """End the model's process and give its memory back."""
        await self._child.end()
        await super().aclose()

    def _failed(self, exc: ChildFailed, settings: Mapping[str, Any]) -> ProviderUnavailable:
        return self.not_loaded(settings, exc.answer) if not exc.is_late else self.unavailable(str(exc))

    def unavailable(self, why: str, next_step: str = "") -> ProviderUnavailable:
        """The error for a model that cannot be used at all."""
        return ProviderUnavailable(
            "The local model cannot answer",
            why,
            next_step or "Choose another model in Settings, Providers, or another provider",
            provider=self.provider_id,
            model=self.model,
            retryable=False,
        )


def threads() -> int:
    """One core less than there are: with all of them busy, anything else running slows the model tenfold."""
    import psutil

    return max(1, (psutil.cpu_count(logical=False) or 2) - 1)
