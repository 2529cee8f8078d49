"""What of a request fits one model: its window, the length of its answer, what it can do. Sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from vpa_desktop.catalog import ModelInfo
from vpa_desktop.errors import RequestRejected
from vpa_desktop.messages import LLMRequest, Message
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.tokens import count_prompt_tokens, estimate_prompt_tokens, has_tokenizer

TURN_CHARACTERS = 8
"""What a turn adds, in the characters of ``is_far_below``: more than its marks and its role have tokens."""

SAW_PICTURES: Final = "saw_pictures"
"""In a request's metadata: the providers that have answered a question with pictures in its conversation.

Where it stands there, pictures of earlier turns are a help that may be left out; else the caller put them there.
"""

ANSWER_TOKENS = 1_024
"""Room kept for the answer where nobody has said how long it may be."""


def is_far_below(request: LLMRequest, window: int | None) -> bool:
    """True for text that fits a window of so many tokens by any way of counting (None: no window known)."""
    if request.tools:
        return False
    characters = 0
    for message in request.messages:
        if message.images:
            return False
        characters += len(message.content) + TURN_CHARACTERS
    return window is None or 4 * characters <= window


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


def without_unseen(request: LLMRequest, provider: BaseLLMProvider, info: ModelInfo) -> LLMRequest:
    """Return the request without the pictures of earlier turns where it is not known that this model can look at them.

    The last message's are the question itself: who cannot see those is not asked. Nor is anything left out that the
    caller has put there.
    """
    saw = request.metadata.get(SAW_PICTURES)
    if saw is None or info.images or (info.images is None and provider.provider_id in saw):
        return request
    *earlier, last = request.messages
    if not any(message.images for message in earlier):
        return request
    blind = (replace(m, content=_told_of(m), images=()) if m.images else m for m in earlier)
    return replace(request, messages=(*blind, last))


def _told_of(message: Message) -> str:
    names = ", ".join(image.name or "a picture" for image in message.images)
    return f"{message.content}\n[Sent with this, and not shown to you: {names}]"


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


async def least_tokens(request: LLMRequest, provider: BaseLLMProvider, info: ModelInfo) -> int | None:
    """Return what the prompt takes without its oldest turns where that is known not to fit the model's window.

    None where it fits or nobody knows. Without the model's own tokenizer only what is far too long is known.
    """
    window, model = window_of(provider, info), info.id
    if window is None or 4 * sum(len(message.content) for message in request.messages) <= window:
        return None
    kept = fit_to_window(request.messages, [1] * len(request.messages), 0)
    estimate = estimate_prompt_tokens(kept, model).tokens
    if 2 * estimate <= window:
        return None
    if not has_tokenizer(model):
        return estimate if 2 * estimate > 3 * window else None
    counted = (await asyncio.to_thread(count_prompt_tokens, kept, model)).tokens
    return counted if counted > window else None


def unfit(request: LLMRequest, provider: BaseLLMProvider, info: ModelInfo) -> RequestRejected | None:
    """The refusal by us, before anything is sent, of what the model is known not to be able to do."""
    asked = request.messages[-1:] if SAW_PICTURES in request.metadata else request.messages
    if info.images is False and any(message.images for message in asked):
        why, advice = f"{info.id} cannot see images", "or ask without the image"
    elif info.tools is False and request.tools:
        why, advice = f"{info.id} cannot call functions", "or ask without functions"
    else:
        return None
    return RequestRejected(
        "The question was not sent",
        why,
        f"Choose a model that can (Ctrl+Shift+M), {advice}",
        provider=provider.provider_id,
        model=info.id,
    )
