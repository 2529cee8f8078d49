"""``doctor``: looks for the common faults and says the fix for each."""

from __future__ import annotations

import argparse
from typing import Final

from vpa_desktop import __version__
from vpa_desktop.cli.checks import (
    Check,
    Finding,
    check_database,
    check_documents,
    check_folders,
    check_keys,
    check_local_model,
    check_policy,
    check_python,
    check_settings,
    check_window,
)
from vpa_desktop.cli.checks_around import check_outside, check_rights, check_room
from vpa_desktop.cli.output import Output
from vpa_desktop.config import Paths

CHECKS: Final[tuple[Check, ...]] = (
    check_python,
    check_settings,
    check_policy,
    check_rights,
    check_folders,
    check_room,
    check_database,
    check_keys,
    check_local_model,
    check_documents,
    check_window,
    check_outside,
)
"""In this order: rights are looked at before the folders are made and mended."""


async def doctor(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print every finding as it is found; exit code 1 when something that is needed is not right."""
    findings: list[Finding] = []
    for check in CHECKS:
        for finding in await check(paths):
            findings.append(finding)
            _tell(finding, out)
    healthy = all(f.ok or not f.needed for f in findings)
    out.document({"version": __version__, "ok": healthy, "findings": findings})
    return 0 if healthy else 1


def _tell(finding: Finding, out: Output) -> None:
    mark = "ok  " if finding.ok else ("FAIL" if finding.needed else "note")
    out.line(f"{mark} {finding.check}: {finding.detail}")
    if not finding.ok and finding.fix:
        out.line(f"     {finding.fix}")
