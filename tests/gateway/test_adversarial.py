"""The fifteen adversarial scenarios of our own (findings, routing 4), against real sockets. Times are scaled down."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest

from tests.fakes import FakeClock
from tests.gateway.faults import (
    END,
    GOOD,
    QUESTION,
    ROLE,
    USAGE,
    WHOLE,
    WORDS,
    Rig,
    drip,
    dying_connections,
    refusal,
    rig,
    stream,
    then_reset,
    then_silence,
)
from tests.providers.rawserver import STREAM_HEAD, Answer, RawServer, reply
from vpa_desktop.config import BreakerSettings
from vpa_desktop.errors import ContentBlocked, ContextTooLong, RequestRejected


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something to become so, two seconds at most."""
    for _ in range(400):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")


def _asked(it: Rig, times: int) -> bool:
    return len(it.a.requests) >= times


DOWN = refusal("500 Internal Server Error")


async def test_1_a_clean_end_without_a_finish_is_never_complete() -> None:
    async with rig([stream(WORDS[:5], b"")], [stream(WORDS[5:])]) as it:
        seen = await it.ask()
        assert seen.text == WHOLE
        assert len(seen.seams) == 1
        assert [row.outcome for row in await it.manager.ledger.rows()] == ["interrupted", "ok"]


async def test_1_a_counted_answer_whose_only_end_is_done_is_complete() -> None:
    async with rig([stream(end=USAGE + b"data: [DONE]\n\n")]) as it:
        seen = await it.ask()
        assert seen.text == WHOLE
        assert seen.response is not None
        assert seen.response.provider == "a"


@pytest.mark.parametrize("after", ["error", "reset", "silence"])
async def test_2_what_breaks_after_the_role_alone_is_silent_to_the_reader(after: str) -> None:
    error = b'data: {"error":{"message":"lost","type":"server_error"}}\n\n'
    faults: dict[str, bytes | Answer] = {
        "error": STREAM_HEAD + ROLE + error,
        "reset": then_reset(STREAM_HEAD + ROLE),
        "silence": then_silence(STREAM_HEAD + ROLE),
    }
    async with rig([faults[after]], timeout=0.5) as it:
        seen = await it.ask()
        assert (seen.text, seen.seams) == (WHOLE, [])
        assert seen.response is not None
        assert [(a.provider, a.outcome) for a in seen.response.attempts] == [("a", "failed"), ("b", "ok")]


async def test_3_one_that_refuses_the_rest_gives_the_whole_instead() -> None:
    no_prefill = refusal("400 Bad Request", "invalid_request_error", message="must end with a user turn")
    async with rig([then_reset(stream(WORDS[:40], b""))], [no_prefill, GOOD]) as it:
        seen = await it.ask()
        assert seen.error is None
        assert [seam.restarts for seam in seen.seams] == [True]
        assert seen.response is not None
        assert seen.response.content == WHOLE


@pytest.mark.alone
async def test_5_a_drip_that_never_ends_is_given_up_and_the_next_goes_on() -> None:
    async with rig([drip(0.03)], [stream(WORDS)]) as it:
        it.manager.routing = replace(it.manager.routing, slow_stream_s=0.4)
        calm = asyncio.create_task(it.ask())
        with pytest.raises(TimeoutError):  # 30 characters a second are slow, and no drip
            await asyncio.wait_for(calm, 1.2)
    async with rig([drip(0.9)], [stream(WORDS)], timeout=5) as it:
        it.manager.routing = replace(it.manager.routing, slow_stream_s=4.4)
        seen = await asyncio.wait_for(it.ask(), 9)
        assert seen.text.strip("x") == WHOLE
        assert len(seen.seams) == 1
        assert "too slow" in seen.seams[0].reason
        assert seen.response is not None
        assert seen.response.attempts[0].outcome == "interrupted"
        await asyncio.wait_for(it.a.hung_up.wait(), 1)


async def test_6_a_dead_primary_is_asked_a_handful_of_times_and_comes_back() -> None:
    clock = FakeClock()

    async def outage(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(DOWN if clock() < 60 else GOOD)
        await writer.drain()

    async with rig([outage], clock=clock) as it:
        for _ in range(60):
            assert (await it.ask()).text == WHOLE
        assert len(it.a.requests) <= 5
        clock.advance(5)
        before = len(it.a.requests)
        assert {seen.text for seen in await asyncio.gather(*(it.ask() for _ in range(60)))} == {WHOLE}
        assert len(it.a.requests) - before == 1
        clock.advance(70)
        seen = await it.ask()
        assert seen.response is not None
        assert seen.response.provider == "a"


async def test_7_a_lost_probe_never_wedges_the_breaker() -> None:
    clock = FakeClock()
    answers: list[bytes | Answer] = [DOWN] * 5 + [then_silence()] * 10 + [GOOD]
    async with rig(answers, clock=clock, timeout=0.2, breaker=BreakerSettings(5, 20)) as it:
        for _ in range(5):
            await it.ask()
        for window in range(10):
            clock.advance(20)
            if window % 2:
                assert (await it.ask()).text == WHOLE
                continue
            task = asyncio.create_task(it.ask())
            await until(partial(_asked, it, 6 + window))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        clock.advance(20)
        seen = await it.ask()
        assert seen.response is not None
        assert seen.response.provider == "a"


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("retry-after: 12", 12),
        ("retry-after: DATE", 28),
        ("retry-after-ms: 1500", 1.5),
        ("x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 6m0s", 360),
    ],
)
async def test_8_a_provider_that_asks_for_patience_is_left_alone_until_then(header: str, wait_s: float) -> None:
    clock = FakeClock()
    header = header.replace("DATE", format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    busy = refusal("429 Too Many Requests", "rate_limit_exceeded", header)
    async with rig([busy, GOOD], clock=clock) as it:
        for _ in range(4):
            assert (await it.ask()).text == WHOLE
        assert len(it.a.requests) == 1
        assert it.manager.breaker("a", "model-a").state == "closed"
        clock.advance(wait_s * 0.9)
        await it.ask()
        assert len(it.a.requests) == 1
        clock.advance(wait_s * 0.2 + 1)
        seen = await it.ask()
        assert seen.response is not None
        assert seen.response.provider == "a"


async def test_8_the_latest_deadline_counts() -> None:
    clock = FakeClock()
    first = refusal("429 Too Many Requests", "rate_limit_exceeded", "retry-after: 60")
    later = refusal("429 Too Many Requests", "rate_limit_exceeded", "retry-after: 1")

    async def two_at_once(server: RawServer, writer: asyncio.StreamWriter) -> None:
        mine = len(server.requests)
        await until(lambda: len(server.requests) >= 2)
        await asyncio.sleep(0.05 * mine)
        writer.write(first if mine == 1 else later)
        await writer.drain()

    async with rig([two_at_once, two_at_once, GOOD], clock=clock) as it:
        await asyncio.gather(it.ask(), it.ask())
        clock.advance(30)
        await it.ask()
        assert len(it.a.requests) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("401 Unauthorized", "invalid_api_key"),
        ("402 Payment Required", None),
        ("403 Forbidden", None),
        ("429 Too Many Requests", "insufficient_quota"),
    ],
)
async def test_9_a_key_that_is_refused_is_not_tried_again_and_says_why(status: str, code: str | None) -> None:
    async with rig([refusal(status, code)]) as it:
        for _ in range(5):
            seen = await it.ask()
            assert seen.text == WHOLE
        assert len(it.a.requests) == 1
        assert seen.response is not None
        skipped = seen.response.attempts[0]
        assert (skipped.provider, skipped.outcome) == ("a", "skipped")
        assert "key" in skipped.reason or "credit" in skipped.reason or "allow" in skipped.reason


async def test_9_the_only_provider_is_asked_again_even_after_a_refusal() -> None:
    async with rig([refusal("401 Unauthorized", "invalid_api_key"), GOOD]) as it:
        it.manager.remove_provider("b")
        assert (await it.ask()).error is not None
        assert (await it.ask()).text == WHOLE


@pytest.mark.parametrize("at_once", [1, 100])
async def test_10_connections_that_died_while_they_were_kept_are_no_failure_of_the_provider(at_once: int) -> None:
    """The server takes the second request on each and hangs up before any byte, as after a laptop's sleep."""
    async with dying_connections() as server, rig([GOOD]) as it:
        provider = it.manager.route(QUESTION)[0]
        provider.config = replace(provider.config, api_endpoint=server.url + "/v1")
        assert {s.text for s in await asyncio.gather(*(it.ask() for _ in range(at_once)))} == {WHOLE}
        assert {s.text for s in await asyncio.gather(*(it.ask() for _ in range(at_once)))} == {WHOLE}
        assert server.opened == at_once  # they are kept
        server.dies = True
        answers = await asyncio.gather(*(it.ask() for _ in range(at_once)))
        assert {s.text for s in answers} == {WHOLE}
        assert {len(s.response.attempts) for s in answers if s.response is not None} == {1}
        assert it.b.requests == []
        assert it.manager.health["a"].success_rate == 1
        assert server.opened <= 2 * at_once


@pytest.mark.parametrize(
    "answer",
    [
        reply("200 OK", "text/html", b"<html>Sign in</html>"),
        reply("200 OK", "application/json", b'{"choices": []}'),
        reply("502 Bad Gateway", "text/html", b"<html>nginx</html>"),
    ],
    ids=["portal", "no choices", "bad gateway"],
)
async def test_11_what_is_no_answer_goes_on_to_the_next(answer: bytes) -> None:
    async with rig([answer]) as it:
        assert (await it.ask()).text == WHOLE


async def test_12_odd_framing_one_byte_at_a_time() -> None:
    lines = [": comment", "event: message", *(f"data:{json.dumps(_delta(w), ensure_ascii=False)}" for w in "Grüße 🎉!")]
    text = (
        "\r\n\r\n".join(lines)
        + '\r\n\r\ndata: {"choices": [{"index": 0, "delta": {},\r\ndata: "finish_reason": "stop"}]}'
    )

    async def bytewise(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for byte in (text + "\r\n\r\n").encode():
            writer.write(bytes([byte]))
            await writer.drain()

    async with rig([bytewise]) as it:
        seen = await it.ask()
        assert seen.text == "Grüße 🎉!"
        assert seen.response is not None
        assert seen.response.provider == "a"


def _delta(word: str) -> object:
    return {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal("400 Bad Request", "invalid_value", message="messages: bad"), RequestRejected),
        (refusal("400 Bad Request", "context_length_exceeded"), ContextTooLong),
        (refusal("400 Bad Request", "content_filter"), ContentBlocked),
        (refusal("413 Payload Too Large"), ContextTooLong),
    ],
)
async def test_13_the_callers_own_mistake_is_shown_and_nobody_else_is_asked(answer: bytes, kind: type) -> None:
    async with rig([answer], context_tokens=1000) as it:
        seen = await it.ask()
        assert isinstance(seen.error, kind)
        assert (len(it.a.requests), len(it.b.requests)) == (1, 0)


@pytest.mark.alone
async def test_14_a_stopped_stream_closes_its_socket_at_once_and_is_booked() -> None:
    async with rig([then_silence(stream(WORDS[:9], USAGE))], timeout=30) as it:
        task = asyncio.create_task(it.ask())
        await it.a.asked.wait()
        await asyncio.sleep(0.1)
        started = time.monotonic()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(it.a.hung_up.wait(), 2)
        assert time.monotonic() - started < 0.3
        await asyncio.sleep(0.05)
        assert len(it.a.requests) == 1
        assert it.b.requests == []
        assert [row.outcome for row in await it.manager.ledger.rows()] == ["cancelled"]


def test_the_question_is_one_turn() -> None:
    assert len(QUESTION.messages) == 1
    assert END.startswith(b"data: ")
