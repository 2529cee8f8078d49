"""The real window on an X server and a session bus of its own, driven by a script through the accessibility tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.e2e.program import Program

SYSTEM_PYTHON = "/usr/bin/python3"
LAUNCHER = next(
    (p for p in ("/usr/libexec/at-spi-bus-launcher", "/usr/lib/at-spi2-core/at-spi-bus-launcher") if Path(p).exists()),
    "",
)


def missing() -> str:
    """What of the outside such a test needs is not here."""
    if not (shutil.which("Xvfb") and shutil.which("dbus-run-session") and LAUNCHER):
        return "Xvfb, dbus-run-session or the AT-SPI bus is not installed"
    bindings = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import gi; gi.require_version('Atspi', '2.0'); from gi.repository import Atspi"],
        capture_output=True,
        check=False,
    )
    return "" if bindings.returncode == 0 else "the system's Python has no AT-SPI bindings (python3-pyatspi)"


@contextmanager
def display(size: str = "1280x900") -> Iterator[str]:
    """An X server of one's own."""
    read, write = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    yield f":{number}"
    process.terminate()
    process.wait(10)


def driven(program: Program, module: str, *arguments: str) -> Any:
    """Start the window, run the script with these arguments beside it, and return the document that it prints."""
    inside = (
        f"{LAUNCHER} --launch-immediately >/dev/null 2>&1 & sleep 1; "
        f"{sys.executable} -m vpa_desktop >window.log 2>&1 & window=$!; "
        f'{SYSTEM_PYTHON} -m {module} "$@"; code=$?; kill $window; wait $window; exit $code'
    )
    # The accessibility bus has a socket there, named after the screen: that of another session must not be this one.
    with display() as screen, TemporaryDirectory(prefix="vpa-run-") as runtime:
        variables = {"DISPLAY": screen, "QT_QPA_PLATFORM": "xcb", "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1"}
        variables["XDG_RUNTIME_DIR"] = runtime
        done = subprocess.run(
            ["dbus-run-session", "--", "bash", "-c", inside, "bash", *arguments],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            cwd=program.home.parent,
            env=program.variables({**variables, "NO_AT_BRIDGE": "0"}),
        )
    assert done.returncode == 0, f"{done.stderr} {(program.home.parent / 'window.log').read_text()}"
    return json.loads(done.stdout.strip().splitlines()[-1])
