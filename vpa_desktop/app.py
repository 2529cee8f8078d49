"""The composition root of the window: the one place that joins Qt, the loop and the Qt-free half.

Boot order; arguments were parsed by ``cli`` before:

1.  Checks before Qt: its libraries and a display are there, else one sentence with the packages to install.
2.  Folders and settings, all light.
3.  QApplication. A second start on the same data raises the first window and ends.
4.  Theme, window, shown and painted. Nothing heavy is imported until then, asyncio included.
5.  Log file (redacted); the loop (qasync), once. A thread imports the Qt-free half; it is built on the loop and
    handed to the window. A failure leaves the window with its sentence and a button to try again.
6.  The end: the window's tasks are cancelled and awaited, then the backend is closed.

Not a place for what a control does (``ui``) or for how the Qt-free half is wired (``system``).
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from vpa_desktop.config import Paths, apply_environment
from vpa_desktop.errors import ConfigError, VPAError
from vpa_desktop.settings_file import LoadedSettings, load_settings, write_atomically

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

    from vpa_desktop.ui.main_window import MainWindow
    from vpa_desktop.ui.ports import Backend

log = logging.getLogger(__name__)

CLOSE_S: Final = 8.0
PAINT_MS: Final = 2_000
QT_LIBRARIES: Final = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon.so.0": "libxkbcommon0",
}
X11_LIBRARIES: Final = {
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
}
"""What Qt loads on Linux -> the Debian package that has it."""

BuildBackend = Callable[[Paths, Mapping[str, str]], Coroutine[Any, Any, "Backend"]]


def run_window(
    paths: Paths,
    *,
    environ: Mapping[str, str] = os.environ,
    build: BuildBackend | None = None,
    files: Sequence[Path] = (),
) -> int:
    """Opens the window, adds the files to the documents, and returns the exit code when it was closed.

    Where a window is open on the same data already, that one comes up and takes the files.
    """
    try:
        check_qt(environ)
    except VPAError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    try:
        paths.make()
    except VPAError as error:
        # The window opens all the same: the backend fails for the same reason, and the window says it.
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
    return main(paths, environ, build or build_backend, files)


def main(paths: Paths, environ: Mapping[str, str], build: BuildBackend, files: Sequence[Path] = ()) -> int:
    """Runs the window; a fault nobody expected becomes a crash report and exit code 1."""
    try:
        return _run(paths, environ, build, files)
    except Exception:
        log.exception("The program ended because of a fault of its own")
        report = write_crash_report(paths, traceback.format_exc())
        print(  # noqa: T201
            "error: The program ended because of a fault of its own. Your conversations are stored. "
            f"The details are in {report}.",
            file=sys.stderr,
        )
        return 1


def paint_once(paths: Paths, environ: Mapping[str, str]) -> dict[str, float]:
    """Shows the window until its first paint, for measuring; returns when that was, and the memory then in MB.

    The window has nothing behind it and is taken away again. Raises ConfigError where Qt cannot start.
    """
    import time

    import psutil

    check_qt(environ)
    gc.disable()
    app = _make_app()
    window = _show_window(app, paths, environ)
    _wait_for_paint(window)
    found = {"painted_at": time.time(), "resident_mb": psutil.Process().memory_info().rss / 1e6}
    window.close()
    gc.enable()
    return found


# 1. Before Qt


def check_qt(environ: Mapping[str, str]) -> None:
    """Raises ConfigError where Qt could not start: its libraries or a display are missing."""
    if sys.platform.startswith("linux"):
        platform = environ.get("QT_QPA_PLATFORM", "")
        if not (platform or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
            raise ConfigError(
                "The window cannot open",
                "There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)",
                'Start it on a desktop, or use the command line: vpa-desktop ask "your question"',
            )
        if missing := missing_libraries(environ):
            packages = " ".join(missing.values())
            raise ConfigError(
                "The window cannot open",
                f"Qt needs libraries that are not installed here ({', '.join(missing)})",
                f"On Debian or Ubuntu install them with: sudo apt install {packages}",
            )
    try:
        importlib.import_module("PySide6.QtWidgets")
    except ImportError as exc:
        raise ConfigError("The window cannot open", f"Qt could not be loaded ({exc})", "Install PySide6") from exc


def missing_libraries(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns what Qt needs and cannot load here, with the Debian package that has it; nothing but on Linux."""
    if not sys.platform.startswith("linux"):
        return {}
    platform = environ.get("QT_QPA_PLATFORM", "")
    wanted = dict(QT_LIBRARIES)
    if platform.startswith("xcb") or (not platform and not environ.get("WAYLAND_DISPLAY")):
        wanted |= X11_LIBRARIES
    return {name: package for name, package in wanted.items() if not _loads(name)}


def _loads(library: str) -> bool:
    import ctypes

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


# 2. Logging and crashes


def start_logging(paths: Paths) -> None:
    """Logs warnings and errors to a file, without secrets."""
    from vpa_desktop.security.private_log import PrivateLogHandler
    from vpa_desktop.security.redaction import install_log_redaction

    if not os.access(paths.logs, os.W_OK):
        return
    handler = PrivateLogHandler(paths.logs / "vpa.log", maxBytes=1_000_000, backupCount=3, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    install_log_redaction()


def write_crash_report(paths: Paths, text: str) -> Path:
    """Writes what happened, without secrets, and returns the file."""
    from vpa_desktop.security.redaction import redact

    report = paths.logs / f"crash-{datetime.now():%Y%m%d-%H%M%S}.txt"
    write_atomically(report, redact(text).encode())
    return report


# 3 to 6. Qt


def _run(paths: Paths, environ: Mapping[str, str], build: BuildBackend, files: Sequence[Path]) -> int:
    gc.disable()  # what is made until the first paint stays; looking through it again and again costs a tenth
    from vpa_desktop.ui.instance import OneInstance

    app = _make_app()
    instance = OneInstance(paths.home)
    if not instance.is_first:
        gc.enable()
        return instance.raise_first(files)
    window = _show_window(app, paths, environ)
    instance.raise_wanted.connect(window.raise_up)
    instance.files_wanted.connect(window.open_files)
    window.open_files(files)
    _wait_for_paint(window)
    gc.enable()
    instance.listen()
    start_logging(paths)
    import asyncio

    import qasync

    try:
        with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(app)) as runner:
            return runner.run(_live(window, paths, environ, build))
    finally:
        instance.release()


def _make_app() -> QApplication:
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(["vpa-desktop"])
    app.setApplicationName("VPA Desktop")
    app.setDesktopFileName("vpa-desktop")
    app.setQuitOnLastWindowClosed(False)
    return app


def _show_window(app: QApplication, paths: Paths, environ: Mapping[str, str]) -> MainWindow:
    from vpa_desktop.ui.main_window import MainWindow, chosen_theme
    from vpa_desktop.ui.placing import place
    from vpa_desktop.ui.theme import apply_palette, apply_style_sheet, icon

    look = _settings_now(paths, environ).settings.window
    theme = chosen_theme(look)
    apply_palette(app, theme)
    app.setWindowIcon(icon("sparkles", theme.accent, 64))
    window = MainWindow(look)
    apply_style_sheet(app, theme)
    place(window, _read_geometry(paths))
    window.show()
    return window


def _wait_for_paint(window: MainWindow) -> None:
    """Lets Qt show and paint the window before Python's own loop and everything behind it are loaded.

    No coroutine exists yet, so this short loop can lose none. It ends without a paint where the window system sends
    none (a window that starts minimised).
    """
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    window.first_painted.connect(loop.quit)
    window.closing.connect(loop.quit)
    QTimer.singleShot(PAINT_MS, loop.quit)
    loop.exec()


def _settings_now(paths: Paths, environ: Mapping[str, str]) -> LoadedSettings:
    loaded = load_settings(paths.settings_file)
    try:
        return LoadedSettings(apply_environment(loaded.settings, environ), loaded.problems)
    except ConfigError:
        return loaded  # said by the backend, which reads the same again


async def _live(window: MainWindow, paths: Paths, environ: Mapping[str, str], build: BuildBackend) -> int:
    """The life of the window: first paint, backend, until it is closed; then the orderly end."""
    import asyncio

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_lost)
    closed = asyncio.Event()
    window.closing.connect(closed.set)
    starter = Starter(window, paths, environ, build)
    window.retry_wanted.connect(starter.start)
    if window.isVisible():
        starter.start()
        await closed.wait()
    _write_geometry(paths, window)
    await starter.aclose()
    window.deleteLater()
    return 0


class Starter:
    """Builds the backend for the window, again when the person asks, and closes it at the end."""

    def __init__(self, window: MainWindow, paths: Paths, environ: Mapping[str, str], build: BuildBackend) -> None:
        self._window, self._paths, self._environ, self._build = window, paths, environ, build
        self._backend: Backend | None = None

    def start(self) -> None:
        """Builds the backend and hands it to the window."""
        if self._backend is None:
            self._window.status.say(self._window.tr("Starting…"))
            self._window.tasks.spawn("start", self._start())

    async def _start(self) -> None:
        try:
            self._backend = await self._build(self._paths, self._environ)
        except VPAError as error:
            self._window.show_start_failure(error)
        else:
            self._window.attach(self._backend)

    async def aclose(self) -> None:
        """Ends the window's tasks, then the backend."""
        import asyncio

        await self._window.tasks.aclose()
        if self._backend is not None:
            async with asyncio.timeout(CLOSE_S):
                await self._backend.aclose()


async def build_backend(paths: Paths, environ: Mapping[str, str]) -> Backend:
    """Imports the Qt-free half in a thread and builds it; raises VPAError with what to do next."""
    import asyncio

    system = await asyncio.to_thread(importlib.import_module, "vpa_desktop.system")
    backend: Backend = await system.build_system(paths, environ=environ, background=True)
    return backend


def _log_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error("%s", context.get("message"), exc_info=context.get("exception"))


# Where the window was


def _read_geometry(paths: Paths) -> bytes:
    try:
        return paths.window_geometry.read_bytes()
    except OSError:
        return b""


def _write_geometry(paths: Paths, window: MainWindow) -> None:
    try:
        write_atomically(paths.window_geometry, bytes(window.saveGeometry().data()))
    except (OSError, VPAError) as exc:
        log.warning("The window's place was not stored: %s", exc)
