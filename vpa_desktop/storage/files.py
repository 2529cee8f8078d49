"""Private files and folders: made for their owner only, moved aside, never half-written. Knows nothing of SQLite.

Permission bits mean something on POSIX only; elsewhere the profile folder's access list protects the files.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import datetime
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def make_private_folder(folder: Path) -> None:
    """Creates ``folder`` and its missing parents, each for its owner only whatever the umask is."""
    missing = []
    place = folder
    while not place.exists():
        missing.append(place)
        place = place.parent
    for each in reversed(missing):
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)
        each.chmod(FOLDER_MODE)


def make_private_file(path: Path) -> bool:
    """Creates an empty file for its owner only; False where there was one, which is made private."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
    except FileExistsError:
        make_private(path)
        return False
    make_private(path)
    return True


def make_private(path: Path) -> None:
    """Takes away everybody else's permissions, where the file is there and it can be done."""
    with contextlib.suppress(OSError):
        if path.stat().st_mode & 0o077:
            path.chmod(FILE_MODE)


def sync_folder(folder: Path) -> None:
    """Makes a new name in ``folder`` last through a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_private(path: Path, data: bytes) -> None:
    """Replaces the file by ``data`` in one step: after a crash it is the old or the new one, never a part."""
    make_private_folder(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def stamp(moment: datetime) -> str:
    """A UTC time as it stands in file names: sortable, to the microsecond, allowed on every system."""
    return moment.strftime("%Y%m%dT%H%M%S%fZ")
