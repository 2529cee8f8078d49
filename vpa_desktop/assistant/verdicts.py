"""What came of a Test, in words for a person who stands before the form. It asks nobody; ``provider_check`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vpa_desktop.catalog import KINDS, LLMProvider, LLMProviderConfig, ModelInfo, is_loopback, split_address
from vpa_desktop.errors import ConfigError, PolicyRefused, ProviderError, VPAError
from vpa_desktop.provider_fields import preset_of

NAMED: Final = 5
"""How many models a sentence names."""

_REASONS: Final = {
    "auth": "wrong_key",
    "permission": "not_allowed",
    "not_found": "wrong_path",
    "rate_limit": "rate_limited",
    "quota": "no_credit",
    "overloaded": "overloaded",
    "server": "server_fault",
    "timeout": "timeout",
    "network": "dead_host",
    "malformed": "not_an_answer",
    "truncated": "broke_off",
    "content_filter": "refused",
    "context_length": "refused",
    "invalid_request": "refused",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """Why a Test failed: the kind of failure, what happened, and what to do next."""

    reason: str
    headline: str
    advice: str


def judge(config: LLMProviderConfig, error: VPAError) -> Judgement:
    """Say what an error means to somebody who is setting the provider up."""
    reason = reason_of(config, error)
    if reason == "certificate":
        return Judgement(reason, f"{error.why}.", f"{error.next_step}. On a guest network, sign in first.")
    if reason == "proxy" or (reason == "dead_host" and not nobody_listens(error)):
        return Judgement(reason, f"{error.why}.", f"{_WORDS['proxy'][2] if reason == 'proxy' else error.next_step}.")
    headline, why, next_step = _WORDS.get(reason, ("", "", ""))
    said = {"who": called(config), "host": host_of(config), "model": str(config.model)}
    headline = headline.format(**said) or error.what
    because = "" if headline and nobody_listens(error) else error.why  # the headline has said it
    parts = (why.format(**said) or because, next_step.format(**said) or error.next_step)
    return Judgement(reason, f"{headline}.", " ".join(f"{part}." for part in parts if part))


def nobody_listens(error: VPAError) -> bool:
    """True where the machine is there, but no program answers at the port."""
    return error.why.startswith("Nothing listens")


def untested_key() -> Judgement:
    """The verdict on a provider that answered, but was not sent the key it needs."""
    return Judgement("untested_key", "It answers, but was not tested with a key.", "Type the key for this address.")


def reason_of(config: LLMProviderConfig, error: VPAError) -> str:
    """Name the kind of failure; finer than the error's class where the next step differs."""
    if isinstance(error, PolicyRefused):
        return error.rule or "refused"
    if isinstance(error, ConfigError):
        return "settings"
    if not isinstance(error, ProviderError):
        return "failed"
    if KINDS[config.kind].is_local and config.kind != LLMProvider.MOCK:
        return "local_model"
    if error.code == "key_missing" or (error.error_class == "auth" and not config.api_key):
        return "no_key"
    if is_unknown_model(config, error):
        return "wrong_model"
    if error.code in _CONNECTION:
        return _CONNECTION[error.code]
    if error.error_class == "network" and config.kind == LLMProvider.OLLAMA and nobody_listens(error):
        return "ollama_not_running"
    if error.error_class == "malformed" and "web page" in error.why:
        return "web_page"
    return _REASONS[error.error_class]


def is_unknown_model(config: LLMProviderConfig, error: ProviderError) -> bool:
    """True where the answer says that it is the model's name that is wrong."""
    if error.error_class not in ("not_found", "invalid_request"):
        return False
    return error.code in ("model_not_found", "DeploymentNotFound", "invalid_model") or "does not know" in error.what


def unknown_model(config: LLMProviderConfig, models: Sequence[ModelInfo]) -> Judgement:
    """The verdict on a model that the provider does not know, with names it does know."""
    if config.kind == LLMProvider.AZURE_OPENAI:
        return Judgement(
            "wrong_model",
            f"It answers, but has no deployment {config.deployment or config.model}.",
            "The name is the deployment's, not the model's: copy it from the resource's page Deployments. A new "
            "deployment takes some minutes.",
        )
    headline = f"It answers, but does not know the model {config.model}."
    if config.kind == LLMProvider.OLLAMA:
        fetch = f"Get it with: ollama pull {config.model}"
        return Judgement("wrong_model", headline, f"{fetch}, or choose {_one_of(models)}." if models else f"{fetch}.")
    if not models:
        return Judgement("wrong_model", headline, "It has no list of models: copy the name from the provider's page.")
    return Judgement("wrong_model", headline, f"Choose one of {_one_of(_nearest(str(config.model), models))}.")


def _one_of(models: Sequence[ModelInfo]) -> str:
    names = [model.id for model in models]
    more = f" or another of its {len(names)} models" if len(names) > NAMED else ""
    listed = ", ".join(names[:NAMED])
    return listed + more if len(names) != 1 else names[0]


def _nearest(model: str, models: Sequence[ModelInfo]) -> list[ModelInfo]:
    """The models that answer in text, those whose names are most like the wrong one first."""
    from difflib import SequenceMatcher

    answering = [info for info in models if info.chat is not False] or list(models)
    return sorted(answering, key=lambda info: -SequenceMatcher(None, model.lower(), info.id.lower()).ratio())


def praise(config: LLMProviderConfig, models: Sequence[ModelInfo], ms: float) -> str:
    """Say that everything is well."""
    if KINDS[config.kind].is_local and config.kind != LLMProvider.MOCK:
        return f"The local model is loaded and answers ({ms / 1000:.1f} s)."
    took = f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
    named = str(config.model) or config.deployment or ""
    if not named:
        return f"It answers ({took}). Choose a model before the first question."
    if any(info.id == named for info in models):
        count = f"{len(models)} models offered" if len(models) != 1 else "one model offered"
        return f"It answers ({took}), {count}, {named} among them."
    return f"It answers ({took}) with {named}."


def called(config: LLMProviderConfig) -> str:
    """Return the provider's name in a sentence: the service's own where it is known."""
    if config.kind == LLMProvider.OPENAI_COMPATIBLE:
        preset = preset_of(config.endpoint)
        return preset.label if preset is not None else "The endpoint"
    return KINDS[config.kind].label


def host_of(config: LLMProviderConfig) -> str:
    """Return the host and port that are asked, without a user's name."""
    return split_address(config.endpoint).netloc.rpartition("@")[2] or "the address"


def stays_here(config: LLMProviderConfig) -> bool:
    """True where the provider is a program on this machine."""
    return KINDS[config.kind].is_local or is_loopback(config.endpoint)


_CONNECTION: Final = {"proxy_password": "proxy_password", "proxy_refused": "proxy", "certificate": "certificate"}
"""Codes of connections that did not come about -> reason."""

_WORDS: Final[dict[str, tuple[str, str, str]]] = {
    "wrong_key": ("{who} refused the key", "", "Copy the key anew from the provider's page, whole, and test again"),
    "no_key": ("There is no key yet", "{who} answers only with one", "Paste the key, or get one from its page"),
    "not_allowed": ("The key may not do this", "", "Check at the provider what this key, or your country, is allowed"),
    "wrong_path": (
        "{host} answers, but has nothing at this address",
        "",
        "Check the address: most end in /v1, and it stops before /chat/completions",
    ),
    "no_credit": ("The key is right, but there is no credit left", "", "Add credit at the provider, then test again"),
    "rate_limited": (
        "The key is right, but no more requests are taken for now",
        "",
        "Wait a minute and test again; the provider can be used then",
    ),
    "dead_host": (
        "Nobody answers at {host}",
        "",
        "Check the address, and that the server there is running and this computer is on the network",
    ),
    "ollama_not_running": (
        "Ollama is not running at {host}",
        "",
        "Start Ollama (or run: ollama serve), then test again",
    ),
    "proxy_password": (
        "The proxy asks for a user name and a password",
        "",
        "Write it as http://USER:PASSWORD@HOST:PORT in HTTPS_PROXY, or ask for a proxy without one",
    ),
    "proxy": (
        "The proxy did not let the request through",
        "",
        "Check the proxy under Advanced, or this computer's own",
    ),
    "timeout": (
        "{host} did not answer in time",
        "",
        "Test again; if it stays, check the address, or allow more time under Advanced",
    ),
    "web_page": (
        "A web page came back instead of an answer",
        "",
        "On a guest network, sign in first; otherwise check the address, most end in /v1",
    ),
    "plain_http": (
        "Nothing was sent: http:// is not encrypted",
        "Anyone on the way to {host} could read the key and every word",
        "Write https://, or allow plain http below the address where you trust the network",
    ),
    "offline": ("Nobody was asked: the program is set to stay offline", "", "Start it without VPA_OFFLINE, and test"),
}
"""Reason -> what happened, why ("" is the error's own), and the next step on this page."""
