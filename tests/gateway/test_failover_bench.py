"""The sixteen public scenarios of Failover Bench, in our words, against real sockets. Times are scaled down."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.fakes import FakeClock
from tests.gateway.faults import (
    END,
    GOOD,
    WHOLE,
    WORDS,
    late,
    refusal,
    rig,
    stream,
    then_reset,
    then_silence,
)
from tests.providers.rawserver import STREAM_HEAD, RawServer, chunk
from vpa_desktop.errors import ContentBlocked, ContextTooLong

pytestmark = pytest.mark.alone

BUSY = refusal("503 Service Unavailable")


async def test_s01_a_429_with_retry_after_is_waited_for_or_moved_from() -> None:
    async with rig([refusal("429 Too Many Requests", "rate_limit_exceeded", "retry-after: 2"), GOOD]) as it:
        seen = await it.ask()
        assert seen.text == WHOLE
        assert len(it.a.requests) == 1


async def test_s02_a_429_for_ever_is_left_after_few_tries() -> None:
    async with rig([refusal("429 Too Many Requests", "rate_limit_exceeded")]) as it:
        started = time.monotonic()
        assert (await it.ask()).text == WHOLE
        assert time.monotonic() - started < 40
        assert len(it.a.requests) <= 4


async def test_s03_one_500_is_survived() -> None:
    async with rig([refusal("500 Internal Server Error"), GOOD]) as it:
        assert (await it.ask()).text == WHOLE
        assert len(it.a.requests) + len(it.b.requests) == 2


async def test_s04_a_503_for_ever_fails_over() -> None:
    async with rig([BUSY]) as it:
        seen = await it.ask()
        assert seen.text == WHOLE
        assert seen.response is not None
        assert seen.response.provider == "b"
        assert len(it.a.requests) <= 6


async def test_s05_a_reset_before_any_byte_is_survived() -> None:
    async with rig([then_reset(), GOOD]) as it:
        assert (await it.ask()).text == WHOLE


async def test_s06_one_that_never_answers_is_tried_once() -> None:
    async with rig([then_silence()], timeout=0.4) as it:
        started = time.monotonic()
        assert (await it.ask()).text == WHOLE
        assert time.monotonic() - started < 3
        assert len(it.a.requests) == 1


async def test_s07_a_first_token_that_takes_too_long_fails_over() -> None:
    async with rig([late(GOOD, 5)], timeout=0.4) as it:
        started = time.monotonic()
        assert (await it.ask()).text == WHOLE
        assert time.monotonic() - started < 3


async def test_s08_a_stream_that_dies_is_never_a_short_success() -> None:
    async with rig([then_reset(stream(WORDS[:40], b""))], [stream(WORDS[40:])]) as it:
        seen = await it.ask()
        assert seen.error is None
        assert seen.text == WHOLE
        assert [(seam.from_provider, seam.to_provider) for seam in seen.seams] == [("a", "b")]


async def test_s09_a_stall_in_the_middle_is_found() -> None:
    async with rig([then_silence(stream(WORDS[:20], b"")), GOOD], [stream(WORDS[20:])], timeout=0.4) as it:
        assert (await it.ask()).text == WHOLE
        assert (await it.ask()).text == WHOLE
        assert len(it.a.requests) == 2


async def test_s10_broken_json_in_the_middle_is_never_garbage() -> None:
    broken = STREAM_HEAD + b"".join(map(chunk, WORDS[:10])) + b'data: {"choices":[{"del\n\n' + END
    async with rig([broken, GOOD], [stream(WORDS[10:])]) as it:
        assert (await it.ask()).text == WHOLE
        assert (await it.ask()).text == WHOLE


async def test_s11_a_stream_without_done_is_finished_at_once_with_its_usage() -> None:
    answer = stream(end=END.removesuffix(b"data: [DONE]\n\n"))
    async with rig([then_silence(answer)], timeout=30) as it:
        started = time.monotonic()
        seen = await it.ask()
        assert time.monotonic() - started < 8
        assert seen.text == WHOLE
        assert seen.response is not None
        assert (seen.response.usage.input_tokens, seen.response.usage.output_tokens) == (11, 60)


async def test_s12_a_prompt_that_is_too_long_is_tried_once_there() -> None:
    async with rig([refusal("400 Bad Request", "context_length_exceeded")], context_tokens=1000) as it:
        seen = await it.ask()
        assert isinstance(seen.error, ContextTooLong)
        assert (len(it.a.requests), len(it.b.requests)) == (1, 0)


async def test_s12_a_larger_window_takes_what_was_too_long() -> None:
    async with rig([refusal("400 Bad Request", "context_length_exceeded")]) as it:
        for name, tokens in (("a", 1_000), ("b", 100_000)):
            provider = it.manager.get_provider(name)
            assert provider is not None
            provider.context_tokens = tokens
        seen = await it.ask()
        assert seen.text == WHOLE
        assert (len(it.a.requests), len(it.b.requests)) == (1, 1)


async def test_s13_a_content_filter_reaches_the_person_and_nobody_else_is_asked() -> None:
    refused = refusal("400 Bad Request", "content_policy_violation", message="violence is not allowed")
    async with rig([refused]) as it:
        seen = await it.ask()
        assert isinstance(seen.error, ContentBlocked)
        assert "violence is not allowed" in str(seen.error)
        assert (len(it.a.requests), len(it.b.requests)) == (1, 0)


async def test_s14_a_fallback_that_refuses_the_continuation_is_not_the_last_word() -> None:
    no_prefill = refusal("400 Bad Request", "invalid_request_error", message="conversation must end with a user turn")
    async with rig([then_reset(stream(WORDS[:40], b""))], [no_prefill, stream()]) as it:
        seen = await it.ask()
        if seen.error is None:
            assert seen.response is not None
            assert seen.response.content == WHOLE
        else:
            assert "user turn" not in seen.error.what
            assert "broke off" in str(seen.error)


async def test_s15_a_primary_that_comes_back_is_used_again_soon() -> None:
    clock = FakeClock()

    async def down_for_a_minute(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(BUSY if clock() < 60 else GOOD)
        await writer.drain()

    async with rig([down_for_a_minute], clock=clock, retries=0) as it:
        answered_by_a = []
        for call in range(30):
            seen = await it.ask()
            assert seen.text == WHOLE
            assert seen.response is not None
            if seen.response.provider == "a":
                answered_by_a.append(call * 4)
            clock.advance(4)
        assert answered_by_a[0] <= 90
        assert len(it.a.requests) - len(answered_by_a) <= 9  # five to open, then one in each growing interval


async def test_s16_the_receipt_shows_who_answered_and_failed_tries_cost_nothing() -> None:
    async with rig([BUSY], input_cost_per_million=1, output_cost_per_million=1) as it:
        seen = await it.ask()
        assert seen.response is not None
        assert seen.response.model == "m"
        assert seen.response.usage.output_tokens == 60
        assert seen.response.cost_usd is not None
        rows = await it.manager.ledger.rows()
        assert [row.cost_usd for row in rows if row.outcome == "failed"] == [0] * len(it.a.requests)
        assert len(it.a.requests) <= 6
