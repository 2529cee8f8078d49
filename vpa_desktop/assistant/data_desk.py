"""Backups of all data, and putting one back. Works on the data folder itself, without the rest of the program."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

from vpa_desktop.config import Paths
from vpa_desktop.errors import StorageError
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.occupancy import refuse_open_window
from vpa_desktop.storage.restoring import NOT_RESTORED, Restored, find_backup, restore

NEWER: Final = "Start the version that wrote this data, or choose another data folder"


async def restore_backup(paths: Paths, name: Path) -> Restored:
    """Put a backup in the place of the database, which is backed up; raises UsageError, StorageError.

    Refuses while a window or another copy of the program has the data open.
    """
    file = find_backup(name, paths.database, paths.backups)
    refuse_open_window(paths.window_lock, NOT_RESTORED)
    db = await Database.open(paths.database, backups=paths.backups)
    why = " ".join(db.notices) if db.read_only else ""
    await db.aclose()
    if why:
        raise StorageError(NOT_RESTORED, why, NEWER)
    done = await asyncio.to_thread(restore, file, paths.database, paths.backups)
    for each in await asyncio.to_thread(lambda: list(paths.index.iterdir())):
        with suppress(OSError):  # it would be found not to fit, and be built again
            each.unlink()
    db = await Database.open(paths.database, backups=paths.backups)
    try:
        kept = done.kept_as.name if done.kept_as else ""
        await AuditLog(db).append("data restored", file.name, "done", kept_as=kept)
    finally:
        await db.aclose()
    return done
