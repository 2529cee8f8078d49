"""Passages that a model elsewhere must never see: those of collections that stay on this computer.

They are found by their words. A passage that also stands in another document stays here all the same. Once a
collection may leave, its passages wait for their vectors like any others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vpa_desktop.storage.rows import marks
from vpa_desktop.storage.vectors import settle_model

if TYPE_CHECKING:
    import sqlite_utils

    from vpa_desktop.storage.database import Database

_FACT: Final = "kept_here"
_OF_COLLECTIONS: Final = (
    "SELECT passage_id FROM chunks JOIN documents ON documents.id = document_id WHERE collection IN ({})"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """How many passages there are to be sent, of how many tokens as they were cut, and how many stay here."""

    passages: int = 0
    tokens: int = 0
    kept_here: int = 0


class KeptHere:
    """Every method raises StorageError when the database cannot."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def settle(self, model: str, collections: Sequence[str]) -> None:
        """Lets exactly the passages wait that may have a vector of this model, the wanted one.

        Where nothing is kept here, and nothing was, that costs one look.
        """
        wanted = sorted(collections)
        if not wanted and await self._db.read(_known) == []:
            return

        def work(db: sqlite_utils.Database) -> None:
            if _known(db) != wanted:
                _let_all_wait(db, model)
                db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", [_FACT, json.dumps(wanted)])
            if wanted:
                _hold_back(db, wanted)
            settle_model(db, model)

        await self._db.write(work)

    async def is_settled(self, collections: Sequence[str]) -> bool:
        """True where it was last settled for exactly these collections."""
        return await self._db.read(_known) == sorted(collections)

    async def amount(self, collections: Sequence[str]) -> Amount:
        """Returns what would be sent to a model elsewhere, and what these collections keep here."""
        sql = (
            f"WITH kept AS ({_OF_COLLECTIONS.format(marks(collections))}), "
            "each AS (SELECT passage_id, max(tokens) AS tokens FROM chunks GROUP BY passage_id) "
            "SELECT count(*), coalesce(sum(tokens), 0), (SELECT count(DISTINCT passage_id) FROM kept) FROM each "
            "WHERE passage_id NOT IN (SELECT passage_id FROM kept)"
        )
        if not collections:
            sql = (
                "SELECT count(*), coalesce(sum(tokens), 0), 0 FROM "
                "(SELECT max(tokens) AS tokens FROM chunks GROUP BY passage_id)"
            )
        return await self._db.read(lambda db: Amount(*db.execute(sql, list(collections)).fetchone()))


def _known(db: sqlite_utils.Database) -> list[str]:
    row = db.execute("SELECT value FROM meta WHERE key = ?", [_FACT]).fetchone()
    return list(json.loads(row[0])) if row else []


def _let_all_wait(db: sqlite_utils.Database, model: str) -> None:
    db.execute(
        "INSERT OR IGNORE INTO passages_waiting (passage_id) SELECT id FROM passages "
        "EXCEPT SELECT passage_id FROM vectors WHERE model = ?",
        [model],
    )
    db.execute(
        "UPDATE documents SET state = 'indexing' WHERE state = 'ready' AND id IN "
        "(SELECT document_id FROM chunks JOIN passages_waiting USING (passage_id))"
    )


def _hold_back(db: sqlite_utils.Database, collections: Sequence[str]) -> None:
    """Takes the passages of these collections out of those that wait; a document that lacks no other is ready."""
    held = db.execute(
        f"DELETE FROM passages_waiting WHERE passage_id IN ({_OF_COLLECTIONS.format(marks(collections))})",
        list(collections),
    ).rowcount
    if held:
        db.execute(
            "UPDATE documents SET state = 'ready' WHERE state = 'indexing' AND NOT EXISTS "
            "(SELECT 1 FROM chunks JOIN passages_waiting USING (passage_id) WHERE document_id = documents.id)"
        )
