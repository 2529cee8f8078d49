"""What holds for every test: no network but loopback, a home of its own, no keys, nothing left behind.

A test fails where it (or what it called) asked for a host outside this machine, logged a warning or an
error that it did not announce, lost the exception of an asyncio task, or left a thread or a process
running. Nothing here imports Qt: the same file serves the run in an environment without it.
"""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests.fakes import FakeClock

GRACE_S: Final = 3.0
KEY_NAMES: Final = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY", "AZURE_OPENAI_API_KEY")
HELPER_PROCESSES: Final = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
WATCHED_LOGGERS: Final = {"vpa_desktop": logging.WARNING, "asyncio": logging.ERROR, "qasync": logging.ERROR}

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# A slow machine is no fault of the code: how long an example takes to make says nothing.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"


# Network -------------------------------------------------------------------------------------------


class NetworkRefused(OSError):
    """A test asked for a host outside this machine."""


class NetworkSwitch:
    """The one switch: hosts outside this machine are refused, and every refusal is remembered."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def check(self, host: object) -> None:
        """Raise NetworkRefused unless the host is this machine."""
        if not _is_this_machine(host):
            self.refused.append(str(host))
            raise NetworkRefused(f"a test may not reach {host!r}: only loopback is there in tests")

    def install(self) -> None:
        """Put the switch in front of name resolution and of connecting sockets, for the whole run."""
        look_up, connect, connect_ex = socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex

        def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
            self.check(host)
            return look_up(host, *args, **kwargs)

        def guarded_connect(sock: socket.socket, address: Any) -> None:
            self._check_address(sock, address)
            connect(sock, address)

        def guarded_connect_ex(sock: socket.socket, address: Any) -> int:
            self._check_address(sock, address)
            return connect_ex(sock, address)

        socket.getaddrinfo = guarded_look_up
        socket.socket.connect = guarded_connect  # type: ignore[method-assign, assignment]
        socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign, assignment]

    def _check_address(self, sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            self.check(address[0])


def _is_this_machine(host: object) -> bool:
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


NETWORK: Final = NetworkSwitch()


@pytest.fixture
def refused_hosts() -> list[str]:
    """The hosts that were refused in this test; a test that means to ask for one clears the list."""
    return NETWORK.refused


# Logs ----------------------------------------------------------------------------------------------


class LogWatch(logging.Handler):
    """Collects what a test logs at WARNING and above (asyncio and qasync: ERROR), and what it announced."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        self.expected: list[re.Pattern[str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record, if it is of the level that its logger is watched from."""
        if record.levelno >= WATCHED_LOGGERS[record.name.partition(".")[0]]:
            self.records.append(record)

    def expect(self, pattern: str) -> None:
        """Announce a message (regular expression, searched)."""
        self.expected.append(re.compile(pattern))

    @property
    def messages(self) -> list[str]:
        """What was logged so far."""
        return [record.getMessage() for record in self.records]

    def unexpected(self) -> list[str]:
        """What was logged without being announced."""
        return [
            f"{record.levelname} {record.name}: {record.getMessage()}"
            + (f" ({record.exc_info[1]!r})" if record.exc_info else "")
            for record in self.records
            if not any(pattern.search(record.getMessage()) for pattern in self.expected)
        ]


@pytest.fixture
def expected_logs(request: pytest.FixtureRequest) -> LogWatch:
    """Announce warnings and errors that the test means to cause: ``expected_logs.expect("no answer from")``."""
    watch: LogWatch = request.node.stash[LOG_WATCH]
    return watch


# What a test may leave behind ----------------------------------------------------------------------


class Surroundings:
    """The threads and child processes that are no test's leak: those there before it, and those of a
    fixture that outlives it."""

    def __init__(self) -> None:
        self.threads: set[threading.Thread] = set()
        self.processes: set[int] = set()
        self._file: Path | None = None

    def set_aside(self, file: Path) -> None:
        """Keep what lives before the first test of a file out of the garbage collector's sight until the next file.

        The collection after each test then looks at what that test made. To look at every module and every test as
        well took a quarter of a second each time, more than most tests do.
        """
        if file != self._file:
            self._file = file
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def accept_present(self) -> None:
        """Take everything that runs now as belonging here."""
        self.threads.update(_threads())
        self.processes.update(child.pid for child in _children())

    def leaked(self) -> list[str]:
        """Name what was left running, after a time to end by itself."""
        deadline = time.monotonic() + GRACE_S
        while True:
            threads = _threads() - self.threads
            children = [child for child in _children() if child.pid not in self.processes]
            if not (threads or children) or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        names = [f"thread {thread.name!r}" for thread in threads]
        names += [f"process {child.pid} ({_command(child)})" for child in children]
        for child in children:
            child.kill()
        self.threads.update(threads)
        return names


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.is_alive() and not thread.daemon}


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if _command(child)]


def _command(child: psutil.Process) -> str:
    """The command line of a living child that is not one of multiprocessing's own helpers, else nothing."""
    try:
        if child.status() == psutil.STATUS_ZOMBIE:
            return ""
        line = " ".join(child.cmdline()) or child.name()
    except psutil.NoSuchProcess:
        return ""
    return "" if any(helper in line for helper in HELPER_PROCESSES) else line


SURROUNDINGS: Final = Surroundings()
LOG_WATCH: Final = pytest.StashKey[LogWatch]()


# Hooks ---------------------------------------------------------------------------------------------


class LongerLived:
    """Accepts what a fixture of a module or of the whole run starts: it ends with that fixture.

    A plugin of its own, since hooks of a conftest.py are not called for fixtures of the session.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Compare before and after."""
        if fixturedef.scope == "function":
            return (yield)
        threads, processes = _threads(), {child.pid for child in _children()}
        value = yield
        SURROUNDINGS.threads |= _threads() - threads
        SURROUNDINGS.processes |= {child.pid for child in _children()} - processes
        return value


def pytest_configure(config: pytest.Config) -> None:
    """Turn the network off before the first test module is imported."""
    NETWORK.install()
    config.pluginmanager.register(LongerLived())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Begin to watch: logs, hosts, threads, processes."""
    SURROUNDINGS.set_aside(item.path)
    watch = item.stash[LOG_WATCH] = LogWatch()
    for name in WATCHED_LOGGERS:
        logging.getLogger(name).addHandler(watch)
    NETWORK.refused.clear()
    SURROUNDINGS.accept_present()
    yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Say what the test left behind, once its own fixtures are gone."""
    try:
        yield
        if item.get_closest_marker("asyncio"):
            gc.collect()  # a task that failed unseen says so when it is collected
        problems = [f"left running: {name}" for name in SURROUNDINGS.leaked()]
    finally:
        watch = item.stash[LOG_WATCH]
        for name in WATCHED_LOGGERS:
            logging.getLogger(name).removeHandler(watch)
    problems += [f"logged: {line}" for line in watch.unexpected()]
    problems += [f"asked for a host outside this machine: {host}" for host in NETWORK.refused]
    if problems:
        pytest.fail("The test passed its own checks, but it\n  " + "\n  ".join(problems), pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cases of the wire kit came out right, counting a case only when every delivery of it did."""
    outcomes: dict[str, bool] = {}
    for kind in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(kind):
            name = report.nodeid.partition("test_wire_kit.py::test_case[")[2].rpartition("-")[0].partition("~")[0]
            if name:
                outcomes[name] = outcomes.get(name, True) and kind == "passed"
    if outcomes:
        terminalreporter.write_line(f"wire kit: {sum(outcomes.values())} of {len(outcomes)} cases")


# Fixtures ------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def vpa_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, keys in memory only, and nothing of the person's environment."""
    for name in list(os.environ):
        if name in KEY_NAMES or name.startswith("VPA_"):
            monkeypatch.delenv(name)
    home = tmp_path / "vpa-home"
    monkeypatch.setenv("VPA_HOME", str(home))
    monkeypatch.setenv("VPA_VAULT", "memory")
    return home


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of shared test data beside the repository; skips where it is not there."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs the shared test data in ../shared")
    return folder
