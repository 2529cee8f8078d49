"""The whole suite, each test once: what needs no Qt where Qt is not installed, the window and the program in ``.venv``.

Each of the two halves runs many tests side by side, then, with the machine to themselves, those that measure time
(marked ``alone``) or run a model. What fails in one pass keeps no other from running. Standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import environment as env
import without_qt

WITH_QT = ("tests/ui", "tests/e2e")
ONE_BY_ONE = "alone or model"
MOST_WORKERS = 8
INTERRUPTED = 130
OUTCOMES = {"failure": "failed", "error": "error", "skipped": "skipped"}


@dataclass(frozen=True)
class Pass:
    """One run of pytest: what it is called, the Python and what pytest is given."""

    title: str
    python: Path
    arguments: tuple[str, ...]


def passes(without: Path) -> list[Pass]:
    """The runs that together are the suite; ``without`` is the Python that has no Qt."""
    core = tuple(f"--ignore={folder}" for folder in WITH_QT)
    # By files, since what a file sets up once (a server, documents that are read) would else be set up by each worker.
    beside = ("-m", f"not ({ONE_BY_ONE})", "-n", str(workers()), "--dist", "loadfile")
    alone = ("-m", ONE_BY_ONE)
    return [
        Pass("everything but the window, without Qt", without, (*core, *beside)),
        Pass("the same, one by one: what measures time or runs a model", without, (*core, *alone)),
        Pass("the window and the whole program", env.PYTHON, (*WITH_QT, *beside)),
        Pass("the same, one by one", env.PYTHON, (*WITH_QT, *alone)),
    ]


def workers() -> int:
    """One more than there are processors, since many tests wait; not so many that memory runs short."""
    return min((os.cpu_count() or 1) + 1, MOST_WORKERS)


def run(environment: Mapping[str, str], reporter: env.Reporter) -> int:
    """Run every pass and say what came of them together; returns the first exit code that is not 0."""
    began = time.monotonic()
    counts: Counter[str] = Counter()
    codes = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        for each in passes(core_python(reporter)):
            print(f"\n== {each.title} ({time.monotonic() - began:.0f} s)", flush=True)
            report.unlink(missing_ok=True)
            command = [str(each.python), "-m", "pytest", *each.arguments, f"--junitxml={report}"]
            try:
                codes.append(finish(command, environment))
            except KeyboardInterrupt:
                return INTERRUPTED
            counts += count(report)
    print(f"\n== all of it\n{in_words(counts)} in {time.monotonic() - began:.2f}s", flush=True)
    return next((code for code in codes if code), 0)


def core_python(reporter: env.Reporter) -> Path:
    """The Python without Qt; that of ``.venv`` where the system makes no links. Raises SetupFailed."""
    try:
        return without_qt.make(reporter)
    except OSError as failed:
        reporter.say(f"No environment without Qt can be made here ({failed}): all tests run where Qt is.")
        return env.PYTHON


def finish(command: list[str], environment: Mapping[str, str]) -> int:
    """Run one command to its end and return its exit code; where we are stopped, so is it."""
    with subprocess.Popen(command, env=dict(environment), cwd=env.ROOT) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # the console gave Ctrl+C to pytest as well, which says how far it came
            raise
        except SystemExit:
            process.terminate()
            raise


def count(report: Path) -> Counter[str]:
    """The tests of one pass by what came of them; nothing where pytest did not come to write its report."""
    if not report.exists():
        return Counter()
    cases = ElementTree.parse(report).iter("testcase")
    return Counter(next((OUTCOMES[part.tag] for part in case if part.tag in OUTCOMES), "passed") for case in cases)


def in_words(counts: Mapping[str, int]) -> str:
    """What pytest would say of one run: ``1 failed, 30 passed, 2 skipped``."""
    order = ("failed", "passed", "skipped", "error")
    return ", ".join(f"{counts[name]} {name}" for name in order if counts.get(name)) or "no tests ran"
