"""What providers charge, as the strategy "cheapest" compares them. Not what an answer costs (``prices``)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from decimal import Decimal

from vpa_desktop import prices
from vpa_desktop.catalog import LLMProviderConfig

Priced = tuple[LLMProviderConfig, str]
"""A configuration and the model asked there."""


class PriceList:
    """Prices by configuration and model, each looked up once: reading the catalogue takes 0.4 s, off the event loop."""

    def __init__(self) -> None:
        self._known: dict[Priced, Decimal | None] = {}

    async def learn(self, wanted: Iterable[Priced]) -> None:
        """Look up what is not known yet."""
        missing = [priced for priced in wanted if priced not in self._known]
        if missing:
            self._known.update(await asyncio.to_thread(_looked_up, missing))

    def price_usd(self, config: LLMProviderConfig, model: str) -> Decimal | None:
        """Return a price to compare by; None where it is unknown, or would have to be learned.

        It is dollars for a million tokens of which a quarter are the answer's.
        """
        priced = (config, model)
        if priced not in self._known and prices.is_at_hand(config):
            self._known.update(_looked_up([priced]))
        return self._known.get(priced)


def _looked_up(wanted: list[Priced]) -> dict[Priced, Decimal | None]:
    return {(config, model): _blend(prices.price_per_million(config, model)) for config, model in wanted}


def _blend(each: tuple[Decimal, Decimal] | None) -> Decimal | None:
    return None if each is None else (each[0] * 3 + each[1]) / 4
