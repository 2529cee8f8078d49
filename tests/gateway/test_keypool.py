"""Several keys of one provider, against real sockets: which is asked, which rests, and what the person is told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.fakes import START, FakeClock
from tests.gateway.faults import GOOD, QUESTION, WHOLE, WORDS, Outcome, Rig, refusal, rig, stream
from tests.providers.rawserver import STREAM_HEAD, RawServer, chunk
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import RoutingSettings
from vpa_desktop.gateway.keypool import Build, KeyPool, PoolKey
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.gateway.memory import facts_of, resume
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession

REFUSED = refusal("401 Unauthorized", "invalid_api_key")
BUSY = refusal("429 Too Many Requests", "rate_limit_exceeded", "retry-after: 30")


def pool_key(n: int, retires_at: datetime | None = None, secret: str = "") -> PoolKey:
    """The n-th key, which ends in its number."""
    secret = secret or f"sk-test-of-a-pool-{n:04}"
    return PoolKey(str(n), secret, f"…{secret[-4:]}", retires_at)


@dataclass
class Vendor:
    """A server on loopback that answers by key; ``calls`` are the numbers of the keys, as they came."""

    answers: dict[str, list[bytes]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    holds: set[str] = field(default_factory=set)

    async def __call__(self, server: RawServer, writer: asyncio.StreamWriter) -> None:
        key = next(line[-4:] for line in server.requests[-1].lower().split("\r\n") if line.startswith("authorization:"))
        self.calls.append(key)
        self.times.append(time.monotonic())
        script = self.answers.get(key, [])
        answer = script.pop(0) if len(script) > 1 else (script[0] if script else GOOD)
        if key in self.holds:
            writer.write(STREAM_HEAD + chunk(WORDS[0]))
            await writer.drain()
            await asyncio.wait_for(self.gate.wait(), 10)
            answer = stream(WORDS[1:]).removeprefix(STREAM_HEAD)
        writer.write(answer)
        await writer.drain()


@dataclass
class PoolRig:
    """A manager with a pool ``a`` over a vendor, and a provider ``b`` behind it where that is wanted."""

    it: Rig
    vendor: Vendor
    pool: KeyPool
    clock: FakeClock

    @property
    def calls(self) -> list[str]:
        return self.vendor.calls

    async def ask(self) -> Outcome:
        return await self.it.ask()


@asynccontextmanager
async def pooled(
    keys: Sequence[PoolKey], answers: dict[str, list[bytes]], *, has_backup: bool = True, retries: int = 2
) -> AsyncIterator[PoolRig]:
    clock, vendor = FakeClock(), Vendor(answers)
    async with rig([vendor] * 200, clock=clock, retries=retries) as it, session() as build:
        old = it.manager.get_provider("a")
        assert old is not None
        pool = KeyPool(old.config, keys, build, cooldowns=it.manager.cooldowns, now=clock.now)
        it.manager.register_provider("a", pool)
        if not has_backup:
            it.manager.remove_provider("b")
        yield PoolRig(it, vendor, pool, clock)


@asynccontextmanager
async def session() -> AsyncIterator[Build]:
    http = HttpSession()
    try:
        yield lambda config: build_provider(config, http)
    finally:
        await http.aclose()


FIVE = [pool_key(n) for n in range(1, 6)]
FOUR_BAD = {
    "0001": [REFUSED],
    "0002": [refusal("402 Payment Required")],
    "0003": [refusal("403 Forbidden")],
    "0004": [refusal("429 Too Many Requests", "insufficient_quota")],
}


async def test_9_the_fifth_key_answers_in_one_call_and_the_four_others_rest_with_their_reasons() -> None:
    async with pooled(FIVE, dict(FOUR_BAD)) as it:
        seen = await it.ask()
        assert it.vendor.times[-1] - it.vendor.times[0] < 0.4, "a change of key is no reason to wait"
        assert seen.text == WHOLE
        assert it.calls == ["0001", "0002", "0003", "0004", "0005"]
        assert it.it.b.requests == []
        states = it.pool.states()
        assert [states[str(n)].standing for n in range(1, 6)] == ["refused"] * 4 + ["in use"]
        assert [word in states[str(n)].reason for n, word in ((1, "refused"), (2, "credit"), (3, "allowed"))] == [
            True
        ] * 3
        assert "credit" in states["4"].reason
        for _ in range(3):
            assert (await it.ask()).text == WHOLE
        assert it.calls[5:] == ["0005"] * 3
        assert it.it.manager.breaker("a", "model-a").state == "closed"


async def test_the_receipt_names_each_key_that_was_passed_over_and_the_row_the_one_that_answered() -> None:
    async with pooled(FIVE, dict(FOUR_BAD)) as it:
        seen = await it.ask()
        assert seen.response is not None
        lines = seen.response.attempts
        assert [(a.provider, a.outcome) for a in lines] == [("a", "skipped")] * 4 + [("a", "ok")]
        assert lines[1].reason.startswith("key 2 (…0002) has no credit left")
        assert lines[0].reason.startswith("key 1 (…0001) was refused: it answered 401")
        rows = await it.it.manager.ledger.rows()
        assert [(row.outcome, row.key_label) for row in rows] == [("ok", "…0005")]
        assert not any("sk-test" in str(fact) for fact in (*lines, *rows))


async def test_a_rotation_is_not_capped_by_max_retries() -> None:
    keys = [pool_key(n) for n in range(1, 13)]
    answers = {key.secret[-4:]: [REFUSED] for key in keys[:-1]}
    async with pooled(keys, answers, retries=0, has_backup=False) as it:
        assert (await it.ask()).text == WHOLE
        assert len(it.calls) == 12


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("retry-after: 12", 12),
        ("retry-after: DATE", 28),
        ("retry-after-ms: 1500", 1.5),
        ("x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 6m0s", 360),
    ],
)
async def test_8_a_key_at_its_limit_rests_until_then_and_the_others_go_on_at_once(header: str, wait_s: float) -> None:
    header = header.replace("DATE", format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    busy = refusal("429 Too Many Requests", "rate_limit_exceeded", header)
    async with pooled(FIVE[:3], {"0001": [busy, GOOD]}) as it:
        for _ in range(6):
            assert (await it.ask()).text == WHOLE
        assert it.calls.count("0001") == 1
        assert it.pool.states()["1"].standing == "waiting"
        assert it.it.manager.breaker("a", "model-a").state == "closed"
        assert it.it.manager.cooldowns.left_s("a", "model-a") == 0
        it.clock.advance(wait_s * 0.9)
        await it.ask()
        assert it.calls.count("0001") == 1
        it.clock.advance(wait_s * 0.2 + 1)
        for _ in range(3):
            await it.ask()
        assert it.calls.count("0001") == 2
        assert it.pool.states()["1"].standing == "in use"
        assert it.it.b.requests == []


async def test_8_the_latest_of_two_deadlines_counts_for_a_key() -> None:
    both = asyncio.Event()
    answers = [refusal("429 Too Many Requests", "rate_limit_exceeded", f"retry-after: {s}") for s in (60, 1)]

    async def two_at_once(server: RawServer, writer: asyncio.StreamWriter) -> None:
        mine = len(server.requests)
        if mine == 2:
            both.set()
        await asyncio.wait_for(both.wait(), 2)
        await asyncio.sleep(0.05 * mine)
        writer.write(answers[mine - 1])
        await writer.drain()

    clock = FakeClock()
    async with rig([two_at_once, two_at_once, GOOD], clock=clock) as it, session() as build:
        old = it.manager.get_provider("a")
        assert old is not None
        keys = [pool_key(1), pool_key(2, retires_at=START)]  # the second one's time is over: only the first is asked
        it.manager.register_provider(
            "a", KeyPool(old.config, keys, build, now=clock.now, cooldowns=it.manager.cooldowns)
        )
        await asyncio.gather(it.ask(), it.ask())
        clock.advance(30)
        assert (await it.ask()).text == WHOLE
        assert len(it.a.requests) == 2


async def test_requests_are_spread_over_the_keys() -> None:
    async with pooled(FIVE[:3], {}) as it:
        for _ in range(6):
            await it.ask()
        assert sorted(it.calls) == ["0001", "0001", "0002", "0002", "0003", "0003"]
        assert len(set(it.calls[:3])) == 3


async def test_the_key_with_the_fewest_requests_is_asked() -> None:
    async with pooled(FIVE[:2], {}) as it:
        it.vendor.holds = {"0001"}
        slow = asyncio.create_task(it.ask())
        await _until(lambda: it.calls == ["0001"])
        for _ in range(3):
            assert (await it.ask()).text == WHOLE
        assert it.calls == ["0001", "0002", "0002", "0002"]
        it.vendor.gate.set()
        assert (await slow).text == WHOLE


async def test_when_every_key_is_refused_the_next_provider_answers_and_alone_it_is_said() -> None:
    answers = {f"000{n}": [REFUSED] for n in (1, 2, 3)}
    async with pooled(FIVE[:3], answers) as it:
        seen = await it.ask()
        assert seen.text == WHOLE
        assert seen.response is not None
        assert seen.response.provider == "b"
        for _ in range(4):
            await it.ask()
        assert len(it.calls) == 3
    async with pooled(FIVE[:3], answers, has_backup=False) as it:
        seen = await it.ask()
        assert seen.error is not None
        said = str(seen.error)
        assert said.startswith("a refused all of its 3 keys. Key 1 (…0001) was refused")
        assert "keys test a" in said
        assert "sk-test" not in said
        it.vendor.answers = {}  # mended at the vendor's: the person asks again and does not wait for a minute
        assert (await it.ask()).text == WHOLE


async def test_when_every_key_is_at_its_limit_none_is_asked_before_its_time() -> None:
    later = refusal("429 Too Many Requests", "rate_limit_exceeded", "retry-after: 90")
    sooner = refusal("429 Too Many Requests", "rate_limit_exceeded", "retry-after: 45")
    async with pooled(FIVE[:2], {"0001": [later, GOOD], "0002": [sooner, GOOD]}, has_backup=False) as it:
        seen = await it.ask()
        assert seen.error is not None
        assert "All 2 keys of a have reached their limits for now" in str(seen.error)
        assert "Try again in 45 s" in str(seen.error)
        assert (await it.ask()).error is not None
        assert len(it.calls) == 2
        it.clock.advance(46)
        assert (await it.ask()).text == WHOLE
        assert it.calls[2:] == ["0002"]


async def test_a_fault_of_the_service_is_not_the_keys() -> None:
    down = refusal("500 Internal Server Error")
    async with pooled(FIVE[:3], {key: [down] for key in ("0001", "0002", "0003")}) as it:
        seen = await it.ask()
        assert seen.response is not None
        assert seen.response.provider == "b"
        assert it.calls == ["0001"]
        assert {state.standing for state in it.pool.states().values()} == {"in use"}


async def test_what_breaks_after_the_first_word_is_not_begun_anew_with_another_key() -> None:
    async with pooled(FIVE[:2], {"0001": [stream(WORDS[:5], b"")]}) as it:
        seen = await it.ask()
        assert len(seen.seams) == 1
        assert seen.response is not None
        assert seen.response.provider == "b"


async def test_a_dead_key_waits_twice_as_long_each_time_and_gets_one_request_when_it_is_back() -> None:
    async with pooled(FIVE[:2], {"0001": [REFUSED]}) as it:
        await it.ask()
        for minutes in (1, 2):
            it.clock.advance(60 * minutes - 1)
            await it.ask()
            assert it.calls.count("0001") == minutes
            it.clock.advance(2)
            assert {seen.text for seen in await asyncio.gather(*(it.ask() for _ in range(10)))} == {WHOLE}
            assert it.calls.count("0001") == minutes + 1


async def test_many_requests_refused_at_once_count_once() -> None:
    async with pooled(FIVE[:2], {"0001": [REFUSED]}) as it:
        await asyncio.gather(*(it.ask() for _ in range(20)))
        it.clock.advance(61)
        assert it.pool.states()["1"].standing == "in use"


async def test_a_key_added_while_requests_run_is_used_and_what_is_known_of_the_others_stays() -> None:
    async with pooled(FIVE[:2], {"0001": [REFUSED], "0002": [BUSY]}, has_backup=False, retries=0) as it:
        assert (await it.ask()).error is not None
        it.pool.use(FIVE[:3])
        assert (await it.ask()).text == WHOLE
        assert it.calls == ["0001", "0002", "0003"]


async def test_a_key_removed_with_an_answer_under_way_lets_it_finish() -> None:
    async with pooled(FIVE[:2], {}) as it:
        it.vendor.holds = {"0001"}
        slow = asyncio.create_task(it.ask())
        await _until(lambda: it.calls == ["0001"])
        it.pool.use(FIVE[1:2])
        for _ in range(3):
            await it.ask()
        it.vendor.gate.set()
        seen = await slow
        assert (seen.text, seen.seams) == (WHOLE, [])
        assert it.calls == ["0001", "0002", "0002", "0002"]


async def test_a_replaced_key_is_asked_at_once_though_the_old_one_was_refused() -> None:
    async with pooled(FIVE[:2], {"0001": [REFUSED]}) as it:
        await it.ask()
        it.pool.use([pool_key(1, secret="sk-test-of-a-pool-0009"), FIVE[1]])
        await it.ask()
        await it.ask()
        assert "0009" in it.calls


async def test_a_provider_that_was_changed_asks_its_keys_anew_and_says_how_they_stand() -> None:
    busy = {"0001": [BUSY, GOOD], "0002": [BUSY, GOOD]}
    async with pooled([pool_key(1), pool_key(2)], busy, has_backup=False, retries=0) as pool, session() as build:
        assert (await pool.ask()).error is not None
        config = replace(pool.pool.config, temperature=0.3)
        anew = KeyPool(config, pool.pool.keys, build, cooldowns=pool.it.manager.cooldowns, now=pool.clock.now)
        pool.it.manager.register_provider("a", anew)
        assert (await pool.ask()).text == WHOLE


async def test_a_key_that_was_tested_is_asked_at_once() -> None:
    async with pooled(FIVE[:2], {"0001": [REFUSED, GOOD]}) as it:
        await it.ask()
        it.pool.forgive("1")
        await it.ask()
        await it.ask()
        assert it.calls.count("0001") == 2


async def test_the_old_key_of_a_rotation_helps_out_until_its_time_is_over() -> None:
    keys = [pool_key(1), pool_key(2, retires_at=START + timedelta(minutes=10))]
    async with pooled(keys, {"0001": [GOOD, GOOD, REFUSED]}) as it:
        for _ in range(2):
            await it.ask()
        assert it.calls == ["0001", "0001"], "the old one is only asked where the new one is refused"
        assert (await it.ask()).text == WHOLE
        assert it.calls[2:] == ["0001", "0002"]
        it.clock.advance(601)
        seen = await it.ask()
        assert it.calls[4:] == ["0001"]
        assert seen.response is not None
        assert seen.response.provider == "b"


async def test_a_stopped_answer_is_booked_with_its_key_and_leaves_the_key_as_it_was() -> None:
    async with pooled(FIVE[:2], {}) as it:
        it.vendor.holds = {"0001"}
        task = asyncio.create_task(it.ask())
        await _until(lambda: it.calls == ["0001"])
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        rows = await it.it.manager.ledger.rows()
        assert [(row.outcome, row.key_label) for row in rows] == [("cancelled", "…0001")]
        assert {state.standing for state in it.pool.states().values()} == {"in use"}


async def test_the_list_of_models_is_asked_with_a_key_that_may() -> None:
    listed = b'{"data":[{"id":"m1"}]}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(listed),
        listed,
    )
    async with pooled(FIVE[:2], {"0001": [refusal("403 Forbidden")], "0002": [answer]}) as it:
        assert [model.id for model in await it.pool.list_models()] == ["m1"]
        await it.pool.connect()
        assert it.pool.states()["1"].standing == "in use", "a key may be allowed to answer and not to list"


async def test_keys_that_rest_go_on_resting_after_a_restart_and_a_new_one_does_not() -> None:
    async with pooled(FIVE[:3], {"0001": [REFUSED], "0002": [BUSY]}) as it:
        await it.ask()
        facts = json.loads(json.dumps(facts_of(it.it.manager, it.clock.now())["a", "model-a"]))
        assert "sk-test" not in str(facts)
    again = [FIVE[0], pool_key(2, secret="sk-test-of-a-pool-0022"), FIVE[2]]
    async with pooled(again, {"0001": [REFUSED]}) as it:
        resume(it.it.manager, {("a", "model-a"): {**facts, "endpoint": it.pool.config.endpoint}}, it.clock.now())
        assert [state.standing for state in it.pool.states().values()] == ["refused", "in use", "in use"]
        for _ in range(4):
            assert (await it.ask()).text == WHOLE
        assert sorted(it.calls) == ["0003", "0003", "0022", "0022"]
        it.clock.advance(61)
        await it.ask()
        assert it.calls[4:] == ["0001", "0022"] or it.calls[4:] == ["0001", "0003"]


@pytest.mark.parametrize(
    "kept", [None, 7, {"1": 7}, {"1": {"label": "…0001", "class": "?"}}, {"1": {"label": "…0001", "class": "auth"}}]
)
async def test_what_was_kept_and_is_odd_is_left_aside(kept: object) -> None:
    async with pooled(FIVE[:2], {}) as it:
        assert not it.pool.resume("model-a", kept, it.clock.now())


async def test_a_provider_with_one_key_is_its_own_attempt() -> None:
    made = LLMProviderManager(RoutingSettings())
    plain = build_provider(LLMProviderConfig("mock", provider_id="m"))
    made.register_provider("m", plain)
    assert plain.for_attempt(force=True) is plain
    assert (await made.generate(QUESTION)).provider == "m"
    await made.aclose()


async def _until(is_so: Callable[[], bool]) -> None:
    for _ in range(400):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")
