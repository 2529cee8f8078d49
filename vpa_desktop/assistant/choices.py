"""What the provider-and-model picker offers of one provider. Values in, values out; asks nothing."""

from __future__ import annotations

from collections.abc import Iterable

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo, is_demonstration
from vpa_desktop.prices import is_free
from vpa_desktop.records import ProviderStatus, RouteChoice


def route_choices_of(
    config: LLMProviderConfig, status: ProviderStatus, listed: Iterable[ModelInfo], ready: bool
) -> list[RouteChoice]:
    """Return the model the provider is set to, then the others that answer in text."""
    models = list(listed)
    first = models.pop(0) if models and models[0].id == status.model else None
    label = f"{status.model or status.id} · {status.id}"
    if is_demonstration(config):
        label = "Local demonstration model"
    local, free = status.is_local, is_free(config)
    choices = [RouteChoice(status.id, status.model, label, local, ready, status.note, first, is_free=free)]
    if not status.enabled:
        return choices
    for model in sorted((m for m in models if m.chat is not False), key=lambda m: m.id.lower()):
        label = f"{model.id} · {status.id}"
        choices.append(RouteChoice(status.id, model.id, label, local, ready, "", model, False, free))
    return choices
