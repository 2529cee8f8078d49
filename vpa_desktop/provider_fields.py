"""Which settings each kind of provider has, with the words for them: one table behind the form and the command line.

No values and no file: what a key may hold is said in ``settings_rules``. Labels and hints are plain English; the
window passes them through its translator.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from vpa_desktop.catalog import KINDS, LLMProvider, is_loopback
from vpa_desktop.errors import UsageError
from vpa_desktop.settings_rules import PROVIDER_RULES

Shape = Literal["text", "address", "secret", "model", "choice", "file", "folder", "count", "number", "money", "switch"]
KEY: Final = "key"
"""The one field that is no setting: it goes to the vault."""


@dataclass(frozen=True, slots=True)
class KindField:
    """One field: its key in settings.toml, its words, and how it is typed. ``usual`` is what empty stands for."""

    key: str
    label: str
    hint: str = ""
    shape: Shape = "text"
    usual: str = ""
    required: bool = False
    advanced: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    pattern: str = ""

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return "--endpoint" if self.key == "api_endpoint" else "--" + self.key.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Preset:
    """A service or program that speaks OpenAI's protocol: its address, and where it gives out keys."""

    id: str
    label: str
    endpoint: str
    key_page: str = ""

    @property
    def needs_key(self) -> bool:
        """True for a service on the net; a server on this machine asks for a key only where it was told to."""
        return not is_loopback(self.endpoint)


PRESETS: Final = (
    Preset("openrouter", "OpenRouter", "https://openrouter.ai/api/v1", "https://openrouter.ai/settings/keys"),
    Preset("deepseek", "DeepSeek", "https://api.deepseek.com", "https://platform.deepseek.com/api_keys"),
    Preset("groq", "Groq", "https://api.groq.com/openai/v1", "https://console.groq.com/keys"),
    Preset("mistral", "Mistral", "https://api.mistral.ai/v1", "https://console.mistral.ai/api-keys"),
    Preset("vllm", "vLLM", "http://127.0.0.1:8000/v1"),
    Preset("lm_studio", "LM Studio", "http://127.0.0.1:1234/v1"),
    Preset("llama_server", "llama.cpp server", "http://127.0.0.1:8080/v1"),
    Preset("litellm", "LiteLLM", "http://127.0.0.1:4000/v1"),
)

_EFFORTS: Final = (
    ("", "As the model does"),
    ("none", "None"),
    ("minimal", "Minimal"),
    ("low", "Low"),
    ("medium", "Medium"),
    ("high", "High"),
    ("xhigh", "Very high"),
    ("max", "All it can"),
)
_PROTOCOLS: Final = (("", "Automatic"), ("responses", "Responses"), ("chat", "Chat Completions"))
_API_VERSIONS: Final = (("", "v1"), ("v1beta", "v1beta"))

_KEY = KindField(KEY, "API key", "It goes to your key store only", "secret", required=True)
_KEY_OPTIONAL = KindField(KEY, "API key", "A service asks for one, a server on this computer seldom does", "secret")
_MODEL = KindField("model", "Model", "The model that answers", "model")
_ADDRESS = KindField(
    "api_endpoint", "Address", "For a company gateway or a proxy of your own", "address", advanced=True
)
_EFFORT = KindField(
    "effort", "Thinking", "How long a model that thinks may think", "choice", advanced=True, choices=_EFFORTS
)
_CONTEXT = KindField(
    "context_tokens", "Context window", "In tokens: how much the model reads at once", "count", "8192", advanced=True
)
_LOADED = KindField(
    "keep_loaded_minutes", "Keep loaded", "Minutes an idle model stays in memory", "number", "10", advanced=True
)

_OWN: Final[dict[str, tuple[KindField, ...]]] = {
    LLMProvider.OPENAI: (
        _KEY,
        _MODEL,
        _ADDRESS,
        KindField(
            "protocol", "Protocol", "Which of its two protocols is spoken", "choice", advanced=True, choices=_PROTOCOLS
        ),
        _EFFORT,
    ),
    LLMProvider.AZURE_OPENAI: (
        KindField(
            "api_endpoint",
            "Endpoint",
            "From the resource's page “Keys and Endpoint”",
            "address",
            "https://NAME.openai.azure.com",
            required=True,
        ),
        _KEY,
        KindField("deployment", "Deployment", "The name you gave the model there", required=True),
        KindField("model", "Model", "Which model is deployed; for its price and window", "model", advanced=True),
        KindField(
            "api_version",
            "API version",
            "Only for a classic deployment; empty is the current one",
            usual="v1",
            advanced=True,
        ),
        _EFFORT,
    ),
    LLMProvider.GOOGLE: (
        _KEY,
        _MODEL,
        KindField(
            "api_version",
            "API version",
            "v1beta has what is not final yet",
            "choice",
            advanced=True,
            choices=_API_VERSIONS,
        ),
        _EFFORT,
    ),
    LLMProvider.ANTHROPIC: (
        _KEY,
        _MODEL,
        _ADDRESS,
        KindField("api_version", "API version", "", usual="2026-10-21", advanced=True),
        _EFFORT,
    ),
    LLMProvider.OLLAMA: (
        KindField("api_endpoint", "Address", "Where Ollama runs", "address", KINDS["ollama"].default_endpoint),
        KindField("model", "Model", "One that was pulled", "model"),
        KindField(
            "context_tokens", "Context window", "In tokens; more needs more memory", "count", "as the model's, 8192"
        ),
        KindField(KEY, "API key", "Only for Ollama behind a proxy or in the cloud", "secret", advanced=True),
        _LOADED,
        _EFFORT,
    ),
    LLMProvider.OPENAI_COMPATIBLE: (
        KindField("api_endpoint", "Address", "The base address, most often ending in /v1", "address", required=True),
        _KEY_OPTIONAL,
        _MODEL,
        _CONTEXT,
        _EFFORT,
    ),
    LLMProvider.LLAMA_CPP: (
        KindField(
            "model_path",
            "Model file",
            "A GGUF file; empty is the small model that came along",
            "file",
            "the model that came along",
            pattern="*.gguf",
        ),
        _CONTEXT,
        _LOADED,
    ),
    LLMProvider.TRANSFORMERS: (
        KindField(
            "model_path", "Folder", "The folder with the model's files (config.json, *.safetensors)", "folder", ""
        ),
        KindField("model", "Or its name", "A name of the Hugging Face hub that is on this computer already", "text"),
        _CONTEXT,
        _LOADED,
    ),
    LLMProvider.MOCK: (
        KindField(
            "model",
            "Behaviour",
            "What it plays: an echo, or a fault to rehearse",
            "choice",
            choices=(
                ("", "Repeats the question"),
                ("mock-slow", "Repeats it slowly"),
                ("mock-401", "Refuses the key"),
                ("mock-429", "Takes no more requests"),
                ("mock-500", "Has a fault of its own"),
                ("mock-timeout", "Never answers"),
                ("mock-cut", "Breaks off in the middle"),
                ("mock-refuse", "Cannot be reached"),
            ),
        ),
    ),
}

_SAMPLING: Final = (
    KindField("max_tokens", "Longest answer", "In tokens", "count", "as the model's", advanced=True),
    KindField("temperature", "Temperature", "From 0, steady, to 2, wild", "number", "as the model's", advanced=True),
)
_NETWORK: Final = (
    KindField("connect_timeout_s", "Wait to connect", "Seconds", "number", "10", advanced=True),
    KindField("timeout_s", "Wait for an answer", "Seconds until its first word", "number", "60", advanced=True),
    KindField("idle_timeout_s", "Wait between words", "Seconds", "number", "as for an answer", advanced=True),
    KindField("total_timeout_s", "Whole answer", "Seconds it may take at most", "number", "1800", advanced=True),
    KindField("proxy", "Proxy", "Empty is this computer's own", "text", "http://proxy.example:3128", advanced=True),
    KindField("ca_file", "Own certificate", "A PEM file that is trusted besides the system's", "file", advanced=True),
    KindField(
        "allow_plain_http",
        "Allow plain http",
        "Anyone on the way can read the key and every word. Only for a network you trust.",
        "switch",
        advanced=True,
    ),
)
_ALL: Final = (
    KindField("input_cost_per_million", "Own price in", "US dollars per million tokens", "money", advanced=True),
    KindField("output_cost_per_million", "Own price out", "US dollars per million tokens", "money", advanced=True),
    KindField(
        "local_only",
        "Counts as local",
        "Whether documents that must not leave may go there",
        "choice",
        advanced=True,
        choices=(("", "Automatic"), ("true", "Yes, it stays here"), ("false", "No")),
    ),
    KindField("weight", "Weight", "Its share where providers are chosen by weight", "number", "1", advanced=True),
)


_SWITCH: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def fields_of(kind: str) -> tuple[KindField, ...]:
    """Return the fields a kind of provider has, in the order they are asked for."""
    network = () if KINDS[kind].is_local else _NETWORK
    return (*_OWN[kind], *_SAMPLING, *network, *_ALL)


def preset_of(endpoint: str) -> Preset | None:
    """Return the service an address belongs to."""
    wanted = endpoint.rstrip("/").removesuffix("/v1")
    return next((p for p in PRESETS if p.endpoint.removesuffix("/v1") == wanted), None)


def read_text(field: KindField, text: str) -> Any:
    """Return what was typed as settings.toml holds it, None for empty (the default); raises UsageError in words."""
    text = text.strip()
    if not text:
        return None
    rule = PROVIDER_RULES[field.key]
    try:
        value = rule.read(_parsed(field, text))
        if (
            field.key == "api_version"
            and field.choices
            and value not in [word for pair in field.choices for word in pair]
        ):
            raise ValueError(value)
    except (TypeError, ValueError, InvalidOperation) as exc:
        allowed = ", ".join(f"{value}" for value, _ in field.choices if value) or rule.allowed
        raise UsageError(
            f"{field.label}: “{text}” cannot be used", f"Allowed: {allowed}", "Correct it, or leave it empty"
        ) from exc
    return value


def _parsed(field: KindField, text: str) -> Any:
    if field.shape == "count":
        return int(text.replace("_", ""))
    if field.shape in ("number", "money"):
        amount = Decimal(text.lstrip("$").strip().replace(",", "."))
        if not amount.is_finite():
            raise ValueError(text)
        return float(amount)
    if field.shape == "switch" or field.key == "local_only":
        return _SWITCH.get(text.lower(), text)
    return text


def shown_text(value: Any) -> str:
    """Return a setting's value as it is typed: "" for the default."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    return str(value)


def key_page_of(kind: str, endpoint: str = "") -> str:
    """Return the page where a key is made; "" where there is none."""
    if kind == LLMProvider.OPENAI_COMPATIBLE:
        preset = preset_of(endpoint)
        return preset.key_page if preset is not None else ""
    return KINDS[kind].key_page or _KEY_PAGES.get(kind, "")


_KEY_PAGES: Final[dict[str, str]] = {
    LLMProvider.AZURE_OPENAI: "https://portal.azure.com",
    LLMProvider.OLLAMA: "https://ollama.com/settings/keys",
}
