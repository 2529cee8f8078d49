"""What providers charge, as the strategy "cheapest" compares them. Not what an answer costs (``prices``)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from vpa_desktop import prices
from vpa_desktop.catalog import LLMProviderConfig

Priced = tuple[LLMProviderConfig, str]
"""A configuration and the model asked there."""

Lengths = tuple[int, int]
"""Tokens of a question, and of the answer that is expected."""

USUAL: Final[Lengths] = (750_000, 250_000)
"""Where nothing is known of the question: a million tokens of which a quarter are the answer's."""


KEPT: Final = 1_000


class PriceList:
    """Prices by configuration and model, each looked up once: reading the catalogue takes 0.4 s, off the event loop."""

    def __init__(self) -> None:
        self._known: dict[Priced, tuple[Decimal, Decimal] | None] = {}

    async def learn(self, wanted: Iterable[Priced]) -> None:
        """Look up what is not known yet."""
        missing = [priced for priced in wanted if priced not in self._known]
        if missing:
            self._keep(await asyncio.to_thread(_looked_up, missing))

    def price_usd(self, config: LLMProviderConfig, model: str, lengths: Lengths = USUAL) -> Decimal | None:
        """Return what a question and an answer of these lengths cost; None where it is unknown, or not learned yet."""
        priced = (config, model)
        if priced not in self._known and prices.is_at_hand(config):
            self._keep(_looked_up([priced]))
        each = self._known.get(priced)
        return None if each is None else (each[0] * lengths[0] + each[1] * lengths[1]) / 1_000_000

    def _keep(self, found: dict[Priced, tuple[Decimal, Decimal] | None]) -> None:
        if len(self._known) >= KEPT:  # a configuration that was changed often, or any model that a client named
            self._known.clear()
        self._known.update(found)


def _looked_up(wanted: list[Priced]) -> dict[Priced, tuple[Decimal, Decimal] | None]:
    return {(config, model): prices.price_per_million(config, model) for config, model in wanted}
