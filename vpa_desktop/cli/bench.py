"""``bench``: measures the program on this machine and writes the report."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vpa_desktop.cli.output import Output
from vpa_desktop.cli.report_file import report_file
from vpa_desktop.cli.session import opened
from vpa_desktop.config import Paths
from vpa_desktop.errors import VPAError
from vpa_desktop.system import System
from vpa_desktop.trials.bench import Done, Report, run_bench
from vpa_desktop.trials.report import bench_document, bench_markdown, figure_line
from vpa_desktop.trials.stage import ENVIRON


async def bench(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Measure everything, print it as it comes, and write the report where one is wanted."""
    if options.paint_once:
        return _paint_once(paths, out)
    report: Report | None = None
    out.line("Measuring takes about a minute or two. No key is used, nothing is spent.")
    async with _own(paths, out) as own:
        with report_file(options.output, overwrite=options.force) as write:
            async for step in run_bench(own):
                if isinstance(step, Done):
                    _tell(step, out)
                else:
                    report = step
            assert report is not None  # the last of what comes
            write(bench_markdown(report), bench_document(report))
    for remark in report.remarks:
        out.line(remark)
    if options.output is not None:
        out.line(f"The report is {options.output}")
    out.document(bench_document(report))
    return 0


def _tell(done: Done, out: Output) -> None:
    out.line(f"{done.title} ({done.seconds:.0f} s)")
    for figure in done.figures:
        out.line(f"  {figure_line(figure)}")


@asynccontextmanager
async def _own(paths: Paths, out: Output) -> AsyncIterator[System | None]:
    """The person's data without their keys; where it cannot be opened that is said, and the rest is measured."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            own: System | None = await stack.enter_async_context(opened(paths, out, ENVIRON))
        except VPAError as exc:
            out.note(f"warning: {exc}")
            own = None
        yield own


def _paint_once(paths: Paths, out: Output) -> int:
    from vpa_desktop.app import paint_once

    out.document(paint_once(paths, os.environ))
    sys.stdout.flush()
    return 0
