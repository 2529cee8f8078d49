"""A file that a person asked for: whole or not at all, for its owner only, never over another one unasked.

Not for the program's own files (``files``): a missing folder is not made here, it is most likely mistyped.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vpa_desktop.errors import DiskFull, StorageError, UsageError
from vpa_desktop.storage.files import FILE_MODE, sync_folder


@contextmanager
def output_file(path: Path, *, overwrite: bool = False) -> Iterator[IO[bytes]]:
    """Yields a file to write and seek in; at the end of the block it stands at ``path``.

    Raises UsageError where there is a file already or no such folder, StorageError or DiskFull where it cannot be
    written. Where the block raises, nothing of it stays.
    """
    path = path.expanduser().absolute()
    _must_be_free(path, overwrite)
    part = path.with_name(f".{path.name[:80]}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE), "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _publish(part, path, overwrite)
        sync_folder(path.parent)
    except OSError as error:
        raise _translated(error, path) from error
    finally:
        part.unlink(missing_ok=True)


def _must_be_free(path: Path, overwrite: bool) -> None:
    try:
        if path.is_dir():
            raise UsageError("Nothing was written", f"{path} is a folder", "Name a file in it")
        if not path.parent.is_dir():
            raise UsageError("Nothing was written", f"There is no folder {path.parent}", "Make it, or name another")
        if path.exists() and not overwrite:
            raise _exists(path)
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise _translated(error, path) from error


def _publish(part: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)  # fails where somebody was faster, which a rename does not
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        part.replace(path)  # a file system without links, such as that of most memory sticks


def _exists(path: Path) -> UsageError:
    return UsageError("Nothing was written", f"There is a file {path} already", "Name another one, or add --force")


def _translated(error: OSError, path: Path) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"{path} was not written", "There is no room left on that disk", "Free some space there, or name another"
        )
    return StorageError(
        f"{path} was not written", error.strerror or str(error), "Name a file in a folder where you may write"
    )
