"""Test: whether a provider answers as it is set up. The list of models first, then one word of an answer.

The list costs nothing but proves little: a model's name, the credit and the limits only show when a question is
asked. So one is asked, of a few tokens, unless the list alone decides. Nothing of the person's goes along.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from vpa_desktop.assistant.verdicts import (
    Judgement,
    is_unknown_model,
    judge,
    praise,
    stays_here,
    unknown_model,
    untested_key,
)
from vpa_desktop.catalog import KINDS, LLMProvider, LLMProviderConfig, ModelInfo
from vpa_desktop.errors import BudgetExceeded, ConfigError, PolicyRefused, ProviderError, VPAError
from vpa_desktop.gateway.budget import Budget
from vpa_desktop.messages import LLMRequest, Message, Usage
from vpa_desktop.prices import cost_usd, is_free
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.records import ProviderVerdict, UsageRow

PATIENCE_S: Final = 30.0
"""How long a Test waits for a provider on the net; one on this machine may have to load its model first."""

QUESTION_TOKENS: Final = 16
ANSWER_TOKENS: Final = 16
"""The least that every protocol allows."""

NO_LIST: Final = ("not_found", "permission", "invalid_request", "malformed", "server")
"""Errors that a server without a list of models may give to the question for it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a provider said: its models, and the error where it did not answer."""

    models: Sequence[ModelInfo]
    error: VPAError | None = None
    judgement: Judgement | None = None


async def check_provider(
    config: LLMProviderConfig,
    build: Callable[[LLMProviderConfig], BaseLLMProvider],
    *,
    ask: bool = True,
    budget: Budget | None = None,
    key_label: str = "",
) -> ProviderVerdict:
    """Ask the provider and say what came of it; without ``ask`` only for its models. Raises nothing of the wire's.

    What the one answer may cost is checked against the limits of ``budget`` before, and booked there for the key
    that is called ``key_label``.
    """
    started = time.perf_counter()
    try:
        _check_files(config)
        patient = config.timeout if stays_here(config) else min(config.timeout, PATIENCE_S)
        provider = build(replace(config, timeout=patient, max_retries=0))
        provider.key_label = key_label
        try:
            probe = await _probe(provider, config, budget, ask=ask)
        finally:
            await provider.aclose()
    except VPAError as exc:
        probe = Probe((), exc)
    return _verdict(config, probe, (time.perf_counter() - started) * 1000)


async def _probe(provider: BaseLLMProvider, config: LLMProviderConfig, budget: Budget | None, *, ask: bool) -> Probe:
    models: Sequence[ModelInfo] = ()
    failed: ProviderError | None = None
    try:
        models = await provider.list_models()
    except ProviderError as exc:
        if exc.error_class not in NO_LIST or not (ask and _has_model(config)):
            raise
        failed = exc
    if not ask or not _has_model(config):
        return Probe(models)
    if config.kind == LLMProvider.OLLAMA and failed is None:  # its list is all it has; asking would load the model
        return Probe(models) if _is_listed(config, models) else Probe(models, None, unknown_model(config, models))
    if KINDS[config.kind].is_local and config.kind != LLMProvider.MOCK:
        await provider.connect()
        return Probe(models)
    if budget is None or is_free(config):
        return await _ask(provider, config, models, failed)
    return await _ask_within(budget, provider, config, models, failed)


async def _ask_within(
    budget: Budget,
    provider: BaseLLMProvider,
    config: LLMProviderConfig,
    models: Sequence[ModelInfo],
    failed: ProviderError | None,
) -> Probe:
    """Ask where the limits allow it; an answer is booked at the most it can have cost, since it is broken off."""
    most = Usage(QUESTION_TOKENS, ANSWER_TOKENS, estimated=True)
    cost = await asyncio.to_thread(cost_usd, config, str(config.model), most)
    try:
        reservation = await budget.reserve(cost, provider=config.provider_id, model=str(config.model))
    except BudgetExceeded as exc:
        return Probe(models, exc)
    probe, started = None, time.perf_counter()
    try:
        probe = await _ask(provider, config, models, failed)
    finally:
        if probe is not None and probe.error is not None:
            await budget.release(reservation)  # a refusal costs nothing
        else:
            row = _row(config, most, cost, (time.perf_counter() - started) * 1000)
            await budget.settle(reservation, row._replace(key_label=provider.key_label))
    return probe


def _row(config: LLMProviderConfig, usage: Usage, cost: Decimal | None, ms: float) -> UsageRow:
    return UsageRow(
        at=datetime.now(UTC),
        provider=config.provider_id,
        model=str(config.model),
        outcome="cancelled",
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=cost,
        latency_ms=ms,
        estimated=True,
    )


async def _ask(
    provider: BaseLLMProvider, config: LLMProviderConfig, models: Sequence[ModelInfo], failed: ProviderError | None
) -> Probe:
    """Wait for the first sign of an answer and break off."""
    request = LLMRequest((Message("user", "Hi"),), max_tokens=ANSWER_TOKENS)
    try:
        async with aclosing(provider.stream(request)) as events:
            await anext(events, None)
    except ProviderError as exc:
        unlisted = bool(models) and not _is_listed(config, models)
        refused = exc.error_class in ("not_found", "invalid_request")
        if is_unknown_model(config, exc) or (refused and unlisted) or (exc.error_class == "not_found" and not failed):
            return Probe(models, exc, unknown_model(config, models))
        return Probe(models, failed if failed is not None and failed.error_class == "permission" else exc)
    return Probe(models)


def _has_model(config: LLMProviderConfig) -> bool:
    return bool(config.model or config.deployment or KINDS[config.kind].is_local)


def _is_listed(config: LLMProviderConfig, models: Sequence[ModelInfo]) -> bool:
    names = {model.id for model in models}
    return str(config.model) in names or f"{config.model}:latest" in names


def _check_files(config: LLMProviderConfig) -> None:
    """Raise ConfigError where a file or folder of the settings is not there."""
    if config.ca_file and not Path(config.ca_file).expanduser().is_file():
        raise ConfigError(
            f"There is no certificate file {config.ca_file}", "It was moved or deleted", "Choose the file anew"
        )
    if not config.model_path:
        return
    path = Path(config.model_path).expanduser()
    if config.kind == LLMProvider.LLAMA_CPP and not path.is_file():
        raise ConfigError(f"There is no model file {path}", "It was moved or deleted", "Choose the GGUF file anew")
    if config.kind == LLMProvider.TRANSFORMERS and path.is_absolute() and not path.is_dir():
        raise ConfigError(f"There is no folder {path}", "It was moved or deleted", "Choose the model's folder anew")


def _verdict(config: LLMProviderConfig, probe: Probe, ms: float) -> ProviderVerdict:
    names = tuple(model.id for model in probe.models)
    facts = tuple(probe.models)
    error_class: str = probe.error.error_class if isinstance(probe.error, ProviderError) else ""
    if isinstance(probe.error, PolicyRefused):
        error_class = "policy"
    judgement = probe.judgement or (None if probe.error is None else judge(config, probe.error))
    if judgement is None and KINDS[config.kind].needs_key and not config.api_key:
        judgement = untested_key()  # a server on this machine may answer without; the questions are not sent, though
    if judgement is None:
        headline, _, advice = praise(config, probe.models, ms).partition(". ")
        headline = headline.rstrip(".") + "."
        return ProviderVerdict(
            config.provider_id, True, f"{headline} {advice}".strip(), ms, names, "", "ok", headline, advice, facts
        )
    return ProviderVerdict(
        config.provider_id,
        False,
        f"{judgement.headline} {judgement.advice}".strip(),
        ms,
        names,
        error_class or ("not_found" if judgement.reason == "wrong_model" else ""),
        judgement.reason,
        judgement.headline,
        judgement.advice,
        facts,
    )
