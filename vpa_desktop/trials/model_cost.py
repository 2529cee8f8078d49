"""What the local model gives: time to load, to the first token, tokens a second, memory. No network, no cost."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from vpa_desktop.catalog import LLMProvider, LLMProviderConfig
from vpa_desktop.config import LOCAL_PROVIDER_ID
from vpa_desktop.errors import BadReply
from vpa_desktop.messages import LLMRequest, Message, StreamDone, TextDelta
from vpa_desktop.providers import build_provider
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.trials.values import Figure, share

WARM_ROUNDS: Final = 3
MOST_TOKENS: Final = 96


@dataclass(frozen=True, slots=True)
class Run:
    """One answer: milliseconds to its first token, tokens a second after it, and how many there were."""

    first_ms: float
    tokens_per_s: float | None
    tokens: int


async def model_figures() -> list[Figure]:
    """Load the local model and ask it four times; raises VPAError where it cannot be had."""
    from vpa_desktop.providers._http import HttpSession

    config = LLMProviderConfig(LLMProvider.LLAMA_CPP, provider_id=LOCAL_PROVIDER_ID, timeout=120.0)
    http = HttpSession(offline=True)
    provider = build_provider(config, http)
    try:
        cold = await answer(provider, "Write about rain.")
        warm = [await answer(provider, f"Write about {word}.") for word in ("bread", "ships", "winter")[:WARM_ROUNDS]]
        resident = _children_mb()
    finally:
        await provider.aclose()
        await http.aclose()
    name = provider.model or "the model that comes along"
    paces = [run.tokens_per_s for run in warm if run.tokens_per_s is not None]
    told = f"{name} on this machine's processor"
    return [
        Figure("local_model.load_and_first_token", cold.first_ms, "ms", f"{told}: from nothing loaded, one answer"),
        Figure("local_model.time_to_first_token", share([run.first_ms for run in warm], 0.5), "ms",
               f"{told}: loaded, {len(warm)} different short questions, median"),
        Figure("local_model.tokens_per_second", share(paces, 0.5) if paces else None, "tokens/s",
               f"{told}: after the first token, up to {MOST_TOKENS} tokens, median of {len(paces)}"),
        Figure("memory.local_model", resident, "MB", "resident memory of the processes this one had started then"),
    ]  # fmt: skip


async def answer(provider: BaseLLMProvider, text: str) -> Run:
    """Ask once and time it."""
    request = LLMRequest((Message("user", f"{text} Use many words."),), max_tokens=MOST_TOKENS)
    started, first, done = time.perf_counter(), 0.0, None
    async with aclosing(provider.stream(request)) as events:
        async for event in events:
            if isinstance(event, TextDelta) and not first:
                first = time.perf_counter()
            elif isinstance(event, StreamDone):
                done = event
    ended = time.perf_counter()
    if not first or done is None:
        raise BadReply("The local model gave no word", "Its answer was empty", "See: vpa-desktop doctor")
    tokens = (done.usage.output_tokens if done.usage else None) or 0
    pace = (tokens - 1) / (ended - first) if tokens > 1 and ended > first else None
    return Run((first - started) * 1000, pace, tokens)


def _children_mb() -> float:
    import psutil

    total = 0
    for child in psutil.Process().children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6
