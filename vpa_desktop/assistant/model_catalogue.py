"""Which models each provider offers, asked at most once a day and kept in a small private file between starts.

The provider's list, its gaps filled from the table of models and the price catalogue. No key is in the file, and a
file that cannot be read is as good as none. Chooses nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from vpa_desktop import prices
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import PolicyRefused, VPAError
from vpa_desktop.model_facts import facts_for, merged
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.records import ModelList
from vpa_desktop.storage.files import write_private

log = logging.getLogger(__name__)

FRESH_FOR: Final = timedelta(hours=24)
ASK_AGAIN_AFTER: Final = timedelta(minutes=1)
"""How long after a failure a list is not asked for again, unless the person wants it."""

ASK_WITHIN_S: Final = 20.0
MODELS_MAX: Final = 2_000
FILE_MAX_BYTES: Final = 8_000_000
NAME_MAX: Final = 200
_FORMAT: Final = 1
_PRICES: Final = ("input_cost_per_million", "output_cost_per_million")
_TYPES: Final[Mapping[str, type]] = {
    "id": str,
    "name": str,
    "retires_on": str,
    "context_tokens": int,
    "max_output_tokens": int,
    "images": bool,
    "tools": bool,
    "reasoning": bool,
    "chat": bool,
}


@dataclass(frozen=True, slots=True)
class _Kept:
    """A list as it was fetched; ``place`` says of which kind and address, so that another one's is never shown."""

    place: str
    fetched_at: datetime
    models: tuple[ModelInfo, ...]


class ModelCatalogue:
    """The lists of models. ``provider`` gives a provider that can be asked, None where it has no key yet."""

    def __init__(
        self,
        file: Path,
        configs: Callable[[], Mapping[str, LLMProviderConfig]],
        provider: Callable[[str], BaseLLMProvider | None],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._file = file
        self._configs = configs
        self._provider = provider
        self._now = now
        self._kept: dict[str, _Kept] | None = None
        self._by_id: dict[str, dict[str, ModelInfo]] = {}
        self._failed: dict[str, tuple[datetime, str, weakref.ref[BaseLLMProvider]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._loading = asyncio.Lock()
        self._writing = asyncio.Lock()

    async def models(self, provider_id: str, refresh: bool = False) -> ModelList:
        """Return a provider's models: the kept list while it is fresh, else a new one, else the old one with its age.

        ``error`` says in a sentence why there is no new one. Never raises for a provider that does not answer.
        """
        config = self._configs()[provider_id]
        async with self._locks.setdefault(provider_id, asyncio.Lock()):
            kept = await self._kept_of(config)
            age = self._now() - kept.fetched_at if kept else None
            if not refresh and age is not None and timedelta() <= age < FRESH_FOR:
                return self._shown(config, kept)
            error = self._lately_failed(provider_id)
            if refresh or not error:
                kept, error = await self._ask(config, kept)
            return self._shown(config, kept, error)

    def _lately_failed(self, provider_id: str) -> str:
        """Why the same provider, at the same address, gave no list a moment ago; empty where it may be asked."""
        at, error, asked = self._failed.get(provider_id, (None, "", None))
        if at is None or self._now() - at >= ASK_AGAIN_AFTER or asked is None:
            return ""
        return error if asked() is self._provider(provider_id) else ""

    async def known(self, provider_id: str) -> ModelList:
        """Return what is kept of a provider, without asking it: at least the model it is set to."""
        config = self._configs()[provider_id]
        return self._shown(config, await self._kept_of(config))

    async def own(self, config: LLMProviderConfig) -> ModelInfo | None:
        """Return what is known of the model a provider is set to, without asking it."""
        listed = (await self.known(config.provider_id)).models
        return next((model for model in listed if model.id == str(config.model)), None)

    async def load(self) -> None:
        """Read the file, once; it is small, and read off the event loop."""
        async with self._loading:
            if self._kept is None:
                kept = await asyncio.to_thread(_read, self._file)
                self._by_id = {i: {m.id: m for m in entry.models} for i, entry in kept.items()}
                self._kept = kept

    def info(self, config: LLMProviderConfig, model: str) -> ModelInfo:
        """Return what is known of one model now, without waiting: the kept list's word, then the table's."""
        facts = facts_for(config, model)
        kept = (self._kept or {}).get(config.provider_id)
        if kept is None or kept.place != _place(config):
            return facts
        said = self._by_id[config.provider_id].get(model)
        return merged(said, facts) if said else facts

    async def _kept_of(self, config: LLMProviderConfig) -> _Kept | None:
        await self.load()
        kept = (self._kept or {}).get(config.provider_id)
        return kept if kept is not None and kept.place == _place(config) else None

    async def _ask(self, config: LLMProviderConfig, old: _Kept | None) -> tuple[_Kept | None, str]:
        provider = self._provider(config.provider_id)
        if provider is None:
            return old, f"{config.provider_id} cannot be asked: it has no key yet."
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                said = await provider.list_models()
        except (VPAError, TimeoutError) as exc:
            if isinstance(exc, PolicyRefused) and exc.rule == "offline":
                return old, ""  # the person's own choice, which the status line says
            error = str(exc) or f"{config.provider_id} did not give its list within {ASK_WITHIN_S:.0f} s."
            self._failed[config.provider_id] = (self._now(), error, weakref.ref(provider))
            return old, error
        self._failed.pop(config.provider_id, None)
        models = await asyncio.to_thread(_completed, config, said[:MODELS_MAX], self._now())
        fresh = _Kept(_place(config), self._now(), models)
        await self._keep(config.provider_id, fresh)
        return fresh, ""

    async def _keep(self, provider_id: str, fresh: _Kept) -> None:
        configured = self._configs()
        kept = {i: entry for i, entry in (self._kept or {}).items() if i in configured}
        self._kept = {**kept, provider_id: fresh}
        self._by_id[provider_id] = {m.id: m for m in fresh.models}
        async with self._writing:
            try:
                await asyncio.to_thread(_write, self._file, dict(self._kept))
            except OSError as exc:
                log.warning("The lists of models could not be kept: %s", exc)

    def _shown(self, config: LLMProviderConfig, kept: _Kept | None, error: str = "") -> ModelList:
        """The list with the configured model first, and what the table and the person's own prices say now."""
        listed = {m.id: m for m in kept.models} if kept else {}
        chosen = str(config.model)
        first = [listed.pop(chosen, ModelInfo(chosen))] if chosen else []
        models = tuple(_with_own_price(config, merged(m, facts_for(config, m.id))) for m in (*first, *listed.values()))
        at = kept.fetched_at if kept else None
        stale = at is None or not timedelta() <= self._now() - at < FRESH_FOR
        return ModelList(config.provider_id, models, at, stale, error)


def _completed(config: LLMProviderConfig, said: list[ModelInfo], now: datetime) -> tuple[ModelInfo, ...]:
    """The list without what cannot be a name, with the catalogue's prices where the provider said none."""
    found: dict[str, ModelInfo] = {}
    for model in said:
        if not model.id or len(model.id) > NAME_MAX or not model.id.isprintable() or model.id in found:
            continue
        model = replace(model, name=model.name[:NAME_MAX] if model.name.isprintable() else "")
        if model.input_cost_per_million is None and model.output_cost_per_million is None:
            model = _with_price(model, prices.price_per_million(config, model.id, now))
        found[model.id] = model
    return tuple(found.values())


def _with_own_price(config: LLMProviderConfig, model: ModelInfo) -> ModelInfo:
    if config.input_cost_per_million is None and config.cost_per_token is None:
        return model
    return _with_price(model, prices.price_per_million(config, model.id))


def _with_price(model: ModelInfo, price: tuple[Decimal, Decimal] | None) -> ModelInfo:
    if price is None:
        return model
    return replace(model, input_cost_per_million=price[0], output_cost_per_million=price[1])


def _place(config: LLMProviderConfig) -> str:
    """Kind, address and deployment as a short hash: an address can name things that are nobody's business."""
    text = "\n".join((config.kind, config.endpoint, config.deployment or ""))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


# The file


def _write(file: Path, kept: Mapping[str, _Kept]) -> None:
    body = {
        "format": _FORMAT,
        "providers": {
            provider_id: {
                "place": entry.place,
                "fetched_at": entry.fetched_at.isoformat(),
                "models": [_plain(model) for model in entry.models],
            }
            for provider_id, entry in kept.items()
        },
    }
    write_private(file, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _plain(model: ModelInfo) -> dict[str, Any]:
    facts = {name: value for name, value in asdict(model).items() if value is not None and value != ""}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in facts.items()}


def _read(file: Path) -> dict[str, _Kept]:
    """What is kept; nothing where the file is missing, too large or not as we write it."""
    try:
        if file.stat().st_size > FILE_MAX_BYTES:
            return {}
        body = json.loads(file.read_text("utf-8"))
        if body["format"] != _FORMAT:
            return {}
        return {str(i): _read_entry(entry) for i, entry in body["providers"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, InvalidOperation, RecursionError):
        return {}


def _read_entry(entry: Mapping[str, Any]) -> _Kept:
    at = datetime.fromisoformat(entry["fetched_at"])
    models = tuple(_read_model(row) for row in entry["models"][:MODELS_MAX])
    return _Kept(str(entry["place"]), at if at.tzinfo else at.replace(tzinfo=UTC), models)


def _read_model(row: Mapping[str, Any]) -> ModelInfo:
    facts: dict[str, Any] = {}
    for name in {f.name for f in fields(ModelInfo)} & row.keys():
        if name in _PRICES:
            facts[name] = Decimal(row[name])
        elif type(row[name]) is _TYPES[name]:
            facts[name] = row[name]
    return ModelInfo(**facts)
