"""Pauses that a provider asked for: how long they are, and that nobody is sent there before they are over."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes import FakeClock
from tests.gateway.faults import GOOD, refusal, rig
from tests.providers.rawserver import Answer, RawServer
from vpa_desktop.errors import AuthenticationFailed, ProviderError, RateLimited
from vpa_desktop.gateway.cooldown import Cooldowns


def slowly(answer: bytes, after_s: float = 0.1) -> Answer:
    """Send this after a while, so that others are out or in line meanwhile."""

    async def give(server: RawServer, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(after_s)
        writer.write(answer)
        await writer.drain()

    return give


BUSY = refusal("429 Too Many Requests", "rate_limit_exceeded")


@pytest.mark.parametrize("error", [RateLimited("busy"), AuthenticationFailed("no", error_class="auth")])
def test_refusals_of_the_same_moment_count_once_and_the_next_doubles_the_wait(error: ProviderError) -> None:
    clock = FakeClock()
    pauses = Cooldowns(clock=clock)
    waits = []
    for _ in range(3):
        for _ in range(20):
            assert pauses.note("a", "m", error)
        waits.append(pauses.left_s("a", "m"))
        clock.advance(waits[-1])
    assert waits == [waits[0], 2 * waits[0], 4 * waits[0]]


def test_refusals_that_name_a_time_do_not_lengthen_the_wait_of_one_that_names_none() -> None:
    clock = FakeClock()
    pauses = Cooldowns(clock=clock)
    for _ in range(20):
        pauses.note("a", "m", RateLimited("busy", retry_after_s=1.0))
    clock.advance(1)
    pauses.note("a", "m", RateLimited("busy"))
    assert pauses.left_s("a", "m") == 2.0


async def test_a_burst_that_is_too_much_does_not_put_a_provider_aside_for_long() -> None:
    async with rig([slowly(BUSY, 0.2)] * 20, [GOOD] * 20, clock=FakeClock()) as it:
        await asyncio.gather(*(it.ask() for _ in range(20)))
        assert len(it.a.requests) == 20
        assert it.manager.cooldowns.left_s("a", "model-a") == 1.0
