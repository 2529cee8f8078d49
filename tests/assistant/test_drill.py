"""The fire drill: the chain really acts, in every dialect, and the person's own gateway never hears of it."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from vpa_desktop.assistant.drill import Chain, run_drill
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.config import BreakerSettings, RoutingSettings, find_paths
from vpa_desktop.drills import FAULTS, DrillFault, DrillReport, DrillStep
from vpa_desktop.errors import UsageError
from vpa_desktop.system import build_system

SILENCE_S = 0.4


def config(kind: str, provider_id: str = "", **facts: object) -> LLMProviderConfig:
    return LLMProviderConfig(kind, "a-model", provider_id=provider_id or f"my_{kind}", **facts)  # type: ignore[arg-type]


async def drilled(
    *configs: LLMProviderConfig,
    fault: DrillFault = "500",
    failing: str = "",
    routing: RoutingSettings | None = None,
) -> tuple[list[DrillStep], DrillReport]:
    steps: list[DrillStep] = []
    drill = run_drill(Chain.of(configs), routing or RoutingSettings(), fault, failing, first_token_s=SILENCE_S)
    async with aclosing(drill) as events:
        async for event in events:
            if isinstance(event, DrillReport):
                return steps, event
            steps.append(event)
    raise AssertionError("a drill ends with its report")


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_chain_holds_whatever_the_first_one_does(fault: DrillFault) -> None:
    steps, report = await drilled(
        config("openai", "a"), config("anthropic", "b"), config("llama_cpp", "c"), fault=fault
    )
    assert report.passed, report
    assert (report.provider, report.answered_by, report.recovered_by) == ("a", "b", "a")
    assert [(a.provider, a.outcome) for a in report.attempts] == [
        ("a", "interrupted" if fault == "cut" else "failed"),
        ("b", "ok"),
    ]
    assert report.breaker["a"] == ("closed" if fault == "429" else "open")
    said = [step.text for step in steps]
    assert any(text.startswith("a failed after ") for text in said)
    assert any("Request 6: a is left out" in text for text in said)
    assert said[-1].startswith("Request 7 tries a: answered whole")
    answered = next(step for step in steps if step.kind == "answered")
    assert [(place.provider, place.state) for place in answered.chain] == [
        ("a", "failed"),
        ("b", "answered"),
        ("c", ""),
    ]


@pytest.mark.parametrize(
    "kind",
    ["openai", "azure", "anthropic", "google", "ollama", "openai_compatible", "llama_cpp", "transformers", "mock"],
)
@pytest.mark.parametrize("failing", ["first", "second"])
async def test_every_kind_breaks_off_and_goes_on_in_its_own_dialect(kind: str, failing: str) -> None:
    own, other = config(kind, "first"), config("openai_compatible", "second")
    _, report = await drilled(own, other, fault="cut", failing=failing)
    assert report.passed, report
    assert (report.provider, report.answered_by) == (failing, "second" if failing == "first" else "first")


async def test_a_pause_that_was_asked_for_is_kept_and_the_breaker_stays_closed() -> None:
    steps, report = await drilled(config("openai", "a"), config("openai", "b"), fault="429")
    assert report.passed
    texts = [step.text for step in steps]
    assert any("It asked for 2 s of patience" in text for text in texts)
    assert "Request 2: a is left out (it takes no more requests for now; asked again in 2 s)" in next(
        text for text in texts if text.startswith("Request 2")
    )


async def test_the_breaker_of_the_settings_is_the_one_that_is_drilled() -> None:
    routing = RoutingSettings(circuit_breaker=BreakerSettings(failure_threshold=2))
    steps, report = await drilled(config("openai", "a"), config("openai", "b"), routing=routing)
    assert report.passed
    opened = next(step for step in steps if step.kind == "breaker" and "is open" in step.text)
    assert opened.request == 2
    assert next(place for place in opened.chain if place.provider == "a").breaker == "open"


async def test_without_failover_nobody_answers_and_the_drill_says_why() -> None:
    configs = (config("openai", "a", max_retries=0), config("openai", "b"))
    off = RoutingSettings(fallback_enabled=False)
    steps, report = await drilled(*configs, fault="refuse", routing=off)
    assert (report.passed, report.answered_by) == (False, "")
    assert "Failover is switched off" in report.summary
    assert [(a.provider, a.outcome) for a in report.attempts] == [("a", "failed")]
    assert any(step.kind == "lost" for step in steps)
    _, report = await drilled(*configs, routing=replace(off, fallback_enabled=True, strategy="fixed"))
    assert 'The strategy is "fixed"' in report.summary


async def test_who_has_one_provider_gets_a_stand_in_and_is_told() -> None:
    steps, report = await drilled(config("openai", "only"), config("openai", "off", enabled=False))
    assert (report.passed, report.answered_by, report.stand_ins) == (True, "stand_in", ("stand_in",))
    assert "fewer than two providers" in steps[0].text
    assert [place.is_added for place in steps[0].chain] == [False, True]
    _, report = await drilled()
    assert (report.provider, report.answered_by) == ("stand_in", "stand_in_2")


async def test_an_order_that_is_drawn_is_replaced_by_the_chains_and_said() -> None:
    steps, report = await drilled(
        config("openai", "a"),
        config("openai", "b"),
        failing="b",
        fault="timeout",
        routing=RoutingSettings(strategy="cheapest", hedge_first_token=True),
    )
    assert (report.passed, report.provider, report.answered_by) == (True, "b", "a")
    assert any("b is asked first in this drill" in step.text for step in steps)
    assert any("Your strategy is cheapest" in step.text for step in steps)
    assert any("ask a second provider beside a slow one" in step.text for step in steps)


async def test_one_that_is_not_in_the_chain_is_an_error_that_names_the_others() -> None:
    with pytest.raises(UsageError, match="There is no provider z in the chain"):
        await drilled(config("openai", "a"), failing="z")


async def test_the_persons_own_gateway_never_hears_of_a_drill(tmp_path: Path) -> None:
    paths = find_paths(tmp_path)
    paths.make()
    paths.settings_file.write_text(
        '[providers.a]\nkind = "openai"\nmodel = "gpt-6-luna"\n[providers.b]\nkind = "mock"\n'
        "[routing.circuit_breaker]\nfailure_threshold = 1\n"
    )
    system = await build_system(paths, environ={"VPA_VAULT": "memory"})
    try:
        assert [place.provider for place in await system.drills.chain()] == ["a", "b", "local"]
        report: DrillReport | None = None
        async for event in system.drills.run("500"):
            if isinstance(event, DrillReport):
                report = event
            elif event.kind == "note":
                assert event.text.startswith("Without a key: a.")
        assert report is not None
        assert report.passed
        assert report.breaker["a"] == "open"
        assert await system.manager.ledger.rows() == []
        assert [f.requests for f in await system.health.figures()] == [0, 0]
        assert system.manager.breaker("a", "gpt-6-luna").state == "closed"
    finally:
        await system.aclose()
