"""One window for each data folder: a lock says who is first, a local socket lets a second start raise the first."""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QLockFile, QObject, Signal

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtNetwork import QLocalServer

WAIT_MS: Final = 2_000
CALL: Final = b"raise"


class OneInstance(QObject):
    """Takes the lock of a data folder. Where the folder cannot be written there is no lock, and everyone is first."""

    raise_wanted = Signal()

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = home
        self._name = "vpa-desktop-" + hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:20]
        self._lock = QLockFile(str(home / "window.lock"))
        self._lock.setStaleLockTime(0)
        self._server: QLocalServer | None = None
        taken = not self._lock.tryLock(0)
        with suppress(OSError):
            (home / "window.lock").chmod(0o600)
        self.is_first = not (taken and self._lock.error() == QLockFile.LockError.LockFailedError)

    def listen(self) -> None:
        """Hears of later starts from now on; the first paint need not wait for it."""
        from PySide6.QtNetwork import QLocalServer

        QLocalServer.removeServer(self._name)
        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        server.newConnection.connect(self._answer)
        if server.listen(self._name):
            self._server = server

    def _answer(self) -> None:
        if self._server is not None and (caller := self._server.nextPendingConnection()) is not None:
            caller.disconnected.connect(caller.deleteLater)
            caller.disconnectFromServer()
            self.raise_wanted.emit()

    def raise_first(self) -> int:
        """Asks the first window to come up; returns the exit code of this start."""
        from PySide6.QtNetwork import QLocalSocket

        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if socket.waitForConnected(WAIT_MS):
            socket.write(CALL)
            socket.waitForBytesWritten(WAIT_MS)
            socket.disconnectFromServer()
            return 0
        print(  # noqa: T201
            f"error: VPA Desktop is already open on {self._home}. It does not answer. "
            "Close it, or choose another folder with --home.",
            file=sys.stderr,
        )
        return 1

    def release(self) -> None:
        """Gives the lock and the socket back."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self.is_first:
            self._lock.unlock()
