"""What a start costs: the command line, one whole question, and the window until it is painted. In new processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vpa_desktop.errors import VPAError
from vpa_desktop.trials.stage import ENVIRON, stage
from vpa_desktop.trials.values import Figure, share

ROUNDS: Final = 5
LONGEST_S: Final = 60.0
PAINT_OPTION: Final = "--paint-once"
"""Hidden option of ``bench``: shows the window until its first paint, and prints when that was."""


def program() -> list[str]:
    """Return the command that starts this program, in a source tree, a wheel or a frozen one."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, "-P", "-m", "vpa_desktop"]


@dataclass(frozen=True, slots=True)
class Started:
    """One process from its start to its end: milliseconds passed, milliseconds of the processor, what it printed."""

    ms: float
    cpu_ms: float | None
    out: str


def start(arguments: Sequence[str], environ: Mapping[str, str]) -> Started:
    """Run the program once; raises VPAError where it fails."""
    before, started = _cpu_of_children(), time.perf_counter()
    done = subprocess.run(
        [*program(), *arguments], env={**os.environ, **environ}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=LONGEST_S, check=False,
    )  # fmt: skip
    ms = (time.perf_counter() - started) * 1000
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise VPAError("The program could not be started for a measurement", last)
    after = _cpu_of_children()
    return Started(ms, (after - before) * 1000 if os.name == "posix" else None, done.stdout)


def start_figures() -> list[Figure]:
    """Start the command line and ask once, in a data folder of their own."""
    with stage() as place:
        environ = {**ENVIRON, "VPA_HOME": str(place.paths.home)}
        start(["--version"], environ)
        bare = [start(["--version"], environ) for _ in range(ROUNDS)]
        start(["ask", "Hello"], environ)
        asked = [start(["ask", "Hello", "--fresh"], environ) for _ in range(ROUNDS)]
    figures = []
    for name, runs, what in (
        ("startup.command_line", bare, "vpa-desktop --version"),
        ("startup.question", asked, "vpa-desktop ask with a provider that answers at once, database and all"),
    ):
        how = f"{what}, {ROUNDS} new processes, median"
        figures.append(Figure(name, share([run.ms for run in runs], 0.5), "ms", how))
        if cpu := [run.cpu_ms for run in runs if run.cpu_ms is not None]:
            figures.append(Figure(f"{name}_cpu", share(cpu, 0.5), "ms", "the same, processor time"))
    return figures


def window_figures() -> list[Figure]:
    """Show the window three times without a screen and take the median; raises VPAError where it cannot be shown."""
    shown = []
    with stage() as place:
        environ = {**ENVIRON, "VPA_HOME": str(place.paths.home), "QT_QPA_PLATFORM": "offscreen"}
        for _ in range(4):
            began = time.time()
            found = json.loads(start(["bench", PAINT_OPTION, "--json"], environ).out)
            shown.append(((float(found["painted_at"]) - began) * 1000, float(found["resident_mb"])))
    times, sizes = zip(*shown[1:], strict=True)  # the first one fills the disk's cache
    how = "the window off screen, from the start of its process to its first paint, median of 3"
    return [
        Figure("startup.window_first_paint", share(times, 0.5), "ms", how),
        Figure("memory.window", share(sizes, 0.5), "MB", "resident memory of that process at its first paint"),
    ]


def _cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system
