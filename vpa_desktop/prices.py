"""What an answer costs, in US dollars. A price that is not known is None: shown as unknown, never as free.

The person's own prices win over the catalogue (genai-prices, offline data). Local models cost nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from vpa_desktop.catalog import LLMProvider, LLMProviderConfig
from vpa_desktop.messages import Usage

if TYPE_CHECKING:
    from genai_prices import Usage as PricedUsage

_MILLION: Final = Decimal(1_000_000)
_CATALOGUE_IDS: Final[dict[str, str]] = {
    LLMProvider.OPENAI: "openai",
    LLMProvider.ANTHROPIC: "anthropic",
    LLMProvider.GOOGLE: "google",
    LLMProvider.AZURE_OPENAI: "azure",
}


def is_free(config: LLMProviderConfig) -> bool:
    """True for a model that runs on this machine without a price of the person's own.

    Decided by the kind and the address: ``local_only`` in settings is about privacy, and makes nothing free.
    """
    if not config.runs_here:
        return False
    own = (config.cost_per_token, config.input_cost_per_million, config.output_cost_per_million)
    return all(price is None for price in own)


def is_at_hand(config: LLMProviderConfig) -> bool:
    """True where a price can be said at once: it needs no catalogue, or the catalogue has been read."""
    return "genai_prices.data" in sys.modules or is_free(config) or _own_price(config) is not None


def cost_usd(config: LLMProviderConfig, model: str, usage: Usage | None, at: datetime | None = None) -> Decimal | None:
    """Return what ``usage`` costs there, None where the price or a count is unknown.

    ``at`` is when it was asked (now, where it is None): prices change. May import the price catalogue (0.4 s the
    first time): call it off the event loop.
    """
    if is_free(config):
        return Decimal(0)
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    own = _own_price(config)
    if own is not None:
        return own.cost(usage)
    return _catalogue_cost(config, model, usage, at)


def prompt_cache_saving_usd(
    config: LLMProviderConfig, model: str, usage: Usage, cost: Decimal | None
) -> Decimal | None:
    """Return how much less ``cost`` is than without the provider's own prompt cache; None where it played no part.

    Below zero where more was written to that cache, at a higher price, than was read from it.
    """
    if cost is None or not (usage.cached_input_tokens or usage.cache_write_tokens):
        return None
    plain = cost_usd(config, model, replace(usage, cached_input_tokens=None, cache_write_tokens=None))
    return None if plain is None else plain - cost


def price_per_million(
    config: LLMProviderConfig, model: str, at: datetime | None = None
) -> tuple[Decimal, Decimal] | None:
    """Return the price of a short prompt and its answer in dollars per million tokens; None where it is unknown.

    May import the price catalogue: call it off the event loop.
    """
    small = 1_000
    tokens_in = cost_usd(config, model, Usage(input_tokens=small, output_tokens=0), at)
    tokens_out = cost_usd(config, model, Usage(input_tokens=0, output_tokens=small), at)
    if tokens_in is None or tokens_out is None:
        return None
    return tokens_in * _MILLION / small, tokens_out * _MILLION / small


def embedding_cost_usd(config: LLMProviderConfig, model: str, tokens: int) -> Decimal | None:
    """Return what the vectors of so many tokens cost there, None where the price is unknown.

    The person's own prices are those of the provider's answers: they count where the catalogue does not know the
    model. May import the price catalogue: call it off the event loop.
    """
    if is_free(config):
        return Decimal(0)
    found = _catalogue_cost(config, model, Usage(input_tokens=tokens, output_tokens=0), None)
    if found is not None:
        return found
    own = config.input_cost_per_million
    if own is None and config.cost_per_token is not None:
        own = Decimal(str(config.cost_per_token)) * _MILLION
    return None if own is None else own * tokens / _MILLION


@dataclass(frozen=True, slots=True)
class _OwnPrice:
    """Dollars per million tokens, as the person set them; ``cached_per_million`` for the part read from a cache."""

    input_per_million: Decimal
    output_per_million: Decimal
    cached_per_million: Decimal

    def cost(self, usage: Usage) -> Decimal:
        tokens_in, tokens_out = Decimal(usage.input_tokens or 0), Decimal(usage.output_tokens or 0)
        cached = min(Decimal(usage.cached_input_tokens or 0), tokens_in)
        paid = (tokens_in - cached) * self.input_per_million + cached * self.cached_per_million
        return (paid + tokens_out * self.output_per_million) / _MILLION


def _own_price(config: LLMProviderConfig) -> _OwnPrice | None:
    tokens_in, tokens_out = config.input_cost_per_million, config.output_cost_per_million
    if config.cost_per_token is not None:
        each = Decimal(str(config.cost_per_token)) * _MILLION
        tokens_in = each if tokens_in is None else tokens_in
        tokens_out = each if tokens_out is None else tokens_out
    if tokens_in is None or tokens_out is None:
        return None
    cached = config.cached_input_cost_per_million
    return _OwnPrice(tokens_in, tokens_out, tokens_in if cached is None else cached)


def _catalogue_cost(config: LLMProviderConfig, model: str, usage: Usage, at: datetime | None) -> Decimal | None:
    place = _CATALOGUE_IDS.get(config.kind) or config.endpoint
    if not _is_listed(place, model):
        return None
    from genai_prices import Usage as PricedUsage

    cached = {"cache_read_tokens": usage.cached_input_tokens, "cache_write_tokens": usage.cache_write_tokens}
    for rebate in (cached, {}):  # a server that reports more cached than sent: the price without a rebate
        counted = PricedUsage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, **rebate)
        try:
            return _calculated(counted, model, place, at)
        except ValueError:
            continue
    return None


@lru_cache(maxsize=4_096)
def _is_listed(place: str, model: str) -> bool:
    """True where the catalogue has the model there: a server of one's own is asked for at every request, in vain."""
    from genai_prices.data_snapshot import get_snapshot

    where = (place, None) if place in _CATALOGUE_IDS.values() else (None, place)
    try:
        get_snapshot().find_provider_model(model, None, *where)
    except LookupError:
        return False
    return True


def _calculated(usage: PricedUsage, model: str, place: str, at: datetime | None) -> Decimal | None:
    """The price at a place: a provider the catalogue knows by its id, or a server's address."""
    from genai_prices import calc_price

    when = at or datetime.now(UTC)
    try:
        if place in _CATALOGUE_IDS.values():
            found = calc_price(usage, model, provider_id=place, genai_request_timestamp=when)
        else:
            found = calc_price(usage, model, provider_api_url=place, genai_request_timestamp=when)
    except LookupError:
        return None
    if found.model_price.input_mtok is None and found.model_price.output_mtok is None:
        # The catalogue knows the model and not its price. Only a broker's ":free" is really for nothing.
        return Decimal(0) if model.endswith(":free") else None
    return Decimal(found.total_price)
