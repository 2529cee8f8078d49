"""The scripted provider: deterministic, and its faults are real errors of ours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire import HELLO, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import (
    AuthenticationFailed,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamInterrupted,
)
from vpa_desktop.messages import LLMRequest, Message, Usage
from vpa_desktop.providers.mock import MockProvider, MockReply


class Sleeps:
    """Remembers how long it was told to sleep, and does not."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


def mock(*script: MockReply | str, model: str = "mock", sleep: Any = None) -> MockProvider:
    return MockProvider(LLMProviderConfig("mock", model, timeout=30), script=script, sleep=sleep or Sleeps())


async def test_it_echoes_the_last_message() -> None:
    request = LLMRequest((Message("user", "one"), Message("assistant", "x"), Message("user", "  two  three\nfour")))
    assert (await mock().generate(request)).content == "  two  three\nfour"


async def test_it_plays_its_script_and_then_echoes() -> None:
    provider = mock("first", MockReply("second", reasoning="hm", usage=Usage(1, 2)))
    assert (await provider.generate(HELLO)).content == "first"
    second = await provider.generate(HELLO)
    assert (second.content, second.reasoning, second.usage) == ("second", "hm", Usage(1, 2))
    assert (await provider.generate(HELLO)).content == "Say hello"
    assert len(provider.requests) == 3


async def test_it_waits_as_told() -> None:
    sleeps = Sleeps()
    await mock(MockReply("a b c", delay_s=2, piece_delay_s=0.5), sleep=sleeps).generate(HELLO)
    assert sleeps.asked == [2, 0.5, 0.5]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("401", AuthenticationFailed),
        ("429", RateLimited),
        ("500", ProviderUnavailable),
        ("timeout", ProviderTimeout),
        ("refuse", ProviderUnavailable),
        ("cut", StreamInterrupted),
    ],
)
async def test_a_models_name_rehearses_a_fault(fault: str, error: type[ProviderError]) -> None:
    provider = mock(model=f"mock-{fault}")
    seen = await outcome(provider, LLMRequest((Message("user", "one two three four"),)))
    assert isinstance(seen.error, error)
    assert seen.done is None
    assert seen.error.what
    assert seen.error.next_step
    assert seen.text == ("one two " if fault == "cut" else "")
    assert f"mock-{fault}" in [model.id for model in await provider.list_models()]


async def test_a_fault_in_the_middle_keeps_what_came_before() -> None:
    seen = await outcome(mock(MockReply("a b c d", fault="429", after=3, retry_after_s=4)))
    assert seen.text == "a b c "
    assert isinstance(seen.error, RateLimited)
    assert seen.error.midstream
    assert seen.error.retry_after_s == 4
