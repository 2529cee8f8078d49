#!/usr/bin/env python3
"""Builds what people install, from a clean checkout, into dist/. Needs Python 3.11 and the package index.

    python3 packaging/build.py deb          a Debian package (Debian 12, Ubuntu 23.04 or newer)
    python3 packaging/build.py tarball      a folder that runs on any newer Linux with a desktop, nothing installed
    python3 packaging/build.py windows      an installer for one person, no administrator (on Windows, with NSIS)
    python3 packaging/build.py macos        an application in a disk image (on a Mac)
    python3 packaging/build.py wheel        a wheel and a source distribution for pip
    python3 packaging/build.py all          all that this system can build

Options: --revision N (the Debian revision, 1), --keep (take the frozen program of the last build as it is), --quick
(larger packages in a tenth of the time, for trying things out).

The steps: an environment of its own from the locks with hashes (lock.py); PyInstaller makes one folder with the
program, its Python, Qt, the models and the licences; the bill of materials is written from what is in it; the program
in it is asked to examine itself; then it is wrapped for the system.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import environment as env
import frozen

DIST = env.ROOT / "dist"


def deb(options: argparse.Namespace) -> list[Path]:
    """Build the Debian package."""
    import deb as wrapping

    return [wrapping.wrap(frozen.build(options.keep), DIST, options.revision, quick=options.quick)]


def tarball(options: argparse.Namespace) -> list[Path]:
    """Build the folder that runs where it is unpacked."""
    import tarball as wrapping

    return [wrapping.wrap(frozen.build(options.keep), DIST, quick=options.quick)]


def windows(options: argparse.Namespace) -> list[Path]:
    """Build the installer for Windows."""
    import nsis as wrapping

    return [wrapping.wrap(frozen.build(options.keep), DIST)]


def macos(options: argparse.Namespace) -> list[Path]:
    """Build the disk image for a Mac."""
    import dmg as wrapping

    return [wrapping.wrap(frozen.build(options.keep), DIST)]


def wheel(options: argparse.Namespace) -> list[Path]:
    """Build the wheel and the source distribution."""
    python = frozen.environment()
    # From inside the environment's own tools: what is locked builds, not what is newest today.
    command = [str(python), "-P", "-m", "build", "--no-isolation", "--outdir", str(DIST), str(env.ROOT)]
    frozen.run(command, "building the wheel")
    return sorted(DIST.glob(f"vpa_desktop-{frozen.version()}*"))


BUILDERS: dict[str, Callable[[argparse.Namespace], list[Path]]] = {
    "deb": deb,
    "tarball": tarball,
    "windows": windows,
    "macos": macos,
    "wheel": wheel,
}


def can_be_built_here() -> list[str]:
    """What ``all`` stands for on this system."""
    own = {"win32": ["windows"], "darwin": ["macos"]}.get(sys.platform, ["deb", "tarball"])
    return [*own, "wheel"]


def main(arguments: Sequence[str]) -> int:
    """Build what is asked for and say where it is; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*BUILDERS, "all"])
    parser.add_argument("--revision", type=int, default=1, help="the Debian revision")
    parser.add_argument("--keep", action="store_true", help="take the frozen program of the last build as it is")
    parser.add_argument("--quick", action="store_true", help="larger packages in a tenth of the time")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    os.umask(0o022)  # the files of a package are everybody's to read
    DIST.mkdir(exist_ok=True)
    try:
        for what in can_be_built_here() if options.what == "all" else [options.what]:
            for made in BUILDERS[what](options):
                print(f"{made.relative_to(env.ROOT)}  {made.stat().st_size / 1e6:.1f} MB", flush=True)
            options.keep = True  # one frozen program for all that wrap it
    except env.SetupFailed as failed:
        print(*failed.details, sep="\n", file=sys.stderr)
        print(f"error: {failed}.", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failed:
        print(f"error: {failed}. See what it printed above.", file=sys.stderr)
        return 1
    print(f"Built in {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
