"""The installation script of the tarball, over a folder that stands for the program: nothing of a person's is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

LINUX = Path(__file__).resolve().parents[1] / "packaging" / "linux"

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a script for Linux")


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """An unpacked tarball with a space in its path, whose program says its version."""
    folder = tmp_path / "my downloads" / "vpa-desktop"
    (folder / "share").mkdir(parents=True)
    shutil.copy(LINUX / "tarball-install.sh", folder / "install.sh")
    shutil.copy(LINUX / "vpa-desktop.desktop", folder / "share")
    shutil.copy(LINUX / "vpa-desktop.svg", folder / "share")
    say_version(folder, "1")
    return folder


def say_version(folder: Path, version: str) -> None:
    (folder / "vpa-desktop").write_text(f"#!/bin/sh\necho {version}\n")
    (folder / "vpa-desktop").chmod(0o755)


def run(folder: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    command = ["sh", str(folder / "install.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a person who has written something."""
    home = tmp_path / "home of é"
    (home / ".local" / "share" / "vpa-desktop").mkdir(parents=True)
    (home / ".local" / "share" / "vpa-desktop" / "vpa.db").write_text("conversations")
    return home


def version_of(home: Path) -> str:
    return subprocess.run([home / ".local/bin/vpa-desktop"], capture_output=True, text=True, check=True).stdout.strip()


def test_it_is_installed_exchanged_and_removed(unpacked: Path, home: Path) -> None:
    assert run(unpacked, home).returncode == 0
    assert version_of(home) == "1"
    entry = (home / ".local/share/applications/vpa-desktop.desktop").read_text()
    assert f'Exec="{home}/.local/opt/vpa-desktop/vpa-desktop" open %F' in entry.splitlines()
    say_version(unpacked, "2")
    assert run(unpacked, home).returncode == 0
    assert version_of(home) == "2"
    assert sorted(path.name for path in (home / ".local/opt").iterdir()) == ["vpa-desktop"]
    assert run(unpacked, home, "remove").returncode == 0
    left = [path.name for path in home.rglob("*") if path.is_file()]
    assert left == ["vpa.db"]


def test_an_open_program_is_not_exchanged(unpacked: Path, home: Path) -> None:
    assert run(unpacked, home).returncode == 0
    program = home / ".local/opt/vpa-desktop/vpa-desktop"
    program.unlink()
    shutil.copy(shutil.which("sleep") or "", program)
    say_version(unpacked, "2")
    with subprocess.Popen([program, "60"]) as running:
        try:
            while Path(f"/proc/{running.pid}/exe").readlink() != program:
                time.sleep(0.01)
            done = run(unpacked, home)
        finally:
            running.kill()
    assert done.returncode == 1
    assert done.stderr.startswith("error: VPA Desktop is open.")
    assert program.stat().st_size > 1000, "the old program is still there"


def test_what_cannot_be_copied_leaves_the_old_version(unpacked: Path, home: Path) -> None:
    assert run(unpacked, home).returncode == 0
    say_version(unpacked, "2")
    # A copy that fails on its way, as on a disk without room.
    tools = unpacked.parent / "tools"
    tools.mkdir()
    (tools / "cp").write_text('#!/bin/sh\nmkdir -p "$3"; echo "No space left on device" >&2; exit 1\n')
    (tools / "cp").chmod(0o755)
    environ = {"HOME": str(home), "PATH": f"{tools}:{os.environ['PATH']}"}
    command = ["sh", str(unpacked / "install.sh")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)
    assert done.returncode == 1
    assert "error: Nothing was installed." in done.stderr
    assert version_of(home) == "1"
    assert sorted(path.name for path in (home / ".local/opt").iterdir()) == ["vpa-desktop"]


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_said(unpacked: Path, home: Path) -> None:
    (home / ".local").chmod(0o500)
    try:
        done = run(unpacked, home)
    finally:
        (home / ".local").chmod(0o700)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr


def test_the_installed_copy_does_not_install_itself(unpacked: Path, home: Path) -> None:
    assert run(unpacked, home).returncode == 0
    done = run(home / ".local/opt/vpa-desktop", home)
    assert done.returncode == 1
    assert "It cannot install itself" in done.stderr
    assert version_of(home) == "1"
