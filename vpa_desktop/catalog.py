"""Which providers and models the program knows by name, and how one provider is configured.

Not the wire (``providers``), not prices over time (``pricing``): only names, kinds and the facts a configuration needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, urlsplit


class LLMProvider(StrEnum):
    """The kinds of provider; the value is what ``kind`` says in settings.toml."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    AZURE_OPENAI = "azure"
    OLLAMA = "ollama"
    OPENAI_COMPATIBLE = "openai_compatible"
    CUSTOM = "openai_compatible"
    LLAMA_CPP = "llama_cpp"
    TRANSFORMERS = "transformers"
    HUGGINGFACE = "transformers"
    MOCK = "mock"


class LLMModel(StrEnum):
    """Model names of the source document and current defaults; any other is as good (fields take a str too)."""

    GPT_4 = "gpt-4"
    GPT_4_TURBO = "gpt-4-turbo"
    GPT_4O = "gpt-4o"
    GPT_4O_MINI = "gpt-4o-mini"
    GPT_3_5_TURBO = "gpt-3.5-turbo"
    GPT_6_LUNA = "gpt-6-luna"
    CLAUDE_3_OPUS = "claude-3-opus-20240229"
    CLAUDE_3_SONNET = "claude-3-sonnet-20240229"
    CLAUDE_3_HAIKU = "claude-3-haiku-20240307"
    CLAUDE_SONNET_5_5 = "claude-sonnet-5-5"
    CLAUDE_HAIKU_5_5 = "claude-haiku-5-5"
    GEMINI_PRO = "gemini-pro"
    GEMINI_ULTRA = "gemini-ultra"
    GEMINI_3_8_FLASH = "gemini-3.8-flash"
    PALM_2 = "text-bison-001"
    LLAMA_2_7B = "llama2:7b"
    LLAMA_2_13B = "llama2:13b"
    MISTRAL_7B = "mistral:7b"
    SMOLLM2_135M = "smollm2-135m-instruct"
    MOCK_MODEL = "mock"


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """What settings need to know about a kind before any of its code is loaded."""

    kind: LLMProvider
    label: str
    default_endpoint: str
    default_model: str
    key_environment: tuple[str, ...] = ()
    key_page: str = ""
    needs_key: bool = True
    is_local: bool = False


KINDS: Final[dict[str, ProviderKind]] = {
    k.kind.value: k
    for k in (
        ProviderKind(
            LLMProvider.OPENAI,
            "OpenAI",
            "https://api.openai.com/v1",
            LLMModel.GPT_6_LUNA,
            ("OPENAI_API_KEY",),
            "https://platform.openai.com/api-keys",
        ),
        ProviderKind(
            LLMProvider.ANTHROPIC,
            "Anthropic",
            "https://api.anthropic.com",
            LLMModel.CLAUDE_SONNET_5_5,
            ("ANTHROPIC_API_KEY",),
            "https://console.anthropic.com/settings/keys",
        ),
        ProviderKind(
            LLMProvider.OPENAI_COMPATIBLE, "OpenAI-compatible endpoint", "http://127.0.0.1:8000/v1", "", needs_key=False
        ),
        ProviderKind(
            LLMProvider.GOOGLE,
            "Google Gemini",
            "https://generativelanguage.googleapis.com",
            LLMModel.GEMINI_3_8_FLASH,
            ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
            "https://aistudio.google.com/apikey",
        ),
        ProviderKind(LLMProvider.AZURE_OPENAI, "Azure OpenAI", "", "", ("AZURE_OPENAI_API_KEY",)),
        ProviderKind(LLMProvider.OLLAMA, "Ollama", "http://127.0.0.1:11434", "", needs_key=False),
        ProviderKind(
            LLMProvider.LLAMA_CPP,
            "Local model (llama.cpp)",
            "",
            LLMModel.SMOLLM2_135M,
            needs_key=False,
            is_local=True,
        ),
        ProviderKind(LLMProvider.TRANSFORMERS, "Local model (Transformers)", "", "", needs_key=False, is_local=True),
        ProviderKind(
            LLMProvider.MOCK, "Mock (for demonstrations)", "", LLMModel.MOCK_MODEL, needs_key=False, is_local=True
        ),
    )
}
"""Every kind by its name in settings.toml."""

PROVIDER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a provider's id may look like: it becomes a TOML key, an environment name and a keyring entry."""


@lru_cache(maxsize=256)
def split_address(url: str) -> SplitResult:
    """Return the parts of an address a person typed; all empty where it is none (half an IPv6 address, port 99999)."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


_LOOPBACK: Final = re.compile(r"127(?:\.(?:25[0-5]|2[0-4]\d|[01]?\d?\d)){3}", re.ASCII)
"""Four whole numbers: anything else is a name, and somebody's resolver says where it leads."""


@lru_cache(maxsize=256)
def is_loopback(url: str) -> bool:
    """True only where the URL's host is literally this machine: 127/8 in full form, ::1 or localhost."""
    host = (split_address(url).hostname or "").lower()
    return host in ("localhost", "::1") or _LOOPBACK.fullmatch(host) is not None


@dataclass(frozen=True, slots=True)
class LLMProviderConfig:
    """One configured provider.

    ``timeout`` (seconds) is how long silence is allowed: until the first token, and between two unless
    ``idle_timeout`` says otherwise; ``total_timeout`` bounds the whole answer (None: half an hour, two hours on this
    machine). ``proxy`` None is the environment's, "" is none. ``protocol`` chooses between OpenAI's two ("auto",
    "responses", "chat"). ``context_tokens`` is the window to use where the provider leaves that to us (num_ctx) or
    does not know it. ``keep_loaded_minutes`` is how long an idle local model stays in memory.
    Costs are US dollars; ``cost_per_token`` is the source document's one price for every token and
    stands behind the exact ones; what was read from a cache costs like other input unless it has a price of its own.
    ``None`` leaves a choice to the provider or the price catalogue.

    What follows from these is worked out once, since every request asks for it: ``kind`` (the name in settings.toml),
    ``endpoint`` (the base URL in force, without a trailing slash), ``runs_here`` (the kind and the address are this
    machine's) and ``is_local`` (a request never leaves it; ``local_only`` in settings overrides the guess).
    """

    provider: LLMProvider | str
    model: LLMModel | str = ""
    api_key: str | None = field(default=None, repr=False)
    provider_id: str = ""
    api_endpoint: str | None = None
    api_version: str | None = None
    deployment: str | None = None
    enabled: bool = True
    weight: float = 1.0
    max_tokens: int | None = None
    temperature: float | None = None
    timeout: float = 60.0
    max_retries: int = 2
    max_concurrency: int = 128
    local_only: bool | None = None
    cost_per_token: float | None = None
    input_cost_per_million: Decimal | None = None
    output_cost_per_million: Decimal | None = None
    cached_input_cost_per_million: Decimal | None = None
    model_path: str | None = None
    protocol: str = "auto"
    effort: str | None = None
    context_tokens: int | None = None
    keep_loaded_minutes: float = 10.0
    connect_timeout: float = 10.0
    idle_timeout: float | None = None
    total_timeout: float | None = None
    proxy: str | None = None
    ca_file: str | None = None
    allow_plain_http: bool = False
    kind: str = field(init=False, repr=False, compare=False)
    endpoint: str = field(init=False, repr=False, compare=False)
    runs_here: bool = field(init=False, repr=False, compare=False)
    is_local: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        name = str(self.provider)
        kind = KINDS.get(name)
        endpoint = (self.api_endpoint or (kind.default_endpoint if kind else "")).rstrip("/")
        runs_here = bool(kind and kind.is_local) or (name == LLMProvider.OLLAMA and is_loopback(endpoint))
        is_local = runs_here if self.local_only is None else self.local_only
        found: dict[str, object] = {"kind": name, "endpoint": endpoint, "runs_here": runs_here, "is_local": is_local}
        if not self.provider_id:
            found["provider_id"] = name
        if not self.model and kind is not None:
            found["model"] = str(kind.default_model)
        for attribute, value in found.items():
            object.__setattr__(self, attribute, value)

    def with_key(self, api_key: str | None) -> LLMProviderConfig:
        """The same configuration with this key."""
        return replace(self, api_key=api_key)


def is_demonstration(config: LLMProviderConfig) -> bool:
    """True for the small packaged model, which is no match for a model that somebody chose."""
    return config.kind == LLMProvider.LLAMA_CPP and not config.model_path and str(config.model) == LLMModel.SMOLLM2_135M


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as a provider lists it. None where the provider does not say.

    ``retires_on`` is a date (2026-12-11) after which it no longer answers. ``chat`` is False for models that do not
    answer in text (embeddings, speech, pictures). Prices are US dollars per million tokens.
    """

    id: str
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    images: bool | None = None
    tools: bool | None = None
    retires_on: str | None = None
    name: str = ""
    reasoning: bool | None = None
    chat: bool | None = None
    input_cost_per_million: Decimal | None = None
    output_cost_per_million: Decimal | None = None
