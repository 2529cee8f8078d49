"""The one SQLite file: opened, kept whole, written by one thread, read by a few. Not what is in it.

Every change is a callable that the writer thread runs inside one BEGIN IMMEDIATE ... COMMIT, with a savepoint each
where several wait: a commit is a wait for the disk, and many changes cost no more of it than one. Readers have
connections of their own that cannot write. Several processes may use the file at once (the window and the
command line): SQLite's locks keep them apart.

``PRAGMA synchronous = FULL`` is deliberate: with NORMAL, simulated power cuts lost messages that had been
acknowledged; with FULL they lost none.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from vpa_desktop.errors import StorageError
from vpa_desktop.storage.faults import is_damage, translate, translate_os
from vpa_desktop.storage.migrations import MIGRATIONS, Migration, back_up
from vpa_desktop.storage.opening import Opened, connect, mark_suspect, open_file

if TYPE_CHECKING:
    import sqlite_utils

T = TypeVar("T")
READERS = 3
TOGETHER = 64
"""The most changes that are one commit."""


@dataclass(slots=True)
class _Change(Generic[T]):
    """A change that waits, and then its result."""

    work: Callable[[sqlite_utils.Database], T]
    done: Future[T]
    value: T | None = None
    error: BaseException | None = None

    def tell(self, error: BaseException | None = None) -> None:
        """Wake whoever waits for it."""
        if (found := error or self.error) is not None:
            self.done.set_exception(found)
        else:
            self.done.set_result(self.value)  # type: ignore[arg-type]


class Database:
    """The program's database. Made by ``open``; closed by ``aclose``, after which it cannot be used.

    ``notices`` are sentences for the person about what happened while opening (restored from a backup,
    opened for reading only).
    """

    def __init__(self, path: Path, backups: Path) -> None:
        self.path = path
        self.uuid = ""
        self.read_only = False
        self.notices: list[str] = []
        self._backups = backups
        self._opened: Opened | None = None
        self._writer_thread: threading.Thread | None = None
        # A pool of one is a first-in-first-out queue with one thread.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="database-writer")
        self._waiting: deque[_Change[Any]] = deque()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        self._idle: list[sqlite_utils.Database] = []
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    async def open(cls, path: Path, *, backups: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Database:
        """Opens the file, made and migrated as needed; raises StorageError, DatabaseCorrupt or DiskFull.

        A damaged file is kept aside under another name and replaced by the newest good backup. A file of a
        newer version, or one that cannot be written, is opened for reading only.
        """
        database = cls(path, backups)
        try:
            await asyncio.wrap_future(database._writer.submit(database._open, migrations))
        except BaseException:
            database._closed = True
            database._writer.submit(database._close_writer)
            database._writer.shutdown(wait=False)
            raise
        return database

    async def write(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        """Runs ``work`` in one transaction in the writer thread; nothing of it stays if it raises.

        A caller that is cancelled while ``work`` waits in the queue takes it out; once begun it is finished.
        """
        return await asyncio.wrap_future(self._submit(work))

    async def read(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        """Runs ``work`` off the loop on a connection that cannot write; it sees one moment of the database."""
        self._refuse_when_closed()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, work)

    def write_now(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        """``write`` for worker threads: waits for the result."""
        if threading.current_thread() is self._writer_thread:
            raise RuntimeError("write_now was called from inside a write")
        return self._submit(work).result()

    def read_now(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        """``read`` for worker threads: runs in the calling thread. ``work`` must not return a lazy iterator."""
        with self._translated(), self._reader() as db:
            db.conn.execute("BEGIN")
            try:
                return work(db)
            finally:
                if db.conn.in_transaction:
                    db.conn.execute("ROLLBACK")

    async def backup(self) -> Path:
        """Makes a verified copy of the database in the backups folder, keeps the newest three; returns its path."""
        self._refuse_when_closed()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._back_up)

    async def aclose(self) -> None:
        """Finishes what is queued, folds the write-ahead log into the file and closes every connection."""
        # The default executor does the waiting: a pool cannot wait for itself.
        await asyncio.get_running_loop().run_in_executor(None, self._stop)

    def _open(self, migrations: Sequence[Migration]) -> None:
        self._writer_thread = threading.current_thread()
        with self._translated():
            opened = open_file(self.path, self._backups, migrations)
        self._opened = opened
        self.uuid = opened.uuid
        self.read_only = opened.read_only
        self.notices.extend(opened.notices)

    def _stop(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle, self._idle = self._idle, []
        # Readers first: a truncating checkpoint needs that nobody reads.
        self._readers.shutdown(wait=True)
        for db in idle:
            db.conn.close()
        self._writer.submit(self._close_writer)
        self._writer.shutdown(wait=True)

    def _close_writer(self) -> None:
        if self._opened is None:
            return
        conn = self._opened.db.conn
        # The last words of a database on a full or failing disk must not hide why the program ends.
        with contextlib.suppress(sqlite3.Error):
            if not self.read_only:
                conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with contextlib.suppress(sqlite3.Error):
            conn.close()

    def _back_up(self) -> Path:
        with self._translated():
            return back_up(self.path, self._backups)

    def _submit(self, work: Callable[[sqlite_utils.Database], T]) -> Future[T]:
        if self.read_only:
            raise StorageError("Nothing can be saved", " ".join(self.notices))
        change = _Change(work, Future())
        with self._lock:
            self._refuse_when_closed()
            self._waiting.append(change)
            self._writer.submit(self._write_waiting)
        return change.done

    def _write_waiting(self) -> None:
        """Makes every change that waits in one commit; of one that fails nothing stays, the others are made."""
        changes: list[_Change[Any]] = []
        while self._waiting and len(changes) < TOGETHER:
            change = self._waiting.popleft()
            if change.done.set_running_or_notify_cancel():
                changes.append(change)
        if not changes:
            return
        failed: BaseException | None = None
        try:
            with self._translated():
                self._commit(changes)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            failed = error
        for change in changes:
            change.tell(failed)

    def _commit(self, changes: Sequence[_Change[Any]]) -> None:
        assert self._opened is not None
        db = self._opened.db
        if len(changes) == 1:
            changes[0].value = _in_transaction(db, changes[0].work)
            return
        _in_transaction(db, lambda db: self._make_all(db, changes))

    def _make_all(self, db: sqlite_utils.Database, changes: Sequence[_Change[Any]]) -> None:
        for change in changes:
            self._make(db, change)

    def _make(self, db: sqlite_utils.Database, change: _Change[Any]) -> None:
        """Makes one of several changes; where SQLite itself took the transaction back, none of them is made."""
        db.conn.execute("SAVEPOINT change")
        try:
            with self._translated():
                change.value = change.work(db)
        except BaseException as error:
            if not db.conn.in_transaction:
                raise
            change.error = error
            db.conn.execute("ROLLBACK TO change")
        if db.conn.in_transaction:
            db.conn.execute("RELEASE change")

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StorageError("The database is closed", "The program is ending")

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite_utils.Database]:
        with self._lock:
            self._refuse_when_closed()
            db = self._idle.pop() if self._idle else None
        if db is None:
            immutable = self._opened is not None and self._opened.immutable
            db = connect(self.path, writable=False, read_only=self.read_only, immutable=immutable)
        try:
            yield db
        finally:
            with self._lock:
                keep = not self._closed and len(self._idle) < READERS
                if keep:
                    self._idle.append(db)
            if not keep:
                db.conn.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if is_damage(error) and not self.read_only:
                mark_suspect(self.path)
            raise translate(error, self.path) from error
        except OSError as error:
            raise translate_os(error, self.path) from error


def _in_transaction(db: sqlite_utils.Database, work: Callable[[sqlite_utils.Database], T]) -> T:
    # Inside this transaction sqlite_utils' own become savepoints, so that one write is one commit.
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        value = work(db)
        if not db.conn.in_transaction:
            raise RuntimeError("the work ended its transaction (executescript, commit or rollback)")
        db.conn.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        raise
    return value
