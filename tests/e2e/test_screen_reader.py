"""The real window on a real X server, driven from outside through the accessibility tree by the contract's names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Program

SCRIPT = Path(__file__).with_name("screen_reader.py")
SYSTEM_PYTHON = "/usr/bin/python3"
LAUNCHER = next(
    (p for p in ("/usr/libexec/at-spi-bus-launcher", "/usr/lib/at-spi2-core/at-spi-bus-launcher") if Path(p).exists()),
    "",
)


def missing() -> str:
    """What of the outside this test needs is not here."""
    if not (shutil.which("Xvfb") and shutil.which("dbus-run-session") and LAUNCHER):
        return "Xvfb, dbus-run-session or the AT-SPI bus is not installed"
    bindings = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import gi; gi.require_version('Atspi', '2.0'); from gi.repository import Atspi"],
        capture_output=True,
        check=False,
    )
    return "" if bindings.returncode == 0 else "the system's Python has no AT-SPI bindings (python3-pyatspi)"


@pytest.fixture
def display() -> Iterator[str]:
    """An X server of the test's own."""
    read, write = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
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


@pytest.mark.alone
@pytest.mark.ui
@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing() or "-")
def test_a_question_is_typed_sent_and_answered_by_names_alone(program: Program, display: str) -> None:
    program.settings('[providers.spare]\nkind = "mock"\n[routing]\ndefault_provider = "spare"\n')
    question = "Repeat these words exactly"
    inside = (
        f"{LAUNCHER} --launch-immediately >/dev/null 2>&1 & sleep 1; "
        f"{sys.executable} -m vpa_desktop >window.log 2>&1 & window=$!; "
        f"{SYSTEM_PYTHON} {SCRIPT} '{question}'; code=$?; kill $window; wait $window; exit $code"
    )
    environ = program.variables(
        {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "NO_AT_BRIDGE": "0"}
    )
    done = subprocess.run(
        ["dbus-run-session", "--", "bash", "-c", inside],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        cwd=program.home.parent,
        env=environ,
    )
    assert done.returncode == 0, f"{done.stderr} {(program.home.parent / 'window.log').read_text()}"
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["items"] == [f"You: {question}", f"Assistant: {question}"]
    assert found["buttons"] == [["push button", name] for name in ("Copy", "Regenerate", "Sources", "Route receipt")]
    assert all(found["roles"].values()), found["roles"]
    assert (found["roles"]["Message"], found["roles"]["Transcript"]) == ("text", "list")
    assert found["roles"]["Chat"] == "page tab"
    assert (program.home / "vpa.db").exists()
