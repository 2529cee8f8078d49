"""A verified copy of the database that is at most a day old, made while the program runs. Migrations make their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from vpa_desktop.errors import StorageError
from vpa_desktop.storage.database import Database

EVERY_S: Final = 24 * 3_600
LOOK_EVERY_S: Final = 3_600


async def keep_backed_up(db: Database, folder: Path, notices: MutableMapping[str, str]) -> None:
    """Back up whenever the newest copy is a day old, until cancelled; a full disk is a notice, not an error."""
    while True:
        try:
            if time.time() - await asyncio.to_thread(_newest, folder) > EVERY_S:
                await db.backup()
            notices.pop("backup", None)
        except (StorageError, OSError) as exc:
            notices["backup"] = f"There is no backup of today. {exc}"
        await asyncio.sleep(LOOK_EVERY_S)


def _newest(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.glob("*.db")), default=0.0)
