"""A local Hugging Face model, from a folder or from the cache of the hub. It never downloads, runs no code of a model.

Which model that is, and why one cannot be used, in words; the model itself runs in _transformers_worker.py.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Final

from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ProviderError, ProviderUnavailable
from vpa_desktop.messages import LLMRequest, StreamEvent
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._local import LocalModelProvider, threads

HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt")


class TransformersProvider(LocalModelProvider):
    """A causal language model through Transformers and torch, which are installed apart ("models")."""

    program = "transformers"
    start_s = 600.0
    environment: ClassVar[Mapping[str, str]] = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }

    def __init__(self, config: LLMProviderConfig, *, http: HttpSession | None = None) -> None:
        super().__init__(config, http=http)
        self.context_tokens = config.context_tokens

    def settings(self, request: LLMRequest | None) -> dict[str, Any]:
        """The folder or name, the window and how many processors it may use."""
        for name in ("torch", "transformers"):
            if find_spec(name) is None:
                raise self.unavailable(
                    f"Its engine ({name}) is not installed", 'Run: pip install "vpa-desktop[models]"'
                )
        return {
            "model": self._model(request),
            "context_tokens": self.config.context_tokens,
            "threads": threads(),
        }

    def loaded(self, answer: Mapping[str, Any]) -> None:
        """Take note of the model's window."""
        super().loaded(answer)
        self.context_tokens = int(answer["context_tokens"])

    def not_loaded(self, settings: Mapping[str, Any], answer: Mapping[str, Any]) -> ProviderUnavailable:
        """Say which of the usual reasons it was."""
        model = settings["model"]
        name = Path(model).name
        if answer.get("reason") == "not_found" and Path(model).is_dir():
            return self.unavailable(f"{model} is incomplete: its weights or its tokenizer cannot be read")
        why, next_step = {
            "memory": (f"There is not enough memory for {name}", "Choose a smaller model, or close other programs"),
            "missing": ("Its engine is incomplete", 'Run: pip install --upgrade "vpa-desktop[models]"'),
            "own_code": (f"{name} brings code of its own, which is never run", ""),
            "not_safe": _no_safetensors(name),
            "not_found": (
                f"{model} is not in this machine's Hugging Face cache, and nothing is downloaded unasked",
                f"Run: hf download {model}",
            ),
            "": (f"The process that loads {name} ended without a word, often for want of memory", ""),
        }.get(answer.get("reason", ""), (f"{name} is not a language model that Transformers can load", ""))
        return self.unavailable(why, next_step)

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer as it comes, then one StreamDone; closing it stops the computation within a token."""
        try:
            async with aclosing(super().stream(request)) as events:
                async for event in events:
                    yield event
        except ProviderError as exc:
            if exc.code != "out_of_memory":
                raise
            await self._child.end()
            raise self.unavailable(
                "There was not enough memory to go on", "Start a new conversation, or choose a smaller model"
            ) from exc

    def _model(self, request: LLMRequest | None) -> str:
        """The folder or hub name to load; raises ProviderUnavailable for one that cannot be a model."""
        asked = (request.model if request else None) or ""
        name = asked if asked and asked != self.model else self.config.model_path or self.model
        if not name:
            raise self.unavailable("No model is chosen", "Choose a model's folder in Settings, Providers")
        folder = Path(name).expanduser()
        if HUB_NAME.fullmatch(name) and not folder.is_dir():
            return name
        if not folder.is_dir():
            raise self.unavailable(f"There is no folder {folder}", "Choose the model's folder in Settings, Providers")
        if not (folder / "config.json").is_file():
            raise self.unavailable(
                f"{folder} is not a model: it has no config.json",
                "Choose a folder with config.json, a tokenizer and *.safetensors",
            )
        if not any(folder.glob("*.safetensors")) and any(any(folder.glob(kind)) for kind in PICKLES):
            raise self.unavailable(*_no_safetensors(folder.name))
        return str(folder)


def _no_safetensors(name: str) -> tuple[str, str]:
    return (
        f"The weights of {name} are not in the safetensors format; the older one can hide programs and is not read",
        "Look for a version of the model with *.safetensors files",
    )
