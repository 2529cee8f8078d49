"""A second provider asked beside a late one: who speaks first answers, the other is cut off, and it stays rare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from tests.fakes import ScriptedProvider
from tests.gateway.faults import GOOD, QUESTION, ROLE, WHOLE, WORDS, Rig, late, refusal, rig
from tests.gateway.test_manager import config
from tests.providers.rawserver import STREAM_HEAD, chunk
from vpa_desktop.config import RoutingSettings
from vpa_desktop.errors import ProviderUnavailable
from vpa_desktop.gateway.health import ProviderHealth
from vpa_desktop.gateway.hedge import ENOUGH, SAVED_UP, HedgeBudget, late_after_s
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import LLMRequest, LLMResponse, RouteDone, StreamDone, StreamEvent, TextDelta

pytestmark = pytest.mark.alone  # what is late is measured against what was usual a moment ago

USUAL = [GOOD] * ENOUGH


async def used_to_speak_at_once(it: Rig) -> None:
    """Give provider a a record of quick first words, and the router leave to hedge."""
    for _ in USUAL:
        assert (await it.ask()).text == WHOLE
    it.manager.routing = replace(it.manager.routing, hedge_first_token=True)


async def test_4_a_late_first_word_is_overtaken_and_the_late_one_cut_off_and_booked() -> None:
    async with rig([*USUAL, late(GOOD, 8)]) as it:
        await used_to_speak_at_once(it)
        started = time.perf_counter()
        first_at = 0.0
        async with aclosing(it.manager.stream(QUESTION)) as events:
            async for event in events:
                if isinstance(event, TextDelta) and not first_at:
                    first_at = time.perf_counter()
                if isinstance(event, RouteDone):
                    answer = event.response
        assert first_at - started < 2
        await asyncio.wait_for(it.a.hung_up.wait(), 1)
        assert (answer.content, answer.provider) == (WHOLE, "b")
        assert [(a.provider, a.outcome) for a in answer.attempts] == [("a", "cancelled"), ("b", "ok")]
        assert "sooner" in answer.attempts[0].reason
        assert [r.outcome for r in await it.manager.ledger.rows() if r.provider == "a"][-1] == "cancelled"
        assert it.manager.breaker("a", "model-a").state == "closed"


async def test_the_late_one_that_still_speaks_first_answers_and_the_other_is_cut_off() -> None:
    async with rig([*USUAL, late(GOOD, 0.6)], [late(GOOD, 8)]) as it:
        await used_to_speak_at_once(it)
        seen = await it.ask()
        assert seen.text == WHOLE
        assert seen.response is not None
        assert seen.response.provider == "a"
        assert len(it.b.requests) == 1
        assert [(a.provider, a.outcome) for a in seen.response.attempts] == [("b", "cancelled"), ("a", "ok")]


async def test_both_may_fail_and_the_next_is_asked_as_ever() -> None:
    async with rig([*USUAL, late(b"", 0.5)], [refusal("500 Internal Server Error")], retries=0) as it:
        await used_to_speak_at_once(it)
        seen = await it.ask()
        assert seen.error is not None
        assert seen.text == ""
        assert not await it.manager.ledger.spent_since((await it.manager.ledger.rows())[0].at)


async def test_stop_cuts_off_both() -> None:
    async with rig([*USUAL, late(GOOD, 8)], [late(GOOD, 8)]) as it:
        await used_to_speak_at_once(it)
        asking = asyncio.create_task(it.ask())
        await asyncio.wait_for(it.b.asked.wait(), 3)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.wait_for(asyncio.gather(it.a.hung_up.wait(), it.b.hung_up.wait()), 1)
        rows = (await it.manager.ledger.rows())[ENOUGH:]
        assert [row.outcome for row in rows] == ["cancelled", "cancelled"]


async def test_without_leave_nobody_is_asked_beside() -> None:
    async with rig([late(GOOD, 0.4)]) as it:
        assert (await it.ask()).text == WHOLE
        assert it.b.requests == []


async def test_a_second_request_is_rare() -> None:
    budget = HedgeBudget()
    spent = 0
    for _ in range(1000):
        budget.earn(0.05)
        spent += budget.spend()
    assert 45 <= spent <= 51


async def test_after_a_calm_a_burst_is_rescued_and_no_more_than_that() -> None:
    budget = HedgeBudget()
    for _ in range(10_000):
        budget.earn(0.05)
    assert sum(budget.spend() for _ in range(100)) == SAVED_UP


def test_late_is_later_than_usual_at_that_provider() -> None:
    health = ProviderHealth()
    unknown = late_after_s(health)
    health.first_tokens_ms.extend([400.0] * 95 + [2000.0] * 5)
    assert late_after_s(health) == 1.6  # not 2 s: words that are two seconds late must not make that the rule
    assert unknown > 2


class Waiting(ScriptedProvider):
    """Says nothing before it may."""

    def __init__(self, name: str, together: asyncio.Event, *events: StreamEvent | Exception) -> None:
        super().__init__(config(name), events)
        self._together = together
        self.asked = asyncio.Event()

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Wait, then yield the script."""
        self.asked.set()
        await self._together.wait()
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event


async def answer_of_both(a: tuple[StreamEvent | Exception, ...], b: tuple[StreamEvent | Exception, ...]) -> LLMResponse:
    """What two providers give that speak in the same moment."""
    together = asyncio.Event()
    both = [Waiting("a", together, *a), Waiting("b", together, *b)]
    made = LLMProviderManager(RoutingSettings(hedge_first_token=True))
    for provider in both:
        made.register_provider(provider.provider_id, provider)
        made.health[provider.provider_id].first_tokens_ms.extend([1.0] * ENOUGH)
    asking = asyncio.create_task(made.generate(QUESTION))
    await asyncio.wait_for(asyncio.gather(*(provider.asked.wait() for provider in both)), 2)
    together.set()
    return await asyncio.wait_for(asking, 2)


async def test_two_whole_answers_in_the_same_moment_are_one_answer_and_one_that_came_too_late() -> None:
    whole = (TextDelta("fine"), StreamDone("stop"))
    answer = await answer_of_both(whole, whole)
    assert [each.outcome for each in answer.attempts] == ["cancelled", "ok"]
    assert answer.attempts[-1].provider == answer.provider


async def test_what_the_other_said_before_it_broke_is_no_part_of_the_answer() -> None:
    broken = (TextDelta("wrong "), ProviderUnavailable("gone"))
    whole = (TextDelta("fine"), StreamDone("stop"))
    for a, b in ((broken, whole), (whole, broken)):
        answer = await answer_of_both(a, b)
        begun = "wrong " if "interrupted" in [each.outcome for each in answer.attempts] else ""
        assert answer.content in ("fine", begun + "fine")


async def test_one_that_was_cut_off_still_goes_on_with_the_answer_that_breaks() -> None:
    begins = late(STREAM_HEAD + ROLE + b"".join(chunk(word) for word in WORDS[:40]), 0.5)
    async with rig([*USUAL, begins], [late(GOOD, 8), GOOD], retries=0) as it:
        await used_to_speak_at_once(it)
        seen = await it.ask()
        assert seen.error is None
        assert seen.response is not None
        assert [(a.provider, a.outcome) for a in seen.response.attempts] == [
            ("b", "cancelled"),
            ("a", "interrupted"),
            ("b", "ok"),
        ]
        assert seen.text == "".join(WORDS[:40]) + WHOLE
