"""VPA Desktop: one chat window over every LLM, with answers from the person's own files.

The public names are loaded on first use (PEP 562), so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpa_desktop.assistant.integration import EnhancedLLMIntegration
    from vpa_desktop.assistant.legacy import VPARAGLLMIntegration, create_rag_llm_integration
    from vpa_desktop.catalog import LLMModel, LLMProvider, LLMProviderConfig
    from vpa_desktop.config import get_config
    from vpa_desktop.creating import create_complete_vpa_system, create_llm_provider_manager
    from vpa_desktop.gateway.manager import LLMProviderManager
    from vpa_desktop.messages import EnhancedLLMRequest, EnhancedLLMResponse, LLMRequest, LLMResponse
    from vpa_desktop.providers.anthropic import AnthropicProvider
    from vpa_desktop.providers.azure import AzureOpenAIProvider
    from vpa_desktop.providers.base import BaseLLMProvider
    from vpa_desktop.providers.gemini import GoogleProvider
    from vpa_desktop.providers.mock import MockProvider
    from vpa_desktop.providers.ollama import OllamaProvider
    from vpa_desktop.providers.openai import OpenAIProvider
    from vpa_desktop.providers.transformers import TransformersProvider

__version__ = "0.1.0"

_HOMES = {
    "AnthropicProvider": "providers.anthropic",
    "AzureOpenAIProvider": "providers.azure",
    "BaseLLMProvider": "providers.base",
    "EnhancedLLMIntegration": "assistant.integration",
    "EnhancedLLMRequest": "messages",
    "EnhancedLLMResponse": "messages",
    "GoogleProvider": "providers.gemini",
    "LLMModel": "catalog",
    "LLMProvider": "catalog",
    "LLMProviderConfig": "catalog",
    "LLMProviderManager": "gateway.manager",
    "LLMRequest": "messages",
    "LLMResponse": "messages",
    "MockProvider": "providers.mock",
    "OllamaProvider": "providers.ollama",
    "OpenAIProvider": "providers.openai",
    "TransformersProvider": "providers.transformers",
    "VPARAGLLMIntegration": "assistant.legacy",
    "create_complete_vpa_system": "creating",
    "create_llm_provider_manager": "creating",
    "create_rag_llm_integration": "assistant.legacy",
    "get_config": "config",
}

__all__ = [
    "AnthropicProvider",
    "AzureOpenAIProvider",
    "BaseLLMProvider",
    "EnhancedLLMIntegration",
    "EnhancedLLMRequest",
    "EnhancedLLMResponse",
    "GoogleProvider",
    "LLMModel",
    "LLMProvider",
    "LLMProviderConfig",
    "LLMProviderManager",
    "LLMRequest",
    "LLMResponse",
    "MockProvider",
    "OllamaProvider",
    "OpenAIProvider",
    "TransformersProvider",
    "VPARAGLLMIntegration",
    "create_complete_vpa_system",
    "create_llm_provider_manager",
    "create_rag_llm_integration",
    "get_config",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
