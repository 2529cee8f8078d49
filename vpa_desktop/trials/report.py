"""The reports of trials as Markdown and as plain values. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vpa_desktop.trials.bench import Report
from vpa_desktop.trials.values import Figure, Step


def bench_markdown(report: Report) -> str:
    """Return the benchmark's report for people."""
    m = report.machine
    lines = [
        "# Benchmark of VPA Desktop",
        "",
        f"{m['program']}, Python {m['python']}, {m['system']}, {m['processors']} processors ({m['processor']}), "
        f"{m['memory_mb']} MB of memory, {m['busy_before']:.0%} busy before. Measured {m['measured_at']} in "
        f"{report.seconds:.0f} s. No key was used, nothing was spent, nothing but this machine was contacted.",
        "",
    ]
    for part in report.parts:
        lines += [f"## {part.title}", "", "| figure | value | target | how |", "|---|---:|---|---|"]
        lines += [_row(figure) for figure in part.figures] + [""]
    return "\n".join([*lines, *(f"- {remark}" for remark in report.remarks)]) + "\n"


def bench_document(report: Report) -> dict[str, Any]:
    """Return the benchmark's report as one document."""
    return {
        "report": "vpa_llm_provider_benchmark",
        "machine": report.machine,
        "figures": [asdict(figure) for figure in report.figures],
        "targets_met": all(figure.is_met is not False for figure in report.figures),
        "remarks": list(report.remarks),
        "seconds": round(report.seconds, 1),
    }


def selftest_markdown(steps: Sequence[Step], machine: dict[str, Any]) -> str:
    """Return the self-test's report for people."""
    head = f"{machine['program']}, Python {machine['python']}, {machine['system']}, {machine['measured_at']}. "
    rows = [f"| {step.name} | {step.outcome} | {_cell(step.detail)} | {step.ms:.0f} |" for step in steps]
    return "\n".join(
        ["# Self-test of VPA Desktop", "", head + summary(steps), "", "| part | outcome | what was seen | ms |",
         "|---|---|---|---:|", *rows]
    ) + "\n"  # fmt: skip


def selftest_document(steps: Sequence[Step], machine: dict[str, Any]) -> dict[str, Any]:
    """Return the self-test's report as one document."""
    counts = {name: sum(step.outcome == name for step in steps) for name in ("passed", "failed", "skipped")}
    document = {"report": "vpa_llm_integration_test", "machine": machine, "ok": not counts["failed"], **counts}
    return {**document, "steps": [asdict(step) for step in steps]}


def summary(steps: Sequence[Step]) -> str:
    """Return in one sentence how the self-test went."""
    passed, failed, skipped = (sum(s.outcome == name for s in steps) for name in ("passed", "failed", "skipped"))
    return f"{passed} passed, {failed} failed, {skipped} skipped."


def figure_line(figure: Figure) -> str:
    """Return a figure in one line for a terminal."""
    target = f" ({_target(figure)})" if figure.target else ""
    return f"{figure.name}: {_value(figure)}{target}" + (f"; {figure.note}" if figure.value is not None and figure.note
                                                        else "")  # fmt: skip


def _row(figure: Figure) -> str:
    how = "; ".join(part for part in (figure.how, figure.note) if part)
    return f"| {figure.name} | {_value(figure)} | {_target(figure)} | {_cell(how)} |"


def _target(figure: Figure) -> str:
    if not figure.target:
        return ""
    return figure.target + {True: ", met", False: ", NOT met", None: ""}[figure.is_met]


def _value(figure: Figure) -> str:
    if figure.value is None:
        return figure.note or "not measured"
    digits = 0 if figure.value == 0 or figure.value >= 100 else 3 if figure.value < 1 else 1
    return f"{figure.value:.{digits}f} {figure.unit}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
