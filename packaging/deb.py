"""Wraps the frozen program as a Debian package. Runs dpkg-deb and readelf, nothing of Debian's build system.

The program lies in /usr/lib/vpa-desktop/VERSION, so that one that is open during an upgrade keeps its own files.
What it needs of the system is read from its libraries, not guessed.
"""

from __future__ import annotations

import datetime
import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

import environment as env
import frozen

LINUX = env.ROOT / "packaging" / "linux"
ICON_SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MAINTAINER = "The VPA Desktop team <vpa-desktop@users.noreply.example>"
LOADED_LATE = {"libEGL.so.1", "libGL.so.1", "libxcb.so.1", "libX11.so.6"}
"""What Qt opens by name while it runs."""

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libdrm.so.2": "libdrm2",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgcc_s.so.1": "libgcc-s1",
    "libgio-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libgmodule-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0t64 | libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libpng16.so.16": "libpng16-16t64 | libpng16-16",
    "libselinux.so.1": "libselinux1",
    "libstdc++.so.6": "libstdc++6",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
}
"""A library of the system -> the package that has it, with its newer name first where it was renamed."""

COMPLETIONS = {
    "bash": "bash-completion/completions/vpa-desktop",
    "zsh": "zsh/vendor-completions/_vpa-desktop",
    "fish": "fish/vendor_completions.d/vpa-desktop.fish",
}
"""Shell -> where it looks for a program's completion, in /usr/share."""

COMMON = "LGPL-3.0, GPL-3.0 and Apache-2.0 are in /usr/share/common-licenses/LGPL-3, GPL-3 and Apache-2.0.\n"

OF_LIBC = re.compile(r"(ld-linux.*|libc|libm|libdl|libpthread|librt|libresolv|libutil)\.so\.\d")


def wrap(folder: Path, target: Path, revision: int = 1, *, quick: bool = False) -> Path:
    """Write the package into ``target`` and return it; raises SetupFailed."""
    version = f"{frozen.version()}-{revision}"
    root = frozen.BUILD / "deb"
    shutil.rmtree(root, ignore_errors=True)
    place = root / "usr" / "lib" / "vpa-desktop" / version
    shutil.copytree(folder, place, symlinks=True)
    _lay_out(root, place, version)
    size_kb = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
    _write_control(root, folder, version, size_kb)
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or _is_program(path) else 0o644)
    made = target / f"vpa-desktop_{version}_{architecture()}.deb"
    packed = ["-Zzstd", "-z3"] if quick else ["-Zxz"]
    command = ["dpkg-deb", "--root-owner-group", *packed, "--build", str(root), str(made)]
    frozen.run(command, "wrapping the Debian package")
    return made


def _is_program(path: Path) -> bool:
    return os.access(path, os.X_OK) and ".so" not in path.suffixes


def architecture() -> str:
    """Debian's name of this machine's processor; raises SetupFailed for one that no wheel is built for."""
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise env.SetupFailed(f"There is no package for {machine}. Known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[machine]


def _lay_out(root: Path, place: Path, version: str) -> None:
    """Put the command, the desktop's files and the documentation where Debian has them."""
    share = root / "usr" / "share"
    command = root / "usr" / "bin" / "vpa-desktop"
    command.parent.mkdir(parents=True)
    command.symlink_to(f"../lib/vpa-desktop/{version}/vpa-desktop")
    (share / "applications").mkdir(parents=True)
    (share / "applications" / "vpa-desktop.desktop").write_text(desktop_entry(), encoding="utf-8")
    _copy(LINUX / "vpa-desktop.svg", share / "icons" / "hicolor" / "scalable" / "apps")
    for size in ICON_SIZES:
        icon = share / "icons" / "hicolor" / f"{size}x{size}" / "apps" / "vpa-desktop.png"
        icon.parent.mkdir(parents=True)
        shutil.copy(frozen.ICONS / f"{size}x{size}.png", icon)
    metainfo = next(LINUX.glob("*.metainfo.xml"))
    (share / "metainfo").mkdir()
    (share / "metainfo" / metainfo.name).write_text(filled(metainfo), encoding="utf-8")
    _copy(frozen.EXTRAS / "vpa-desktop.1.gz", share / "man" / "man1")
    for shell, where in COMPLETIONS.items():
        (share / where).parent.mkdir(parents=True)
        shutil.copy(frozen.EXTRAS / f"completion.{shell}", share / where)
    _write_documentation(share / "doc" / "vpa-desktop", place, version)


def _write_documentation(folder: Path, place: Path, version: str) -> None:
    folder.mkdir(parents=True)
    notices = (env.ROOT / "resources" / "notices" / "THIRD-PARTY.md").read_text(encoding="utf-8")
    licence = (env.ROOT / "LICENSE").read_text(encoding="utf-8")
    (folder / "copyright").write_text(f"VPA Desktop\n\n{licence}\n{COMMON}\n{notices}", encoding="utf-8")
    shutil.copy(place / "_internal" / "vpa-desktop.cdx.json", folder)
    shutil.copy(LINUX / "README.Debian", folder)
    entry = (
        f"vpa-desktop ({version}) stable; urgency=medium\n\n  * What is new stands in changelog.gz.\n\n"
        f" -- {MAINTAINER}  {_build_date():%a, %d %b %Y %H:%M:%S +0000}\n"
    )
    _write_gz(folder / "changelog.Debian.gz", entry)
    _write_gz(folder / "changelog.gz", (env.ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def desktop_entry() -> str:
    """The entry of the menu, with the types of files that the program can be asked to open."""
    lines = (LINUX / "mime-types").read_text(encoding="utf-8").splitlines()
    return filled(LINUX / "vpa-desktop.desktop", MIME_TYPES="".join(f"{line.split()[0]};" for line in lines))


def filled(path: Path, **more: str) -> str:
    """A text of linux/ with its version, date and whatever else put in."""
    text = path.read_text(encoding="utf-8")
    values = {"VERSION": frozen.version(), "DATE": f"{_build_date():%Y-%m-%d}", **more}
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _build_date() -> datetime.datetime:
    """When this was built, or what SOURCE_DATE_EPOCH says, so that a build can be repeated."""
    stamp = os.environ.get("SOURCE_DATE_EPOCH")
    if stamp is None:
        return datetime.datetime.now(datetime.UTC)
    return datetime.datetime.fromtimestamp(int(stamp), datetime.UTC)


def _write_control(root: Path, folder: Path, version: str, size_kb: int) -> None:
    control = root / "DEBIAN"
    control.mkdir()
    in_use = filled(LINUX / "in_use.sh", VERSION=version)
    for name in ("preinst", "prerm", "postinst", "postrm"):
        script = control / name
        script.write_text(filled(LINUX / name, IN_USE=in_use, KILOBYTES=str(size_kb + 20_000)), encoding="utf-8")
        script.chmod(0o755)
    fields = {
        "Package": "vpa-desktop",
        "Version": version,
        "Architecture": architecture(),
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size_kb),
        "Depends": ", ".join(dependencies(folder)),
        "Recommends": "gnome-keyring | kwalletmanager, xdg-utils",
        "Suggests": "tesseract-ocr",
        "Section": "utils",
        "Priority": "optional",
        "Description": (LINUX / "description").read_text(encoding="utf-8").rstrip("\n"),
    }
    text = "".join(f"{name}: {value}\n" for name, value in fields.items())
    (control / "control").write_text(text, encoding="utf-8")


def dependencies(folder: Path) -> list[str]:
    """Debian's packages for what the libraries in the folder are linked with and do not bring along."""
    files = [path for path in folder.rglob("*") if path.is_file() and _is_elf(path)]
    printed = subprocess.run(
        ["readelf", "-dV", *map(str, files)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        check=True,
    ).stdout
    needed = set(re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", printed)) | LOADED_LATE
    missing = needed - {path.name for path in folder.rglob("*.so*")}
    asked = {name for name in missing if not OF_LIBC.fullmatch(name)}
    if unknown := asked - PACKAGES.keys():
        raise env.SetupFailed(f"No package is known for {', '.join(sorted(unknown))}: add it to PACKAGES in deb.py")
    floor = max(tuple(map(int, found.split("."))) for found in re.findall(r"Name: GLIBC_(2\.\d+)\b", printed))
    return [f"libc6 (>= {'.'.join(map(str, floor))})", *sorted({PACKAGES[name] for name in asked})]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _copy(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, folder)


def _write_gz(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
