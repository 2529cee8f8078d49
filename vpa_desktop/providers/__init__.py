"""One file per wire dialect. This one knows only their names; each is imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from vpa_desktop.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpa_desktop.catalog import LLMProviderConfig
    from vpa_desktop.providers._http import HttpSession
    from vpa_desktop.providers.base import BaseLLMProvider

CLASSES: Final[dict[str, str]] = {
    "openai": "vpa_desktop.providers.openai:OpenAIProvider",
    "openai_compatible": "vpa_desktop.providers.openai_compatible:OpenAICompatibleProvider",
    "anthropic": "vpa_desktop.providers.anthropic:AnthropicProvider",
    "google": "vpa_desktop.providers.gemini:GoogleProvider",
    "llama_cpp": "vpa_desktop.providers.llama_cpp:LlamaCppProvider",
    "ollama": "vpa_desktop.providers.ollama:OllamaProvider",
    "transformers": "vpa_desktop.providers.transformers:TransformersProvider",
    "mock": "vpa_desktop.providers.mock:MockProvider",
}
"""Kind in settings.toml -> ``module:Class``."""


def provider_class(kind: str) -> type[BaseLLMProvider]:
    """Return the class for a kind, importing its file; raises ConfigError for one that is not there."""
    try:
        module, name = CLASSES[kind].split(":")
    except KeyError:
        known = ", ".join(sorted(CLASSES))
        raise ConfigError(
            f'There is no provider of the kind "{kind}"', f"This version knows {known}", "Choose one of these"
        ) from None
    found: type[BaseLLMProvider] = getattr(import_module(module), name)
    return found


def build_provider(config: LLMProviderConfig, http: HttpSession | None = None) -> BaseLLMProvider:
    """Return the provider a configuration describes, on the shared session; raises ConfigError.

    Cheap: nothing is opened or loaded before the first request.
    """
    found: Callable[..., BaseLLMProvider] = provider_class(config.kind)
    return found(config, http=http)
