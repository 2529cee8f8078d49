"""The money set aside for one attempt: how long its answer may be, what it could cost at most. Sends nothing.

Where a limit is set, the length that was reckoned with is sent along as ``max_tokens``, so that the limit holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Final

from vpa_desktop import prices
from vpa_desktop.catalog import LLMProvider, ModelInfo
from vpa_desktop.errors import BudgetExceeded
from vpa_desktop.gateway.budget import Budget, Reservation
from vpa_desktop.gateway.fitting import ANSWER_TOKENS, window_of
from vpa_desktop.gateway.prompt_bound import most_prompt_tokens
from vpa_desktop.messages import LLMRequest, Usage
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.tokens import count_prompt_tokens, estimate_prompt_tokens, has_tokenizer

LONGEST_ANSWER: Final = 32_768
"""Tokens reckoned with where nobody has set a length, though the model could say more: reasoning takes most of it."""

SHORT_ANSWER: Final = 4_096
"""Tokens allowed where a longer answer could pass the limit, or where it is not known how long one can be."""


def is_due(budget: Budget, provider: BaseLLMProvider, request: LLMRequest) -> bool:
    """True where money has to be set aside before this provider is asked: it is not free, and a limit counts."""
    return bool(budget.limits(request.user_id)) and not prices.is_free(provider.config)


async def set_aside(
    budget: Budget, provider: BaseLLMProvider, request: LLMRequest, info: ModelInfo
) -> tuple[Reservation, LLMRequest]:
    """Set money aside, where that ``is_due``; return it with the request whose answer it is enough for.

    Where a fast estimate would pass the limit the tokens are counted, and then a shorter answer is asked for,
    before it is refused. Raises BudgetExceeded.
    """
    tries = [(tokens, exact) for tokens in _lengths(provider, request, info) for exact in (False, True)]
    for position, (answer_tokens, exact) in enumerate(tries, 1):
        bounded = replace(request, max_tokens=answer_tokens)
        needed = await asyncio.to_thread(worst_case_usd, provider, bounded, answer_tokens, exact=exact)
        try:
            reservation = await budget.reserve(
                needed,
                provider=provider.provider_id,
                model=request.model or provider.model,
                user_id=request.user_id,
                over_limit=request.over_limit,
            )
            return reservation, request if needed is None else bounded
        except BudgetExceeded:
            if needed is None or position == len(tries):
                raise
    raise AssertionError("there is always a length to try")


def _lengths(provider: BaseLLMProvider, request: LLMRequest, info: ModelInfo) -> Iterator[int]:
    """The lengths of an answer to try to pay for; one that somebody has set is the only one."""
    said = request.max_tokens or provider.config.max_tokens
    if said is not None:
        yield said
        return
    longest = provider.answer_limit(info.id) or min(info.max_output_tokens or SHORT_ANSWER, LONGEST_ANSWER)
    longest = min(longest, info.max_output_tokens or longest)
    if (window := window_of(provider, info)) is not None:
        prompt = estimate_prompt_tokens(request.messages, info.id).tokens * 5 // 4
        longest = max(1, min(longest, max(window - prompt, min(ANSWER_TOKENS, window // 2))))
    yield longest
    if longest > SHORT_ANSWER:
        yield SHORT_ANSWER


def worst_case_usd(
    provider: BaseLLMProvider, request: LLMRequest, answer_tokens: int, *, exact: bool = False
) -> Decimal | None:
    """Return what an answer of this length could cost at most; None where the price is unknown.

    ``exact`` counts the prompt with the model's tokenizer where there is one. May import the price catalogue and a
    tokenizer.
    """
    model = request.model or provider.model
    if exact and not request.tools and has_tokenizer(model):
        prompt = count_prompt_tokens(request.messages, model).tokens * 21 // 20
    else:
        prompt = most_prompt_tokens(request, model)
    # What a provider writes to its cache costs more there, and it may be the whole prompt.
    written = prompt if provider.config.kind == LLMProvider.ANTHROPIC else None
    usage = Usage(input_tokens=prompt, output_tokens=answer_tokens, cache_write_tokens=written)
    return prices.cost_usd(provider.config, model, usage)
