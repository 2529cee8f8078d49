"""One window for each data folder: a lock says who is first, a local socket lets a second start raise the first.

What goes over the socket is a list of files for the first window to add, as JSON; it may be empty.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QLockFile, QObject, Signal

if TYPE_CHECKING:
    from PySide6.QtNetwork import QLocalServer, QLocalSocket

WAIT_MS: Final = 2_000
MOST_BYTES: Final = 1_000_000


class OneInstance(QObject):
    """Takes the lock of a data folder. Where the folder cannot be written there is no lock, and everyone is first."""

    raise_wanted = Signal()
    files_wanted = Signal(list)

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
            caller.disconnected.connect(lambda: self._hear(caller))
            self.raise_wanted.emit()

    def _hear(self, caller: QLocalSocket) -> None:
        """Reads what a later start has said, once it has said all; anything else than a list of files is nothing."""
        said = bytes(caller.read(MOST_BYTES).data())
        caller.deleteLater()
        with suppress(ValueError):
            names = json.loads(said)
            if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
                self.files_wanted.emit([Path(name) for name in names])

    def raise_first(self, files: Sequence[Path] = ()) -> int:
        """Asks the first window to come up and take the files; returns the exit code of this start."""
        from PySide6.QtNetwork import QLocalSocket

        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if socket.waitForConnected(WAIT_MS):
            socket.write(json.dumps([str(file) for file in files]).encode())
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
