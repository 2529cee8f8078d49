"""Looks for the files of documents: which are gone, which a folder's rules leave out by now, which have changed.

May be held by a drive that does not answer: its methods are called through ``patience``, and go on behind it.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from vpa_desktop.rag.folders import Disk, file_id_of, is_empty, is_gone
from vpa_desktop.rag.ignore import IgnoreRules
from vpa_desktop.rag.readings import is_same
from vpa_desktop.records import FollowedFolder
from vpa_desktop.storage.documents import FileFacts
from vpa_desktop.storage.known_files import KnownFile


class Sweep:
    """One look at all, or some, documents. ``silent`` are places that do not answer; documents there stay.

    After ``look``: ``gone`` are ids of documents to remove; ``changed``, ``failed`` (not read before, and the same
    still) and ``unchanged`` are about files that the person named, since a walk has met the others.
    """

    def __init__(
        self, disk: Disk, folders: Sequence[FollowedFolder], silent: list[str], own: frozenset[str] = frozenset()
    ) -> None:
        self.steps = 0
        self.there: list[FollowedFolder] = []
        self._disk = disk
        self._silent = silent
        self._devices: dict[str, str] = {}
        self._rules = {folder.path: IgnoreRules(folder.path, own) for folder in folders}
        self._folders = deque(folders)
        self._page: deque[KnownFile] = deque()
        self._current = ""
        self._turn = 0
        self.begin(())

    def begin(self, page: Sequence[KnownFile]) -> None:
        """Takes the next documents; the results of those before are forgotten."""
        self._page = deque(page)
        self.gone: list[str] = []
        self.changed: list[KnownFile] = []
        self.failed: list[KnownFile] = []
        self.unchanged = 0

    def look_at_folders(self) -> None:
        """Finds out which followed folders are there, and whether their disks have other numbers now."""
        turn = self._turn
        while self._folders and turn == self._turn:
            folder = self._folders[0]
            self._current = folder.path
            file_id = "" if self._is_silent(folder.path) else self._file_id_of(folder)
            if turn != self._turn:
                return
            self._folders.popleft()
            self.steps += 1
            if file_id:
                self._devices[folder.file_id.partition(":")[0]] = file_id.partition(":")[0]
                if file_id != folder.file_id:
                    self.there.append(replace(folder, file_id=file_id))

    def look(self) -> None:
        """Looks at the documents of this page."""
        turn = self._turn
        while self._page and turn == self._turn:
            known = self._page[0]
            self._current = os.path.dirname(known.path)  # noqa: PTH120
            is_missing, facts = (False, None) if self._is_silent(known.path) else self._state_of(known)
            if turn != self._turn:
                return
            self._page.popleft()
            self.steps += 1
            self._sort(known, is_missing, facts)

    def pass_over_current(self) -> None:
        """Asks nothing more of the place that does not answer. The thread that waits there changes nothing later."""
        self._turn += 1
        self._silent.append(self._current)

    def _is_silent(self, path: str) -> bool:
        return any(path == place or path.startswith(place + os.sep) for place in self._silent)

    def _file_id_of(self, folder: FollowedFolder) -> str:
        """What its folder is now; empty where it is not there, or where only the place is that its disk would be."""
        try:
            facts = self._disk.stat(folder.path)
        except OSError:
            return ""
        file_id = file_id_of(facts, facts)
        if not stat.S_ISDIR(facts.st_mode) or (file_id != folder.file_id and is_empty(folder.path, self._disk)):
            return ""
        return file_id

    def _state_of(self, known: KnownFile) -> tuple[bool, FileFacts | None]:
        """Whether a document has to go, and what the system says of its file."""
        try:
            facts = self._disk.stat(known.path)
            of_folder = self._disk.stat(os.path.dirname(known.path))  # noqa: PTH120
        except (OSError, ValueError):
            return is_gone(known.path, known.file_id, self._disk, self._devices), None
        return self._is_left_out(known), FileFacts(facts.st_size, facts.st_mtime_ns, file_id_of(facts, of_folder))

    def _is_left_out(self, known: KnownFile) -> bool:
        rules = self._rules.get(known.folder)
        try:
            return rules is not None and rules.leaves_out_by_way(known.path)
        except OSError:
            return False  # rules that cannot be read now take nothing away

    def _sort(self, known: KnownFile, is_missing: bool, facts: FileFacts | None) -> None:
        if is_missing:
            self.gone.append(known.id)
        elif facts is None or known.folder:
            return
        elif not is_same(known.facts, facts):
            self.changed.append(known)
        elif known.is_settled:
            self.unchanged += 1
        else:
            self.failed.append(known)
