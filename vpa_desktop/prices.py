"""What an answer costs, in US dollars. A price that is not known is None: shown as unknown, never as free.

The person's own prices win over the catalogue (genai-prices, offline data). Local models cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from vpa_desktop.catalog import LLMProvider, LLMProviderConfig
from vpa_desktop.messages import Usage

_MILLION: Final = Decimal(1_000_000)
_CATALOGUE_IDS: Final = {
    LLMProvider.OPENAI: "openai",
    LLMProvider.ANTHROPIC: "anthropic",
    LLMProvider.GOOGLE: "google",
    LLMProvider.AZURE_OPENAI: "azure",
}


def is_free(config: LLMProviderConfig) -> bool:
    """True for a model that runs on this machine without a price of the person's own."""
    return config.is_local and config.input_cost_per_million is None and config.output_cost_per_million is None


def cost_usd(config: LLMProviderConfig, model: str, usage: Usage) -> Decimal | None:
    """Return what ``usage`` costs there, None where the price or a count is unknown.

    May import the price catalogue (0.4 s the first time): call it off the event loop.
    """
    if is_free(config):
        return Decimal(0)
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    own = _own_price(config)
    if own is not None:
        return own.cost(usage)
    return _catalogue_cost(config, model, usage)


@dataclass(frozen=True, slots=True)
class _OwnPrice:
    """Dollars per million tokens, as the person set them."""

    input_per_million: Decimal
    output_per_million: Decimal

    def cost(self, usage: Usage) -> Decimal:
        tokens_in, tokens_out = Decimal(usage.input_tokens or 0), Decimal(usage.output_tokens or 0)
        return (tokens_in * self.input_per_million + tokens_out * self.output_per_million) / _MILLION


def _own_price(config: LLMProviderConfig) -> _OwnPrice | None:
    if config.input_cost_per_million is not None and config.output_cost_per_million is not None:
        return _OwnPrice(config.input_cost_per_million, config.output_cost_per_million)
    if config.cost_per_token is not None:
        each = Decimal(str(config.cost_per_token)) * _MILLION
        return _OwnPrice(config.input_cost_per_million or each, config.output_cost_per_million or each)
    return None


def _catalogue_cost(config: LLMProviderConfig, model: str, usage: Usage) -> Decimal | None:
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price

    counted = PricedUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
    )
    known = _CATALOGUE_IDS.get(LLMProvider(config.kind)) if config.kind in set(LLMProvider) else None
    try:
        if known:
            return calc_price(counted, model, provider_id=known).total_price
        return calc_price(counted, model, provider_api_url=config.endpoint).total_price
    except LookupError:
        return None


@lru_cache(maxsize=256)
def has_price(config: LLMProviderConfig, model: str) -> bool:
    """True where a cost can be computed; may import the price catalogue."""
    return cost_usd(config, model, Usage(input_tokens=1_000, output_tokens=1_000)) is not None
