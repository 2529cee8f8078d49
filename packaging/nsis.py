"""Wraps the frozen program for Windows with NSIS: windows/vpa-desktop.nsi says what the installer does.

The frozen program itself can only be made on Windows; makensis runs anywhere, so that the recipe can be compiled and
checked on Linux with a payload that is no program (``python3 packaging/nsis.py check``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import environment as env
import frozen

RECIPE = env.ROOT / "packaging" / "windows" / "vpa-desktop.nsi"


def wrap(folder: Path, target: Path) -> Path:
    """Write the installer into ``target`` and return it; raises SetupFailed."""
    if os.name != "nt":
        raise env.SetupFailed("The program for Windows can only be frozen on Windows")
    made = target / f"vpa-desktop-{frozen.version()}-windows-setup.exe"
    _sign([folder / name for name in ("vpa-desktop.exe", "vpa-desktop-window.exe")])
    compile_installer(folder, made, frozen.ICONS / "vpa-desktop.ico")
    _sign([made])
    return made


def compile_installer(folder: Path, made: Path, icon: Path) -> None:
    """Compile the recipe over a folder; raises SetupFailed where makensis is missing or refuses it."""
    makensis = shutil.which("makensis") or str(Path(os.environ.get("PROGRAMFILES(X86)", "")) / "NSIS" / "makensis.exe")
    if not Path(makensis).exists():
        raise env.SetupFailed("makensis is not here. Install NSIS 3 (Debian: apt-get install nsis)")
    size_kb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 1024 + 1
    values = {
        "VERSION": frozen.version(),
        "VERSION_4": f"{frozen.version()}.0",
        "SOURCE": folder,
        "TARGET": made,
        "ICON": icon,
        "LICENCE": env.ROOT / "LICENSE",
        "SIZE_KB": size_kb,
    }
    given = [f"-D{name}={value}" for name, value in values.items()]
    frozen.run([makensis, "-V2", "-WX", *given, str(RECIPE)], "compiling the installer")


def _sign(files: list[Path]) -> None:
    """Sign with the command in VPA_SIGNTOOL; a build without one is not signed and says so."""
    command = os.environ.get("VPA_SIGNTOOL")
    if not command:
        print("-- not signed: VPA_SIGNTOOL is not set, so Windows will warn at the first start", file=sys.stderr)
        return
    for file in files:
        frozen.run([*command.split(), str(file)], f"signing {file.name}")


def check() -> int:
    """Compile the recipe over a payload that is no program, to see that it is whole; returns the exit code."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as place:
        folder, icon = Path(place) / "payload", Path(place) / "icon.ico"
        (folder / "_internal").mkdir(parents=True)
        for name in ("vpa-desktop.exe", "vpa-desktop-window.exe", "_internal/library.dll"):
            (folder / name).write_bytes(b"MZ no program")
        Image.new("RGBA", (64, 64), "#4b52d6").save(icon)
        made = Path(place) / "vpa-desktop-check-setup.exe"
        try:
            compile_installer(folder, made, icon)
        except env.SetupFailed as failed:
            print(*failed.details, f"error: {failed}.", sep="\n", file=sys.stderr)
            return 1
        kind = subprocess.run(["file", "-b", str(made)], capture_output=True, text=True, check=False).stdout.strip()
        print(f"{made.stat().st_size} bytes; {kind}")
    return 0


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["check"] else "usage: nsis.py check")
