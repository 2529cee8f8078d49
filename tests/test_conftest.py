"""The guards of conftest.py catch what they are there for. Runs small suites of its own through pytester."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
HERE = Path(__file__).resolve().parent

CASES = {
    "network": (
        "import socket\ndef test_it():\n    try:\n        socket.create_connection(('192.0.2.1', 80), timeout=1)\n"
        "    except OSError:\n        pass\n",
        "outside this machine: 192.0.2.1",
    ),
    "log": ("import logging\ndef test_it():\n    logging.getLogger('vpa_desktop.x').warning('odd')\n", "odd"),
    "process": (
        "import subprocess, sys\ndef test_it():\n"
        "    kept.append(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']))\nkept = []\n",
        "left running: process",
    ),
    "thread": (
        "import threading\nstop = threading.Event()\ndef test_it():\n"
        "    threading.Thread(target=stop.wait, args=(8,), name='left').start()\n",
        "left running: thread 'left'",
    ),
    "task": (
        "import asyncio\nasync def fail():\n    raise ValueError('unseen')\n"
        "async def test_it():\n    task = asyncio.create_task(fail())\n    await asyncio.sleep(0)\n    del task\n",
        "Task exception was never retrieved",
    ),
}


def run_inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, code: str) -> pytest.RunResult:
    monkeypatch.setenv("PYTHONPATH", str(HERE.parent))  # the package, where it is not installed
    (pytester.path / "tests").mkdir()
    for name in ("conftest.py", "fakes.py", "__init__.py"):
        (pytester.path / "tests" / name).write_text((HERE / name).read_text(encoding="utf-8"), encoding="utf-8")
    (pytester.path / "tests" / "test_inner.py").write_text(code, encoding="utf-8")
    settings = ["asyncio_mode = auto", "asyncio_default_fixture_loop_scope = function", "pythonpath = ."]
    pytester.makeini("\n".join(["[pytest]", *settings, "addopts = --import-mode=importlib"]))
    return pytester.runpytest_subprocess("tests", "-p", "no:cacheprovider")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_what_is_left_behind_fails_the_test_that_left_it(
    case: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = CASES[case]
    result = run_inner(pytester, monkeypatch, code)
    result.assert_outcomes(passed=1, errors=1)
    assert said in result.stdout.str()


@pytest.mark.slow
def test_announced_logs_loopback_and_fixtures_that_live_longer_are_fine(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_inner(
        pytester,
        monkeypatch,
        "import logging, socket, subprocess, sys, pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def server():\n"
        "    with subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE) as process:\n"
        "        yield process\n"
        "def test_it(server, expected_logs):\n"
        "    expected_logs.expect('od+')\n"
        "    logging.getLogger('vpa_desktop.x').warning('odd')\n"
        "    with socket.create_server(('127.0.0.1', 0)) as there:\n"
        "        socket.create_connection(('localhost', there.getsockname()[1])).close()\n"
        "def test_after(server):\n"
        "    assert server.poll() is None\n",
    )
    result.assert_outcomes(passed=2)
