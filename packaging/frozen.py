"""The frozen program: one folder with everything in it, made by PyInstaller in an environment from the locks.

Not what belongs into it (bundle.py) nor how it is wrapped (deb.py, tarball.py, windows.py, macos.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import bundle
import environment as env
import lock

BUILD = env.ROOT / "build"
VENV = BUILD / "env"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
ICONS = BUILD / "icons"
EXTRAS = BUILD / "extras"
SHELLS = ("bash", "zsh", "fish")
TAKEN = BUILD / "taken.txt"
FOLDER = BUILD / "frozen" / "vpa-desktop"
INSIDE = FOLDER / "_internal"
MATERIALS = "vpa-desktop.cdx.json"
if sys.platform == "darwin":
    APPLICATION = FOLDER.parent / "VPA Desktop.app"
    PROGRAM, NOTES = APPLICATION / "Contents" / "MacOS" / "vpa-desktop", APPLICATION / "Contents" / "Resources"
else:
    PROGRAM, NOTES = FOLDER / ("vpa-desktop.exe" if os.name == "nt" else "vpa-desktop"), INSIDE
"""The program itself, and where the licences and the bill of materials lie."""


def version() -> str:
    """The program's version, from the one place that has it; read as text, since nothing is installed yet."""
    text = (env.ROOT / "vpa_desktop" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise env.SetupFailed("vpa_desktop/__init__.py does not say its version")
    return found.group(1)


def run(command: Sequence[str], what: str, environment: Mapping[str, str] | None = None) -> str:
    """Run one step and return what it printed; raises SetupFailed with its last lines."""
    print(f"-- {what}", file=sys.stderr, flush=True)
    done = subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
        cwd=env.ROOT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise env.SetupFailed(
            f"{what[0].upper()}{what[1:]} failed (exit code {done.returncode})", done.stdout.splitlines()[-30:]
        )
    return done.stdout


def environment() -> Path:
    """Make the build's own environment from the locks, or take the one that fits them; returns its Python."""
    if lock.main(["check"]):
        raise env.SetupFailed("The locks are not in step with pyproject.toml")
    stamp = VENV / "made-from.txt"
    key = _key()
    if not (stamp.exists() and stamp.read_text(encoding="utf-8") == key):
        shutil.rmtree(VENV, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(VENV)], "making the environment of the build")
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        pip += ["--no-deps", "--only-binary", ":all:"]
        for path in (lock.TOOLS, lock.PROGRAM, lock.WEIGHTS):
            run([*pip, "-r", str(path)], f"installing {path.name} with hashes")
        stamp.write_text(key, encoding="utf-8")
    # The program itself, as metadata and a link to the sources; it is never packaged from another folder.
    link = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run([*link, "--editable", str(env.ROOT)], "linking the program")
    return PYTHON


def _key() -> str:
    text = "".join(path.read_text(encoding="utf-8") for path in (lock.TOOLS, lock.PROGRAM, lock.WEIGHTS))
    return f"{sys.version} {hashlib.sha256(text.encode()).hexdigest()}"


def build(keep: bool = False) -> Path:
    """Make the folder and let the program in it examine itself; returns the folder. Raises SetupFailed."""
    if keep and PROGRAM.exists():
        return FOLDER
    python = environment()
    here = env.ROOT / "packaging"
    run([str(python), str(here / "icons.py"), str(ICONS)], "drawing the icons", {"QT_QPA_PLATFORM": "offscreen"})
    shutil.rmtree(BUILD / "frozen", ignore_errors=True)
    command = [str(python), "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    command += ["--distpath", str(BUILD / "frozen"), "--workpath", str(BUILD / "work")]
    # The same seed gives the same order, so that two builds of a commit can be compared.
    settings = {"VPA_ICONS": str(ICONS), "VPA_TAKEN": str(TAKEN), "PYTHONHASHSEED": "1"}
    run([*command, str(here / "vpa-desktop.spec")], "freezing the program", settings)
    if sys.platform.startswith("linux"):
        strip()
    shutil.copy(env.ROOT / "resources" / "notices" / "THIRD-PARTY.md", NOTES)
    materials = NOTES / MATERIALS
    places = [TAKEN, INSIDE, materials, NOTES / "licences"]
    print(
        run([str(python), str(here / "materials.py"), *map(str, places)], "writing the bill of materials").strip(),
        file=sys.stderr,
    )
    examine()
    write_extras(python)
    return FOLDER


def write_extras(python: Path) -> None:
    """Write the man page and the shells' completions, which the program itself knows; raises SetupFailed."""
    shutil.rmtree(EXTRAS, ignore_errors=True)
    EXTRAS.mkdir()
    page = [str(python), str(env.ROOT / "packaging" / "man_page.py"), "-o", str(EXTRAS / "vpa-desktop.1.gz")]
    run(page, "writing the man page")
    for shell in SHELLS:
        script = run([str(PROGRAM), "completion", shell], f"writing the completion of {shell}")
        (EXTRAS / f"completion.{shell}").write_text(script, encoding="utf-8")


def strip() -> None:
    """Take out what only a debugger reads; raises SetupFailed."""
    files = [path for pattern in bundle.STRIPPED for path in INSIDE.rglob(pattern) if not path.is_symlink()]
    run(["strip", "--strip-unneeded", *map(str, files)], "stripping the largest libraries")


def examine() -> None:
    """Ask the frozen program whether all of it is there, and for an answer with no network; raises SetupFailed."""
    with tempfile.TemporaryDirectory() as home:
        calm = {"VPA_HOME": home, "VPA_OFFLINE": "1", "QT_QPA_PLATFORM": "offscreen", "VPA_VAULT": "memory"}
        found = json.loads(run([str(PROGRAM), "doctor", "--json"], "asking the frozen program for its health", calm))
        if not found["ok"] or found["version"] != version():
            raise env.SetupFailed(f"The frozen program is not well: {found}")
        run([str(PROGRAM), "ask", "--no-docs", "Say hello."], "asking it a question offline", calm)


if __name__ == "__main__":
    print(version() if sys.argv[1:] == ["version"] else "usage: frozen.py version")
