"""Follows folders while the program runs: what the system reports at once, everything else at a look now and then.

Not what is done about a change: that is ``keeping``. A network drive reports nothing, and a system has only so many
watches; the look now and then finds what was not reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from vpa_desktop.errors import KnowledgeError, StorageError
from vpa_desktop.rag.keeping import Keeping, Steps
from vpa_desktop.records import FollowedFolder, IngestProgress, IngestReport

log = logging.getLogger(__name__)
LOOK_EVERY_S = 900.0
LOOK_SOONER_S = 300.0
"""Where the system does not report from every folder."""
LOOK_AGAIN_S = 60.0
"""After an error."""
_BEGIN_S = 10.0
_SETTLE_MS, _STEP_MS, _WAKE_MS = 1000, 50, 5_000
_PATHS_KEPT = 20_000

Tell = Callable[[IngestProgress | IngestReport], None]


class Reports:
    """What the system reports of one folder, collected in a thread of its own: a drive may hold it for ever."""

    def __init__(self, root: str, wake: Callable[[], object]) -> None:
        self.begun = threading.Event()
        self.are_refused = False
        self._root = root
        self._wake = wake
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        threading.Thread(target=self._run, name="folder reports", daemon=True).start()

    def take(self) -> set[str]:
        """Returns the paths with a change since the last time."""
        with self._lock:
            paths, self._paths = self._paths, set()
        return paths

    def stop(self) -> None:
        """Ends the thread."""
        self._stop.set()

    def _run(self) -> None:
        from watchfiles._rust_notify import RustNotify

        try:
            if not os.path.isdir(self._root):  # noqa: PTH112 - the library says nothing of one that is not there
                raise FileNotFoundError(self._root)
            with RustNotify([self._root], False, False, 300, True, True) as notify:
                self.begun.set()
                while not self._stop.is_set():
                    changes = notify.watch(_SETTLE_MS, _STEP_MS, _WAKE_MS, self._stop)
                    if isinstance(changes, set):
                        self._keep(path for _, path in changes)
        except (OSError, RuntimeError) as refused:
            log.info("changes of a folder are not reported: %s", refused)
            self.are_refused = True
            self.begun.set()

    def _keep(self, paths: Iterable[str]) -> None:
        with self._lock:
            if len(self._paths) < _PATHS_KEPT:
                self._paths.update(paths)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._wake()


class FolderWatch:
    """Keeps the documents of followed folders up to date until it is cancelled.

    ``folders`` returns what is followed; ``tell`` hears of the work, but not of looks that found nothing to do.
    ``note`` hears a sentence when something stands in the way, and an empty one when it no longer does.
    """

    def __init__(
        self,
        keeping: Keeping,
        folders: Callable[[], Awaitable[Sequence[FollowedFolder]]],
        tell: Tell = lambda step: None,
        note: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._keeping = keeping
        self._folders = folders
        self._tell = tell
        self._note = note

    async def run(self) -> None:
        """Looks at everything, then takes over changes as they come; again when folders are added or forgotten."""
        while True:
            roots = await self._roots()
            wake = partial(asyncio.get_running_loop().call_soon_threadsafe, self._keeping.woken.set)
            reports = [Reports(root, wake) for root in roots]
            try:
                # The reports begin first: nothing that happens during the look is missed.
                await asyncio.to_thread(_wait_for, reports)
                went_well = await self._work(self._keeping.sync(background=True))
                await self._follow(roots, reports, went_well)
            finally:
                for report in reports:
                    report.stop()

    async def _follow(self, roots: Sequence[str], reports: Sequence[Reports], went_well: bool) -> None:
        """Takes over what is reported, until it is time for the next look or the folders are others."""
        sooner = any(report.are_refused or not report.begun.is_set() for report in reports)
        seconds = (LOOK_SOONER_S if sooner else LOOK_EVERY_S) if went_well else LOOK_AGAIN_S
        until = time.monotonic() + seconds
        while time.monotonic() < until and await self._roots() == roots:
            paths = set().union(*(report.take() for report in reports))
            if paths and not await self._work(self._keeping.follow(paths)):
                until = min(until, time.monotonic() + LOOK_AGAIN_S)
            if not paths:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._keeping.woken.wait(), max(0.0, until - time.monotonic()))
            self._keeping.woken.clear()

    async def _roots(self) -> list[str]:
        """The followed folders that are not in one of the others."""
        roots: list[str] = []
        for path in sorted({folder.path for folder in await self._folders()}):
            if not any(path.startswith(above + os.sep) for above in roots):
                roots.append(path)
        return roots

    async def _work(self, steps: Steps) -> bool:
        """Does the work and tells of it; False where it could not be done."""
        try:
            async with contextlib.aclosing(steps):
                async for step in steps:
                    if _is_worth_telling(step):
                        self._tell(step)
        except (KnowledgeError, StorageError) as error:
            self._note(str(error))
            return False
        self._note("")
        return True


def _wait_for(reports: Sequence[Reports]) -> None:
    until = time.monotonic() + _BEGIN_S
    for report in reports:
        report.begun.wait(max(0.0, until - time.monotonic()))


def _is_worth_telling(step: IngestProgress | IngestReport) -> bool:
    if isinstance(step, IngestReport):
        return bool(step.added or step.updated or step.moved or step.removed or step.chunks)
    return bool(step.current or step.chunks_total)
