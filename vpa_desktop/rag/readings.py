"""A file as it is at one moment: what the system says of it, and its checksum. Not what is in it.

Everything here may be held by a drive that does not answer: call it through ``patience``, with ``Look.steps``.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.folders import Disk, file_id_of
from vpa_desktop.rag.loaders import MAX_FILE_BYTES, unreadable_because
from vpa_desktop.storage.documents import FileFacts
from vpa_desktop.storage.known_files import KnownFile

_BLOCK = 1 << 20
_FRESH_NS = 2_000_000_000
"""The coarsest time that a file system keeps with a file (FAT)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as it was just before it was read. ``digest`` is empty where it cannot be had, or is not wanted."""

    facts: FileFacts
    digest: str = ""


class Look:
    """One look at a file. ``steps`` counts what was read, so that a slow drive is not taken for a dead one."""

    def __init__(self, disk: Disk, path: Path, folder: str) -> None:
        self.steps = 0
        self._disk = disk
        self._path = path
        self._folder = folder

    def whole(self, known: KnownFile | None) -> Reading:
        """Returns what the system says and, where that is not what it was when the text was read, the checksum."""
        reading = self.facts()
        if known is not None and known.is_settled and is_same(known.facts, reading.facts):
            return Reading(reading.facts, known.content_hash)
        return Reading(reading.facts, self._digest())

    def facts(self) -> Reading:
        """Returns what the system says. Raises DocumentUnreadable."""
        began_ns = time.time_ns()
        facts, of_folder = _facts(self._disk, self._path)
        # A file written this very moment may be written again with the same size and time.
        is_fresh = abs(began_ns - facts.st_mtime_ns) < _FRESH_NS
        file_id = "" if is_fresh else file_id_of(facts, of_folder)
        return Reading(FileFacts(facts.st_size, facts.st_mtime_ns, file_id, self._folder))

    def _digest(self) -> str:
        """The content's SHA-256; empty where it cannot be had, which the reader then says in a sentence."""
        digest = hashlib.sha256()
        try:
            with self._path.open("rb", buffering=0) as file:
                while self.steps * _BLOCK < MAX_FILE_BYTES and (block := file.read(_BLOCK)):
                    digest.update(block)
                    self.steps += 1
        except OSError:
            return ""
        return digest.hexdigest()


def is_same(known: FileFacts, now: FileFacts) -> bool:
    """True where a file need not be read again: same size and time, and the same file where its disk says so."""
    if not known.file_id or (known.size, known.modified_ns) != (now.size, now.modified_ns):
        return False
    same_disk = known.file_id.partition(":")[0] == now.file_id.partition(":")[0]
    return not same_disk or known.file_id == now.file_id


def is_text(name: str) -> bool:
    """False for a name whose bytes are no UTF-8: Python carries those as lone surrogates, a database cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _facts(disk: Disk, path: Path) -> tuple[os.stat_result, os.stat_result]:
    """What the system says of a file and of the folder it is in."""
    try:
        facts = disk.stat(str(path))
        of_folder = disk.stat(str(path.parent))
    except OSError as exc:
        raise unreadable_because(path, exc) from exc
    except ValueError as exc:
        raise DocumentUnreadable(f"{path.name!r} is not a file's name") from exc
    if not stat.S_ISREG(facts.st_mode):
        raise DocumentUnreadable(f"{path.name} is not a file", "It is a folder, a device or a pipe")
    return facts, of_folder
