"""Which files a person means by the paths they gave: regular files only, no link followed out of what they chose.

A walk gives its files in portions and keeps no list of them, so that a million of them fit. Everything here may be held
by a drive that does not answer: call it through ``patience``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from vpa_desktop.records import IngestFailure

if TYPE_CHECKING:
    from vpa_desktop.rag.ignore import IgnoreRules

_PASSED_OVER = frozenset(
    # drawings, sound, films
    ".ico .heic .psd .mp3 .wav .flac .ogg .m4a .mp4 .mkv .mov .avi .webm "
    # programs and what they leave behind
    ".exe .dll .so .dylib .o .a .lib .obj .class .pyc .pyd .whl .jar .war .deb .rpm .msi .dmg .iso .img .wasm .lock "
    # archives, databases, fonts, model weights
    ".gz .bz2 .xz .zst .7z .rar .tar .tgz .db .sqlite .sqlite3 .ttf .otf .woff .woff2 .onnx .gguf .safetensors "
    ".pt .npy .npz .parquet .faiss .map".split()
)
_FOLDERS_PASSED_OVER = frozenset(("node_modules", "__pycache__", "site-packages", "__MACOSX"))
_LEFT_BEHIND = frozenset(".tmp .temp .part .partial .crdownload .download .swp .swo .swx .db-wal .db-shm".split())
_SYSTEM_NAMES = frozenset(
    (
        "lost+found",
        "$RECYCLE.BIN",
        "System Volume Information",
        "Thumbs.db",
        "desktop.ini",
        "bower_components",
        "Caches",
    )
)
PORTION = 500


class FoundFile(NamedTuple):
    """A file as a walk met it."""

    path: str
    size: int
    modified_ns: int
    file_id: str


class Disk:
    """The file system as a walk asks it; each call may take for ever."""

    def entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Yields what is in a folder. Raises OSError where it may not be read."""
        with os.scandir(folder) as entries:
            yield from entries

    def stat(self, path: str) -> os.stat_result:
        """Returns what the system says of a path, links followed. Raises OSError."""
        return os.stat(path)  # noqa: PTH116 - a Path costs as much as the call


def file_id_of(facts: os.stat_result, folder: os.stat_result) -> str:
    """Returns what tells a file from others on this machine while its disk is mounted; empty where that is not said.

    The disk is the folder's: a layered file system gives its files other ones. Windows says nothing in a listing.
    """
    return f"{folder.st_dev:x}:{facts.st_ino:x}" if facts.st_ino else ""


def could_be_document(name: PurePath, *, is_folder: bool = False) -> bool:
    """False for hidden names, what other programs keep beside documents, and kinds that never hold text."""
    last, suffix = name.name, name.suffix.lower()
    if not is_folder and (
        suffix in _PASSED_OVER or suffix in _LEFT_BEHIND or last.startswith("~$") or last[-1:] == "~"
    ):
        return False
    return not any(
        piece.startswith(".") or piece in _FOLDERS_PASSED_OVER or piece in _SYSTEM_NAMES for piece in name.parts
    )


class Walk:
    """The files below one folder. ``steps`` counts what it met; ``current`` is where it is.

    ``skip`` are folders and files that are read on their own. ``failures`` are the folders that could not be looked
    into, with a sentence each; those that do not answer are ``silent``.
    """

    def __init__(self, rules: IgnoreRules, disk: Disk, skip: frozenset[str] = frozenset(), start: str = "") -> None:
        self.steps = 0
        self.current = start or rules.root
        self.failures: list[IngestFailure] = []
        self.silent: list[str] = []
        self._rules = rules
        self._disk = disk
        self._skip = skip
        self._waiting = [self.current]
        self._entries: Iterator[os.DirEntry[str]] | None = None
        self._folder: os.stat_result | None = None
        self._found: list[FoundFile] = []

    def portion(self) -> list[FoundFile]:
        """Returns the next files, by path; none where there are no more."""
        while len(self._found) < PORTION and (self._entries is not None or self._waiting):
            if self._entries is None:
                self.current = self._waiting.pop()
                self._folder = None
                self._entries = self._disk.entries(self.current)
            try:
                if self._entries_of_portion():
                    self._entries = None
            except OSError as exc:
                self._entries = None
                self._close(_closed_because(self.current, exc))
        found, self._found = self._found, []
        return sorted(found)

    def without_current(self) -> Walk:
        """Returns a walk that goes on behind the folder that does not answer; this one is left to its thread."""
        walk = Walk(self._rules, self._disk, self._skip)
        walk._waiting, walk._found = list(self._waiting), list(self._found)
        walk.failures, walk.silent, walk.current = list(self.failures), [*self.silent, self.current], self.current
        walk._close("It does not answer. It may be on a network drive that is not there. It is tried again later.")
        return walk

    def _close(self, reason: str) -> None:
        self.failures.append(IngestFailure(self.current, reason))

    def _entries_of_portion(self) -> bool:
        """Takes entries of the current folder until the portion is full; True at the folder's end."""
        assert self._entries is not None
        if self._folder is None:
            self._rules.read(self.current)
            self._folder = self._disk.stat(self.current)
        for entry in self._entries:
            self.steps += 1
            self._take(entry)
            if len(self._found) >= PORTION:
                return False
        return True

    def _take(self, entry: os.DirEntry[str]) -> None:
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            if self._rules.leaves_out(entry.path, entry.name, is_folder=is_folder):
                return
            facts = None if is_folder else entry.stat(follow_symlinks=False)
        except OSError:
            return  # gone since it was listed, or nobody's business
        if entry.path in self._skip:
            return
        if is_folder:
            self._waiting.append(entry.path)
        elif facts is not None and stat.S_ISREG(facts.st_mode):
            assert self._folder is not None
            file_id = file_id_of(facts, self._folder)
            self._found.append(FoundFile(entry.path, facts.st_size, facts.st_mtime_ns, file_id))


def _closed_because(folder: str, exc: OSError) -> str:
    if isinstance(exc, PermissionError):
        return f"{folder} may not be looked into. You have no right to it. Change its permissions."
    if isinstance(exc, FileNotFoundError):
        return f"{folder} is not there. It was moved, or its disk is not connected. It is tried again later."
    return f"{folder} could not be looked into. The system says: {exc.strerror or type(exc).__name__}."


def is_gone(path: str, file_id: str, disk: Disk, devices: Mapping[str, str] | None = None) -> bool:
    """True only where a file is missing from a disk that is there.

    ``file_id`` says which disk it was on; ``devices`` gives disks that have another number since then by their old
    one. What may not be looked at is not gone.
    """
    try:
        disk.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return _is_disk_there(path, file_id.partition(":")[0], disk, devices or {})
    except (OSError, ValueError):
        return False
    return False


def _is_disk_there(path: str, device: str, disk: Disk, devices: Mapping[str, str]) -> bool:
    folder = os.path.dirname(path)  # noqa: PTH120
    is_parent = True
    while True:
        try:
            facts = disk.stat(folder)
            break
        except (FileNotFoundError, NotADirectoryError):
            above = os.path.dirname(folder)  # noqa: PTH120
            if above == folder:
                return False  # a drive letter, or a share, that is not there
            folder, is_parent = above, False
        except OSError:
            return False
    if f"{facts.st_dev:x}" == devices.get(device, device):
        return True
    # The numbers of disks change with a restart. An empty folder is where one that is not there would be.
    return is_parent and stat.S_ISDIR(facts.st_mode) and not is_empty(folder, disk)


def is_empty(folder: str, disk: Disk) -> bool:
    """True for a folder with nothing in it, and for one that may not be looked into."""
    try:
        return not any(True for _ in disk.entries(folder))
    except OSError:
        return True
