"""The breaker leaves a dead provider alone, comes back with one probe, and is never wedged by a lost one."""

from __future__ import annotations

from tests.fakes import FakeClock
from vpa_desktop.gateway.breaker import (
    BESIDE_A_PROBE,
    FIRST_WAIT_S,
    PROBE_DEADLINE_S,
    RATE_WINDOW_S,
    CircuitBreaker,
)


def opened(clock: FakeClock, threshold: int = 3) -> CircuitBreaker:
    breaker = CircuitBreaker(threshold, 300, clock=clock)
    for _ in range(threshold):
        assert breaker.acquire()
        breaker.failure()
    return breaker


def test_it_opens_after_the_threshold_and_not_before() -> None:
    breaker = CircuitBreaker(3, 300, clock=FakeClock())
    breaker.failure()
    breaker.failure()
    assert breaker.acquire()
    breaker.failure()
    assert breaker.state == "open"
    assert not breaker.acquire()


def test_a_success_in_between_wipes_the_record() -> None:
    breaker = CircuitBreaker(2, 300, clock=FakeClock())
    breaker.failure()
    breaker.success()
    breaker.failure()
    assert breaker.state == "closed"


def test_exactly_one_probe_goes_out_and_a_good_one_closes_it() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(FIRST_WAIT_S)
    assert [breaker.acquire() for _ in range(60)].count(True) == 1
    breaker.success()
    assert breaker.state == "closed"
    assert breaker.acquire()


def test_failed_probes_lengthen_the_wait_up_to_the_ceiling() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    waits = []
    for _ in range(60):
        waits.append(round(breaker.opens_in_s, 6))
        clock.advance(breaker.opens_in_s)
        assert breaker.acquire()
        breaker.failure()
    assert waits[0] == FIRST_WAIT_S
    assert waits == sorted(waits)
    assert waits[-1] == 300


def test_after_a_minute_of_outage_it_is_tried_again_within_ten_seconds() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    down_s = 0.0
    while down_s < 60:
        down_s += breaker.opens_in_s
        clock.advance(breaker.opens_in_s)
        assert breaker.acquire()
        breaker.failure()
    assert breaker.opens_in_s <= 10


def test_it_opens_where_half_of_the_last_requests_failed_though_never_in_a_row() -> None:
    breaker = CircuitBreaker(5, 300, clock=FakeClock())
    for _ in range(4):
        breaker.failure()
        breaker.success()
    assert breaker.state == "closed"
    breaker.failure()
    breaker.success()
    breaker.failure()
    assert not breaker.acquire()


def test_failures_of_a_while_ago_do_not_count_for_the_share() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(5, 300, clock=clock)
    for _ in range(30):
        breaker.failure()
        breaker.success()
        clock.advance(RATE_WINDOW_S / 4)
    assert breaker.state == "closed"


def test_a_look_that_finds_it_well_ends_the_wait_and_one_that_does_not_begins_it_anew() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    breaker.found_well()
    assert [breaker.acquire() for _ in range(10)].count(True) == 1
    breaker.failure()
    clock.advance(FIRST_WAIT_S - 1)
    breaker.found_down()
    clock.advance(1)
    assert not breaker.acquire()


def test_changes_are_told_with_their_reason() -> None:
    told: list[tuple[str, str]] = []
    clock = FakeClock()
    breaker = CircuitBreaker(2, 300, clock=clock, changed=lambda state, reason: told.append((state, reason)))
    breaker.failure("HTTP 500")
    breaker.failure("HTTP 503")
    clock.advance(FIRST_WAIT_S)
    breaker.acquire()
    breaker.success()
    assert told == [("open", "HTTP 503"), ("closed", "it answered again")]


def test_a_lost_probe_counts_as_failed_and_the_next_one_goes_out() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(FIRST_WAIT_S)
    assert breaker.acquire()
    clock.advance(PROBE_DEADLINE_S)
    assert not breaker.acquire()
    clock.advance(breaker.opens_in_s)
    assert breaker.acquire()


def test_the_only_one_left_is_asked_before_the_wait_is_over_and_a_failure_lengthens_it() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    assert not breaker.acquire()
    assert breaker.acquire(force=True)
    clock.advance(1)
    breaker.failure()
    assert breaker.opens_in_s == FIRST_WAIT_S * 1.5


def test_some_go_out_beside_a_probe_where_there_is_nobody_else_but_not_a_crowd() -> None:
    breaker = opened(FakeClock())
    assert [breaker.acquire(force=True) for _ in range(60)].count(True) == 1 + BESIDE_A_PROBE
    assert not breaker.acquire()


def test_a_cancelled_probe_frees_its_place() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(FIRST_WAIT_S)
    assert breaker.acquire()
    breaker.release()
    assert breaker.acquire()
