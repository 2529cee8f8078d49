"""The benchmark measures real parts, says how, and is honest about what it could not measure."""

from __future__ import annotations

import json

import pytest

from vpa_desktop.errors import VPAError
from vpa_desktop.system import System
from vpa_desktop.trials import router_cost
from vpa_desktop.trials.bench import PARTS, Done, Part, Report, run_bench
from vpa_desktop.trials.report import bench_document, bench_markdown, figure_line
from vpa_desktop.trials.stage import passages
from vpa_desktop.trials.values import Figure, share


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """As few rounds as show that it works."""
    for name, count in (("ROUNDS", 4), ("CROWD", 20), ("FAILOVERS", 3), ("HITS", 5), ("ACTIVE", 3)):
        monkeypatch.setattr(router_cost, name, count)


@pytest.mark.usefixtures("few")
async def test_the_router_is_measured_with_real_providers_and_servers() -> None:
    found = {figure.name: figure for figure in await router_cost.router_figures()}
    assert set(found) == {
        "router.overhead_p50",
        "router.overhead_cpu",
        "response_generation.requests_per_second",
        "provider_switching.failover_time",
        "provider_switching.failed_attempt",
        "caching.hit_p50",
        "memory.per_active_provider",
    }
    overhead = found.pop("router.overhead_p50")  # on a busy machine it may drown in the noise, and says so
    assert overhead.value is not None or overhead.note == "less than this machine's noise"
    assert all(figure.value is not None and figure.how for figure in found.values())
    assert "20 answered" in found["response_generation.requests_per_second"].how
    failover = found["provider_switching.failover_time"]
    assert failover.value is not None
    assert failover.value > 0  # a figure that could not be anything else measures nothing
    assert failover.is_met == (failover.value < 10)
    assert found["caching.hit_p50"].note == ""
    assert (found["memory.per_active_provider"].value or 0) > 0


async def whole(*parts: Part) -> tuple[list[Done], Report]:
    steps = [step async for step in run_bench(None, parts)]
    report = steps[-1]
    assert isinstance(report, Report)
    return [step for step in steps if isinstance(step, Done)], report


async def test_what_cannot_be_measured_is_said_and_the_rest_goes_on() -> None:
    async def fails(own: System | None) -> list[Figure]:
        raise VPAError("There is no model here", "It was not installed", "Install it")

    async def works(own: System | None) -> list[Figure]:
        return [Figure("x.y", 12.34, "ms", "counted | by hand", "under 10 ms", False)]

    done, report = await whole(Part("A", fails, ("a.b", "a.c")), Part("B", works, ("x.y",)))
    assert [part.title for part in done] == ["A", "B"]
    text = bench_markdown(report)
    assert "| a.b | not measured: There is no model here. It was not installed. Install it. |" in text
    assert "| x.y | 12.3 ms | under 10 ms, NOT met | counted \\| by hand |" in text
    document = json.loads(json.dumps(bench_document(report)))
    assert document["figures"][0]["value"] is None
    assert document["targets_met"] is False
    assert {"program", "python", "system", "processors", "busy_before"} <= set(document["machine"])
    assert any("stand-ins" in remark for remark in document["remarks"])


async def test_without_the_persons_data_their_figures_are_left_out() -> None:
    _, report = await whole(PARTS[-1])
    assert report.figures[0].value is None
    assert "could not be opened" in report.figures[0].note


def test_the_nearest_rank_is_a_value_that_was_measured() -> None:
    assert share([3.0, 1.0, 2.0], 0.5) == 2.0
    assert share([float(n) for n in range(1, 101)], 0.95) == 95.0
    assert share([7.0], 0.95) == 7.0


def test_a_line_names_the_figure_its_value_and_its_target() -> None:
    assert figure_line(Figure("a", 0.0, "%", "")) == "a: 0 %"
    assert figure_line(Figure("a", 0.1234, "ms", "", "under 1 ms", True)) == "a: 0.123 ms (under 1 ms, met)"
    assert figure_line(Figure("a", 1234.5, "ms", "")) == "a: 1234 ms"


def test_sample_texts_are_all_different_and_long_enough() -> None:
    texts = passages(200)
    assert len(set(texts)) == 200
    assert min(len(text.split()) for text in texts) >= 80
