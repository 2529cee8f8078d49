"""``drill``: one provider of the chain fails on purpose, and the command tells what the others do."""

from __future__ import annotations

import argparse
from contextlib import aclosing
from dataclasses import fields
from typing import Any

from vpa_desktop.cli.output import Output, to_plain
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.drills import FAULT_WORDS, FAULTS, DrillFault, DrillReport, DrillStep
from vpa_desktop.system import System

NOBODY_ANSWERED = 4
NOT_AS_IT_SHOULD = 1


async def drill(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Run one fault, or all of them one after another; nothing is spent and no key is used."""
    faults: tuple[DrillFault, ...] = (options.fault,) if options.fault else FAULTS
    reports = []
    async with opened(paths, out) as system:
        for fault in faults:
            reports.append(await _one(system, fault, options.id or "", out))
    documents = [report_document(report) for report in reports]
    everything = {"passed": all(r.passed for r in reports), "drills": documents}
    out.document(documents[0] if options.fault else everything)
    if any(not report.answered_by for report in reports):
        return NOBODY_ANSWERED
    return 0 if everything["passed"] else NOT_AS_IT_SHOULD


async def _one(system: System, fault: DrillFault, provider_id: str, out: Output) -> DrillReport:
    """One drill, told as it goes."""
    report: DrillReport | None = None
    is_first = True
    async with aclosing(system.drills.run(fault, provider_id)) as events:
        async for event in events:
            if is_first:  # not before: there may be no such provider
                out.line(f"Drill: {FAULT_WORDS[fault]}")
                is_first = False
            if isinstance(event, DrillReport):
                report = event
            else:
                out.line(f"  {_line(event)}")
    assert report is not None  # the last event of every drill
    out.line(f"  {'PASSED' if report.passed else 'FAILED'}: {report.summary}\n")
    return report


def _line(step: DrillStep) -> str:
    """A step with the states of the breakers, where one of them is not closed."""
    open_ones = [
        f"{place.provider} {place.breaker.replace('_', '-')}" for place in step.chain if place.breaker != "closed"
    ]
    return f"{step.text}  [{', '.join(open_ones)}]" if open_ones and step.kind == "request" else step.text


def report_document(report: DrillReport) -> dict[str, Any]:
    """Return the document ``drill --json`` prints."""
    document: dict[str, Any] = {f.name: to_plain(getattr(report, f.name)) for f in fields(report)}
    for step in document["steps"]:
        del step["chain"]
    return document
