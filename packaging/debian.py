"""The Debian packages that the window and its tests need. Nothing about Python packages.

The list was read with ldd from PySide6's own libraries, its xcb and offscreen platform plugins, and from
the local model's engine (libgomp1). What these packages themselves depend on is left to apt.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from environment import Reporter

FOR_THE_WINDOW = [
    "libegl1",
    "libgl1",
    "libglib2.0-0",
    "libdbus-1-3",
    "libfontconfig1",
    "libfreetype6",
    "libgssapi-krb5-2",
    "libzstd1",
    "libbrotli1",
    "libx11-xcb1",
    "libxkbcommon0",
    "libxkbcommon-x11-0",
    "libxcb-cursor0",
    "libxcb-glx0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-render0",
    "libxcb-shape0",
    "libxcb-shm0",
    "libxcb-sync1",
    "libxcb-xfixes0",
    "libxcb-xkb1",
    "libgomp1",
]
FOR_THE_TESTS = ["xvfb", "xauth", "dbus", "dbus-x11", "gnome-keyring", "at-spi2-core", "python3-pyatspi", "procps"]


def missing_packages(wanted: list[str]) -> list[str]:
    """Return what of ``wanted`` is not installed; nothing on a system without dpkg."""
    if shutil.which("dpkg-query") is None:
        return []
    # Newer releases renamed some libraries with the ending t64.
    names = wanted + [f"{name}t64" for name in wanted]
    listing = subprocess.run(
        ["dpkg-query", "-W", "-f=${db:Status-Abbrev} ${Package}\n", *names], capture_output=True, text=True
    ).stdout
    there = {line.split()[-1] for line in listing.splitlines() if line.startswith("ii")}
    return [name for name in wanted if name not in there and f"{name}t64" not in there]


def can_install() -> bool:
    """True for root on a system with apt."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(packages: list[str], report: Reporter) -> bool:
    """Install packages with apt-get; False, after a line that says so, where that failed."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=None if report.verbose else subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode != 0 and command[1] == "install":
            tail = (done.stdout or b"").decode(errors="replace").splitlines()[-20:]
            report.say("      apt-get could not install them:")
            for line in tail:
                report.say(f"      {line}")
            return False
    return True


def ensure_packages(for_tests: bool, report: Reporter) -> list[str]:
    """Install what is missing when root, else name the one line that does it; returns what is still missing."""
    missing = missing_packages(FOR_THE_WINDOW + (FOR_THE_TESTS if for_tests else []))
    if not missing:
        return []
    if can_install():
        report.say(f"Installing {len(missing)} Debian packages for {'Qt and the tests' if for_tests else 'Qt'}:")
        report.say("      " + " ".join(missing))
        if install_packages(missing, report):
            return []
    report.say("Some Debian packages are missing. Without them the window may not open. To install them:")
    report.say("      sudo apt-get install --no-install-recommends " + " ".join(missing))
    return missing
