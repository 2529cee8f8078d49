"""Wraps the frozen program as a folder in a tar.xz that runs where it is unpacked: no root, nothing installed."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import deb
import environment as env
import frozen

LINUX = env.ROOT / "packaging" / "linux"


def wrap(folder: Path, target: Path, *, quick: bool = False) -> Path:
    """Write the tarball into ``target`` and return it."""
    name = f"vpa-desktop-{frozen.version()}-linux-{os.uname().machine}"
    root = frozen.BUILD / "tarball" / name
    shutil.rmtree(root.parent, ignore_errors=True)
    shutil.copytree(folder, root, symlinks=True)
    share = root / "share"
    share.mkdir()
    (share / "vpa-desktop.desktop").write_text(deb.desktop_entry(), encoding="utf-8")
    shutil.copy(LINUX / "vpa-desktop.svg", share)
    for source in frozen.EXTRAS.iterdir():
        shutil.copy(source, share)
    for script in ("install.sh", "README"):
        shutil.copy(LINUX / f"tarball-{script}", root / script)
    (root / "install.sh").chmod(0o755)
    needs = ", ".join(name.partition(" | ")[0] for name in deb.dependencies(folder))
    (root / "README").write_text(
        (root / "README").read_text(encoding="utf-8").replace("@NEEDS@", needs), encoding="utf-8"
    )
    made = target / f"{name}.tar.xz"
    print("-- wrapping the tarball", flush=True)
    with tarfile.open(made, "w:xz", preset=0 if quick else 6) as archive:
        archive.add(root, name, filter=_of_nobody)
    return made


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
