"""Places at a provider: fewer after an overload, back step by step; a fair line; a batch never starves a chat."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.fakes import FakeClock
from tests.gateway.faults import GOOD, QUESTION, WHOLE, late, rig
from vpa_desktop.gateway.concurrency import CALM_S, Line
from vpa_desktop.messages import LLMRequest, Priority


async def fill(line: Line, count: int, priority: Priority = "chat") -> int:
    """Take as many places as there are, ``count`` at most."""
    return sum(line.enter_now(priority) for _ in range(count))


async def test_an_overload_takes_places_away_once_and_answers_give_them_back() -> None:
    clock = FakeClock()
    line = Line(100, clock=clock)
    assert await fill(line, 40) == 40
    for _ in range(20):
        line.leave("chat", "overloaded")
    cut = int(line.limit)
    assert cut == 28  # 0.7 of the forty that were under way, not 0.7 to the twentieth
    clock.advance(CALM_S)
    for _ in range(20):
        line.leave("chat", answered=True)
    for _ in range(4):
        for _ in range(await fill(line, cut)):
            line.leave("chat", answered=True)
    assert cut < int(line.limit) <= cut + 5


async def test_it_never_falls_below_one_place_nor_rises_above_the_persons_ceiling() -> None:
    clock = FakeClock()
    line = Line(2, clock=clock)
    for _ in range(20):
        assert line.enter_now("chat")
        line.leave("chat", "rate_limit")
        clock.advance(CALM_S)
    assert line.limit == 1
    for _ in range(20):
        assert line.enter_now("chat")
        line.leave("chat", answered=True)
    assert line.limit == 2


async def test_conversations_take_turns_in_the_line() -> None:
    line = Line(1)
    assert line.enter_now("chat")
    order: list[str] = []

    async def ask(flow: str) -> None:
        assert await line.enter("chat", flow, None)
        order.append(flow)

    asking = [asyncio.create_task(ask(flow)) for flow in ("a", "a", "a", "b", "c")]
    await asyncio.sleep(0)
    for _ in asking:
        line.leave("chat", answered=True)
        await asyncio.sleep(0)
    assert order == ["a", "b", "c", "a", "a"]


async def test_a_batch_leaves_places_for_chats_and_is_not_starved_itself() -> None:
    line = Line(8)
    assert await fill(line, 50, "background") == 6
    assert await fill(line, 50) == 2
    order: list[Priority] = []

    async def ask(priority: Priority) -> None:
        assert await line.enter(priority, "x", None)
        order.append(priority)

    asking = [asyncio.create_task(ask("background")) for _ in range(4)]
    asking += [asyncio.create_task(ask("chat")) for _ in range(20)]
    await asyncio.sleep(0)
    for _ in range(2):
        line.leave("background", answered=True)
    for _ in range(22):
        line.leave("chat", answered=True)
        await asyncio.sleep(0)
    assert order[:2] == ["chat", "chat"]
    assert "background" in order[:10]


@pytest.mark.parametrize("patience_s", [0.01, None])
async def test_who_gives_up_frees_the_place_in_the_line(patience_s: float | None) -> None:
    line = Line(1)
    assert line.enter_now("chat")
    waiting = asyncio.create_task(line.enter("chat", "a", patience_s))
    await asyncio.sleep(0.05)
    if patience_s is None:
        waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert line.waiting == 0
    line.leave("chat", answered=True)
    assert line.enter_now("chat")


async def test_a_place_given_to_one_that_is_cancelled_in_the_same_moment_is_not_lost() -> None:
    line = Line(1)
    assert line.enter_now("chat")
    waiting = asyncio.create_task(line.enter("chat", "a", None))
    await asyncio.sleep(0)
    line.leave("chat", answered=True)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert line.enter_now("chat")


@pytest.mark.alone
async def test_a_batch_of_forty_does_not_keep_a_chat_waiting() -> None:
    async with rig([late(GOOD, 0.3)], max_concurrency=4) as it:
        batch = [asyncio.create_task(it.ask(replace(QUESTION, priority="background"))) for _ in range(40)]
        await asyncio.wait_for(it.a.asked.wait(), 2)
        chat = await asyncio.wait_for(it.ask(), 1)
        assert chat.text == WHOLE
        assert sum(task.done() for task in batch) < 10
        for task in batch:
            task.cancel()
        await asyncio.gather(*batch, return_exceptions=True)


async def test_a_hundred_at_once_are_all_answered_through_four_places() -> None:
    async with rig([late(GOOD, 0.01)], max_concurrency=4) as it:
        asked = [LLMRequest(QUESTION.messages, conversation_id=str(n % 10)) for n in range(100)]
        seen = await asyncio.gather(*(it.ask(request) for request in asked))
        assert {outcome.text for outcome in seen} == {WHOLE}
        assert it.manager.line(it.manager.route(QUESTION)[0]).in_flight == 0
