"""The breaker leaves a dead provider alone, comes back with one probe, and is never wedged by a lost one."""

from __future__ import annotations

from tests.fakes import FakeClock
from vpa_desktop.gateway.breaker import BESIDE_A_PROBE, FIRST_WAIT_S, PROBE_DEADLINE_S, CircuitBreaker


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
    for _ in range(13):
        waits.append(breaker.opens_in_s)
        clock.advance(breaker.opens_in_s)
        assert breaker.acquire()
        breaker.failure()
    assert waits[:4] == [5, 7.5, 11.25, 16.875]
    assert waits[-1] == 300


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
