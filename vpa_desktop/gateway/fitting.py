"""What of a request fits one model: its window, the length of its answer, whether it can see. Sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from vpa_desktop.catalog import ModelInfo
from vpa_desktop.errors import RequestRejected
from vpa_desktop.messages import LLMRequest, Message
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.tokens import count_prompt_tokens, estimate_prompt_tokens

ANSWER_TOKENS = 1_024
"""Room kept for the answer where nobody has said how long it may be."""


async def fitted(request: LLMRequest, provider: BaseLLMProvider, info: ModelInfo) -> LLMRequest:
    """Return the request with turns that fit the model's window and no longer an answer than it can give.

    Texts are counted by the model's own tokenizer only where the estimate is not clearly below the window.
    """
    limit = request.max_tokens or provider.config.max_tokens
    if limit is not None and info.max_output_tokens and limit > info.max_output_tokens:
        request = replace(request, max_tokens=info.max_output_tokens)
        limit = info.max_output_tokens
    window = window_of(provider, info)
    if window is None:
        return request
    room = max(window - (limit or ANSWER_TOKENS), window // 2)
    model = request.model or provider.model
    if 2 * estimate_prompt_tokens(request.messages, model).tokens <= room:
        return request
    counts = await asyncio.to_thread(_counts, request.messages, model)
    return replace(request, messages=fit_to_window(request.messages, counts, room))


def window_of(provider: BaseLLMProvider, info: ModelInfo) -> int | None:
    """Return the model's window: as the person set it, as the provider has it, as the list or the table has it."""
    return provider.config.context_tokens or provider.window_of(info.id) or info.context_tokens


def fit_to_window(messages: Sequence[Message], counts: Sequence[int], room: int) -> tuple[Message, ...]:
    """Leave out the oldest turns until the rest fits; instructions and the last question always stay."""
    turns = [pair for pair in zip(messages, counts, strict=True) if pair[0].role != "system"]
    asked = [n for n, (message, _) in enumerate(turns) if message.role == "user"]
    last_question = asked[-1] if asked else max(0, len(turns) - 1)
    total, first = sum(counts), 0
    while first < last_question and total > room:
        total -= turns[first][1]
        first += 1
    while 0 < first < last_question and turns[first][0].role != "user":
        first += 1
    return (*(m for m in messages if m.role == "system"), *(message for message, _ in turns[first:]))


def _counts(messages: Sequence[Message], model: str) -> list[int]:
    return [count_prompt_tokens([message], model).tokens for message in messages]


def is_blind_to(request: LLMRequest, info: ModelInfo) -> bool:
    """True where the request has images and the model is known not to see them."""
    return info.images is False and any(message.images for message in request.messages)


def blind(provider: BaseLLMProvider, info: ModelInfo) -> RequestRejected:
    """The refusal of images by us, before anything is sent."""
    return RequestRejected(
        "The question was not sent",
        f"{info.id} cannot see images",
        "Choose a model that can (Ctrl+Shift+M), or ask without the image",
        provider=provider.provider_id,
        model=info.id,
    )
