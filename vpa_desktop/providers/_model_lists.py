"""Rows of ``/v1/models`` as a dozen servers write them. Every field but the id is a vendor's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from vpa_desktop.catalog import ModelInfo
from vpa_desktop.providers._values import count, dict_of, list_of, text_of

WINDOWS: Final = ("context_length", "max_model_len", "context_window", "max_context_length", "n_ctx")
"""How OpenRouter and Together, vLLM, Groq, Mistral and LM Studio, and llama.cpp call the window."""

PER_MILLION: Final = Decimal(1_000_000)
NOT_CHAT: Final = frozenset(
    {"embedding", "embeddings", "rerank", "moderation", "image", "audio", "video", "transcribe", "speech"}
)
"""Types Together and LM Studio give models that do not answer in text."""


def read_models(payload: Any) -> list[ModelInfo]:
    """The models of a list, which is an object's ``data``, ``models``, or the whole answer (Together)."""
    fields = dict_of(payload)
    rows = payload if isinstance(payload, list) else list_of(fields.get("data")) or list_of(fields.get("models"))
    found = {info.id: info for row in rows if isinstance(row, dict) and (info := _model(row)) is not None}
    return sorted(found.values(), key=lambda model: model.id)


def _model(row: Mapping[str, Any]) -> ModelInfo | None:
    """One row, None where it names no model."""
    name = text_of(row.get("id"))
    if name is None:
        return None
    top = dict_of(row.get("top_provider"))
    parameters = row.get("supported_parameters")
    capabilities = dict_of(row.get("capabilities"))
    title = text_of(row.get("name")) or text_of(row.get("display_name"))
    return ModelInfo(
        name,
        _window(row),
        _first_count(row, "max_completion_tokens", "max_output_tokens") or count(top.get("max_completion_tokens")),
        images=_images(row, capabilities),
        tools=_can(parameters, ("tools",), capabilities, ("function_calling", "tool_use", "tools")),
        retires_on=_date(row),
        name="" if title is None or title == name else title,
        reasoning=_can(parameters, ("reasoning", "include_reasoning"), capabilities, ("reasoning",)),
        chat=_chat(row, capabilities),
        input_cost_per_million=_price(row, "prompt", "input"),
        output_cost_per_million=_price(row, "completion", "output"),
    )


def _window(row: Mapping[str, Any]) -> int | None:
    meta = dict_of(row.get("meta"))  # llama.cpp
    return _first_count(row, *WINDOWS) or count(meta.get("n_ctx")) or count(meta.get("n_ctx_train"))


def _first_count(row: Mapping[str, Any], *names: str) -> int | None:
    return next((found for name in names if (found := count(row.get(name)))), None)


def _images(row: Mapping[str, Any], capabilities: Mapping[str, Any]) -> bool | None:
    modalities = dict_of(row.get("architecture")).get("input_modalities") or row.get("input_modalities")
    if isinstance(modalities, list):
        return "image" in modalities
    if row.get("type") == "vlm":  # LM Studio
        return True
    vision = capabilities.get("vision")
    return vision if isinstance(vision, bool) else None


def _can(
    parameters: Any, names: tuple[str, ...], capabilities: Mapping[str, Any], flags: tuple[str, ...]
) -> bool | None:
    """Whether a model can do something: by the parameters it takes (OpenRouter), or by a flag (Mistral)."""
    if isinstance(parameters, list):
        return any(name in parameters for name in names)
    return next((found for flag in flags if isinstance(found := capabilities.get(flag), bool)), None)


def _chat(row: Mapping[str, Any], capabilities: Mapping[str, Any]) -> bool | None:
    completes = capabilities.get("completion_chat", capabilities.get("chat_completion"))
    if isinstance(completes, bool):
        return completes
    produces = dict_of(row.get("architecture")).get("output_modalities")
    if isinstance(produces, list):
        return "text" in produces
    kind = row.get("type")
    if not isinstance(kind, str):
        return None
    return False if kind in NOT_CHAT else True if kind in ("chat", "llm", "vlm") else None


def _date(row: Mapping[str, Any]) -> str | None:
    """The day it ends: OpenAI's shutdown_date, Mistral's deprecation."""
    value = row.get("shutdown_date") or row.get("deprecation") or row.get("expiration_date")
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC).date().isoformat()
        except (ValueError, OSError, OverflowError):
            return None
    return value[:10] if isinstance(value, str) and value else None


def _price(row: Mapping[str, Any], per_token: str, per_million: str) -> Decimal | None:
    """US dollars per million tokens: OpenRouter writes them for one token, as text; Together for a million."""
    pricing = dict_of(row.get("pricing"))
    by_token = per_token in pricing
    value, factor = pricing.get(per_token if by_token else per_million), PER_MILLION if by_token else Decimal(1)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        price = Decimal(str(value)) * factor
    except InvalidOperation:
        return None
    return price.normalize() + 0 if price.is_finite() and price >= 0 else None
