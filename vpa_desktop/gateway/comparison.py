"""What the first choice would have cost where another provider answered: one line of the route receipt.

Asks nobody. Nothing is looked up where the first choice answered, so that a request that goes well pays nothing for it.
"""

from __future__ import annotations

from dataclasses import replace

from vpa_desktop.gateway.attempt import cost_usd
from vpa_desktop.messages import RouteDone
from vpa_desktop.providers.base import BaseLLMProvider


async def compared(done: RouteDone, first: BaseLLMProvider, model: str) -> RouteDone:
    """Return the end of a route with who stood first on it, and the price of the same tokens at that model.

    The price is None where it, or a count, is unknown.
    """
    usage = done.response.usage
    cost = await cost_usd(first.config, model, usage)
    return RouteDone(replace(done.response, first_choice=first.provider_id, first_choice_usd=cost))
