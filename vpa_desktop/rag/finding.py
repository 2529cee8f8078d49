"""Which files have to be read, and which documents are gone: the disk beside what is known of it. Reads no content."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import NamedTuple

from vpa_desktop.rag.file_reading import Outcome
from vpa_desktop.rag.folders import FoundFile, Walk, file_id_of
from vpa_desktop.rag.ignore import IgnoreRules
from vpa_desktop.rag.ingest import Stores
from vpa_desktop.rag.patience import Patience
from vpa_desktop.rag.readings import is_same, is_text
from vpa_desktop.rag.sweep import Sweep
from vpa_desktop.rag.tally import Tally
from vpa_desktop.records import FollowedFolder
from vpa_desktop.storage.documents import FileFacts

_LOOKED_AT_ONCE = 1_000


class Task(NamedTuple):
    """A file that has to be read. ``folder`` is the followed one it is in."""

    path: str
    collection: str
    folder: str = ""


Tasks = AsyncGenerator[list[Task], None]
Remove = Callable[[Sequence[str], Tally], Awaitable[None]]


class Finder:
    """Each of its generators yields the files to be read in portions, and counts in the tally what need not be."""

    def __init__(self, stores: Stores, now: Callable[[], datetime], own: frozenset[str]) -> None:
        self._files = stores.files
        self._disk = stores.disk
        self._limit_s = stores.patience.limit_s
        self._now = now
        self._own = own

    async def followed(self, paths: Sequence[str], collection: str) -> list[FollowedFolder]:
        """Follows those of these paths that are folders, and returns them."""
        folders = []
        patience = Patience(self._limit_s)
        for path in filter(is_text, paths):
            await self._files.take_in(path, collection)
            try:
                facts = await patience.call(partial(self._disk.stat, path))
            except (OSError, ValueError):
                continue  # a TimeoutError, too: reading it says why
            if stat.S_ISDIR(facts.st_mode):
                folder = FollowedFolder(path, collection, file_id_of(facts, facts), self._now())
                await self._files.follow(folder)
                folders.append(folder)
        patience.close()
        return folders

    async def given(
        self, paths: Sequence[str], collection: str, folders: Sequence[FollowedFolder], tally: Tally
    ) -> Tasks:
        """Files that were named, whatever they are, and what is in the folders among them."""
        followed = {folder.path: folder for folder in folders}
        files = frozenset(paths) - followed.keys()
        for path in dict.fromkeys(paths):
            if path in files:
                yield [Task(path, collection)]
                continue
            walked = self.walked([followed[path]], tally, retry_failed=True, passing_over=files)
            async with aclosing(walked) as tasks:
                async for portion in tasks:
                    yield portion

    async def walked(
        self,
        folders: Sequence[FollowedFolder],
        tally: Tally,
        *,
        retry_failed: bool = False,
        passing_over: frozenset[str] = frozenset(),
    ) -> Tasks:
        """Walks folders. Without ``retry_failed`` a file that could not be read is only read again when it changed."""
        every = await self._files.folders()
        for folder in folders:
            others = frozenset(other.path for other in every if other.collection == folder.collection) - {folder.path}
            walk = Walk(IgnoreRules(folder.path, self._own), self._disk, others | passing_over)
            async with aclosing(self._portions(walk, tally)) as portions:
                async for portion in portions:
                    yield await self._changed_in(portion, folder, tally, retry_failed)

    async def _portions(self, walk: Walk, tally: Tally) -> AsyncGenerator[list[FoundFile], None]:
        patience = Patience(self._limit_s)
        try:
            while True:
                try:
                    portion = await patience.call(walk.portion, partial(_steps_of, walk))
                except TimeoutError:
                    walk = walk.without_current()
                    continue
                if not portion:
                    break
                yield portion
        finally:
            patience.close()
        tally.silent += walk.silent
        for failure in walk.failures:
            tally.fail(failure.path, failure.reason)

    async def _changed_in(
        self, portion: Sequence[FoundFile], folder: FollowedFolder, tally: Tally, retry_failed: bool
    ) -> list[Task]:
        """Returns what is new or changed of the files found; of the others only notes what the system says now."""
        readable = [found for found in portion if is_text(found.path)]
        for found in portion:
            if not is_text(found.path):
                tally.files_total += 1
                reason = "Its name is not written in Unicode. Rename it and add it again."
                tally.count(found.path, Outcome("failed", reason=reason))
        paths = [found.path for found in readable]
        known = await self._files.known(paths, folder.collection)
        left_out = await self._files.left_out(paths, folder.collection)
        tasks, touched, unchanged = [], [], 0
        for path, size, modified_ns, file_id in readable:
            before = known.get(path)
            facts = FileFacts(size, modified_ns, file_id, folder.path)
            if path in left_out:
                continue
            if before is None or not is_same(before.facts, facts) or (retry_failed and not before.is_settled):
                tasks.append(Task(path, folder.collection, folder.path))
                continue
            if before.is_settled:
                unchanged += 1
            else:
                tally.files_total += 1
                tally.count(path, Outcome("failed", reason=before.reason))
            if facts != before.facts and file_id:
                touched.append((before.id, facts))
        await self._files.touch(touched)
        tally.count_unchanged(unchanged)
        return tasks

    async def met(self, paths: Sequence[str], folders: Sequence[FollowedFolder], tally: Tally) -> Tasks:
        """What has to be read of paths that the system reported."""
        for folder in folders:
            rules = IgnoreRules(folder.path, self._own)
            inside = [path for path in paths if path.startswith(folder.path + os.sep)]
            patience = Patience(self._limit_s)
            for path in inside:
                try:
                    found = await patience.call(partial(self._look, path, rules))
                except OSError:
                    continue  # gone, closed or silent: the next check says so
                if isinstance(found, FoundFile):
                    yield await self._changed_in([found], folder, tally, False)
                elif found is not None:
                    async with aclosing(self._portions(found, tally)) as portions:
                        async for portion in portions:
                            yield await self._changed_in(portion, folder, tally, False)
            patience.close()

    def _look(self, path: str, rules: IgnoreRules) -> FoundFile | Walk | None:
        """Returns a file, the walk through a folder, or nothing where neither is meant."""
        if rules.leaves_out_by_way(path) or _is_behind_link(path, rules.root):
            return None
        facts = self._disk.stat(path)
        if stat.S_ISDIR(facts.st_mode):
            return Walk(rules, self._disk, start=path)
        if not stat.S_ISREG(facts.st_mode):
            return None
        of_folder = self._disk.stat(os.path.dirname(path))  # noqa: PTH120
        return FoundFile(path, facts.st_size, facts.st_mtime_ns, file_id_of(facts, of_folder))

    async def swept(self, places: Sequence[str | None], tally: Tally, remove: Remove) -> Tasks:
        """Removes documents whose files are gone or left out by now; finds files added by name that have changed.

        ``places`` are the files and folders to look at; None is all of them.
        """
        sweep = Sweep(self._disk, await self._files.folders(), tally.silent, self._own)
        patience = Patience(self._limit_s)
        try:
            await _let_look(patience, sweep.look_at_folders, sweep)
            for place in places:
                last = ""
                while page := await self._files.after(last, _LOOKED_AT_ONCE, place):
                    last = page[-1].id
                    sweep.begin(page)
                    await _let_look(patience, sweep.look, sweep)
                    await remove(sweep.gone, tally)
                    if place is None:
                        _count_named(sweep, tally)
                    yield [Task(known.path, known.collection) for known in sweep.changed]
            for folder in sweep.there:
                await self._files.follow(folder)
        finally:
            patience.close()


def _count_named(sweep: Sweep, tally: Tally) -> None:
    tally.count_unchanged(sweep.unchanged)
    for known in sweep.failed:
        tally.files_total += 1
        tally.count(known.path, Outcome("failed", reason=known.reason))


async def _let_look(patience: Patience, work: Callable[[], None], sweep: Sweep) -> None:
    while True:
        try:
            await patience.call(work, lambda: sweep.steps)
        except TimeoutError:
            sweep.pass_over_current()
        else:
            return


def _steps_of(walk: Walk) -> int:
    return walk.steps


def _is_behind_link(path: str, root: str) -> bool:
    """True where the path, or a folder between it and the root, is a link: a walk would not have followed it."""
    while len(path) > len(root):
        if os.path.islink(path):  # noqa: PTH114
            return True
        path = os.path.dirname(path)  # noqa: PTH120
    return False
