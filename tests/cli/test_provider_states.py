"""What ``providers list`` says of each provider, for every state of its breaker."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes import FakeClock
from vpa_desktop.cli.providers import state_in_words
from vpa_desktop.gateway.breaker import CircuitBreaker
from vpa_desktop.records import ProviderStatus


def test_each_state_of_a_breaker_has_its_word() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(1, clock=clock)

    status = ProviderStatus(
        "a", "mock", "Mock", "m", "", enabled=True, is_local=False, is_default=True, needs_key=False, key_source=""
    )

    def said() -> str:
        return state_in_words(replace(status, breaker=breaker.state))

    assert said() == "ready"
    breaker.failure("down")
    assert said() == "failing"
    clock.advance(5)
    assert said() == "on trial"
