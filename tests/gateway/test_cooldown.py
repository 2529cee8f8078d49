"""Pauses that a provider asked for: how long they are, and that nobody is sent there before they are over."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes import FakeClock
from tests.gateway.faults import GOOD, QUESTION, refusal, rig
from tests.providers.rawserver import Answer, RawServer
from vpa_desktop.errors import AuthenticationFailed, ProviderError, ProviderUnavailable, RateLimited
from vpa_desktop.gateway.cooldown import Cooldowns


def slowly(answer: bytes, after_s: float = 0.1) -> Answer:
    """Send this after a while, so that others are out or in line meanwhile."""

    async def give(server: RawServer, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(after_s)
        writer.write(answer)
        await writer.drain()

    return give


BUSY = refusal("429 Too Many Requests", "rate_limit_exceeded")
BUSY_30_S = refusal("429 Too Many Requests", "rate_limit_exceeded", "retry-after: 30")


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


async def test_those_in_line_do_not_meet_a_refusal_that_came_meanwhile() -> None:
    async with rig([slowly(BUSY_30_S)] * 20, [GOOD] * 20, max_concurrency=1, clock=FakeClock()) as it:
        seen = await asyncio.gather(*(it.ask() for _ in range(10)))
        assert all(each.response is not None and each.response.provider == "b" for each in seen)
        assert len(it.a.requests) == 1
        assert it.manager.line(it.manager.route(QUESTION)[0]).in_flight == 0
        last = seen[-1].response
        assert last is not None
        assert [each.outcome for each in last.attempts] == ["skipped", "ok"]
        assert "asked again in 30 s" in last.attempts[0].reason


async def test_the_next_is_not_asked_where_it_has_asked_for_patience_meanwhile() -> None:
    async def down(server: RawServer, writer: asyncio.StreamWriter) -> None:
        it.manager.cooldowns.note("b", "model-b", RateLimited("busy", retry_after_s=30))
        writer.write(refusal("503 Service Unavailable"))
        await writer.drain()

    async with rig([down], clock=FakeClock()) as it:
        assert isinstance((await it.ask()).error, ProviderUnavailable)
        assert not it.b.requests


async def test_one_that_rests_is_asked_all_the_same_where_nobody_else_was() -> None:
    async with rig([GOOD], [GOOD], max_concurrency=1, clock=FakeClock()) as it:
        for provider_id in "ab":
            it.manager.cooldowns.note(provider_id, f"model-{provider_id}", RateLimited("busy", retry_after_s=30))
        assert (await it.ask()).response is not None


async def test_no_retry_comes_before_the_latest_time_that_anybody_was_told() -> None:
    async def busy(server: RawServer, writer: asyncio.StreamWriter) -> None:
        it.manager.cooldowns.note("a", "model-a", RateLimited("busy", retry_after_s=90))
        writer.write(refusal("429 Too Many Requests", None, "retry-after: 1"))
        await writer.drain()

    async with rig([busy, GOOD], clock=FakeClock()) as it:
        it.manager.remove_provider("b")
        assert isinstance((await it.ask()).error, RateLimited)
        assert len(it.a.requests) == 1
