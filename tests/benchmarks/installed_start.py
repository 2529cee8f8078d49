"""Start of an installed program against the same from the checkout: until its window is visible, and one command.

Run: python -m tests.benchmarks.installed_start PROGRAM [rounds]. Both take turns in one run. Prints the medians of the
time on the clock and of the processor's time, and their ratios: on a busy machine only the ratios and the processor's
time mean something. Needs Xvfb and xdotool.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
SCREEN = ["-screen", "0", "1366x960x24", "-nolisten", "tcp"]
FIND = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "VPA Desktop"]

Measured = tuple[float, float]
"""Milliseconds on the clock, milliseconds of the processor."""


def until_visible(command: list[str], environ: dict[str, str]) -> Measured:
    """Start the window and wait for it to be on the screen."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environ)
    try:
        subprocess.run(FIND, env=environ, stdout=subprocess.DEVNULL, timeout=60, check=True)
        seconds = time.perf_counter() - began
        times = psutil.Process(process.pid).cpu_times()
    finally:
        process.kill()
        process.wait()
    return seconds * 1000, (times.user + times.system) * 1000


def until_ended(command: list[str], environ: dict[str, str]) -> Measured:
    """Run a command to its end."""
    before = os.times()
    began = time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - began
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds * 1000, used * 1000


def compare(
    title: str, installed: list[str], checkout: list[str], measure: Callable[[list[str]], Measured], rounds: int
) -> None:
    """Let both take turns and print the medians."""
    both: dict[str, list[Measured]] = {"installed": [], "checkout": []}
    for _ in range(rounds + 1):
        both["installed"].append(measure(installed))
        both["checkout"].append(measure(checkout))
    clock, cpu = ([statistics.median(row[part] for row in rows[1:]) for rows in both.values()] for part in (0, 1))
    print(
        f"{title}: installed {clock[0]:.0f} ms ({cpu[0]:.0f} of the processor), checkout {clock[1]:.0f} ms "
        f"({cpu[1]:.0f}); ratio {clock[0] / clock[1]:.2f} by the clock, {cpu[0] / cpu[1]:.2f} by the processor"
    )


def main(program: str, rounds: int) -> None:
    """Compare the window and two commands."""
    checkout = [sys.executable, "-P", "-m", "vpa_desktop"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    read, write = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), *SCREEN],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as pipe, tempfile.TemporaryDirectory() as home:
            display = f":{pipe.readline().strip()}"
            environ = {**kept, "VPA_HOME": home, "VPA_OFFLINE": "1", "VPA_VAULT": "memory", "DISPLAY": display}
            environ["PYTHONPATH"] = str(ROOT)
            show = lambda command: until_visible(command, environ)  # noqa: E731
            end = lambda command: until_ended(command, environ)  # noqa: E731
            compare("window", [program], checkout, show, rounds)
            compare("--version", [program, "--version"], [*checkout, "--version"], end, rounds)
            compare("chats list", [program, "chats", "list"], [*checkout, "chats", "list"], end, rounds)
    finally:
        screen.terminate()
        screen.wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5)
