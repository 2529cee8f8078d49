"""What the first choice would have cost where another provider answered: one line of the route receipt.

Asks nobody. Nothing is looked up where the first choice answered, so that a request that goes well pays nothing for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from vpa_desktop import prices
from vpa_desktop.gateway.admission import Stop
from vpa_desktop.messages import LLMResponse


async def compared(response: LLMResponse, first: Stop) -> LLMResponse:
    """Return the answer with who stood first on its route, and the price of the same tokens there.

    The price is None where it, or a count, is unknown.
    """
    if response.provider == first.provider_id:
        return response
    config = first.provider.config
    if prices.is_at_hand(config):
        cost = prices.cost_usd(config, first.model, response.usage)
    else:  # the text is already with the reader; the catalogue is read off the loop, once in a process
        cost = await asyncio.to_thread(prices.cost_usd, config, first.model, response.usage)
    return replace(response, first_choice=first.provider_id, first_choice_usd=cost)
