"""The passages' vectors, by model: which are there, which are wanted, and whose answer questions now.

Every change to passages or vectors raises ``index_generation`` in the same transaction, so that a vector index beside
the database knows whether it still matches. A vector belongs to its passage's id for good. Vectors are kept as
half-precision bytes.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vpa_desktop.storage.rows import marks, portions

if TYPE_CHECKING:
    import sqlite_utils

    from vpa_desktop.storage.database import Database

_WANTED, _ANSWERING = "embedding_model", "answering_model"


@dataclass(frozen=True, slots=True)
class VectorChange:
    """What a transaction did: the generation after it, passages gone, and vectors new for the wanted model."""

    generation: int
    removed: tuple[int, ...] = ()
    added: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Models:
    """The model whose vectors are wanted, and the one whose vectors answer until those are complete.

    The choices are what the settings said to get them.
    """

    wanted: str
    wanted_choice: str
    answering: str
    choice: str


class VectorStore:
    """Reads and writes vectors. Every method raises StorageError when the database cannot."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def adopt_model(self, model: str, choice: str) -> None:
        """Makes ``model`` the one whose vectors are wanted. Those of the one before stay until the new are complete.

        ``choice`` is what the settings say to get it.
        """
        known = await self._db.read(_models)
        if known is not None and (known.wanted, known.wanted_choice) == (model, choice):
            return

        def work(db: sqlite_utils.Database) -> None:
            before = _models(db)
            keep = before.answering if before else ""
            if before is not None:
                _set(db, _ANSWERING, before.answering)
                _set(db, f"{_ANSWERING}_choice", before.choice)
            _set(db, _WANTED, model)
            _set(db, f"{_WANTED}_choice", choice)
            db.execute("DELETE FROM vectors WHERE model NOT IN (?, ?)", [model, keep])
            db.execute("DELETE FROM passages_waiting")
            db.execute(
                "INSERT INTO passages_waiting (passage_id) SELECT id FROM passages "
                "EXCEPT SELECT passage_id FROM vectors WHERE model = ?",
                [model],
            )
            db.execute(
                "UPDATE documents SET state = 'indexing' WHERE state = 'ready' AND id IN "
                "(SELECT document_id FROM chunks JOIN passages_waiting USING (passage_id))"
            )
            settle_model(db, model)
            raise_generation(db)

        await self._db.write(work)

    async def models(self) -> Models | None:
        """Returns whose vectors are wanted and whose answer; None before the first model."""
        return await self._db.read(_models)

    async def waiting(self, model: str, limit: int, never: Sequence[str] = ()) -> list[tuple[int, str, str]]:
        """Returns (id, heading, text) of passages that wait for their vector, oldest first.

        None wait for a model that is not, or no longer, the wanted one; ``never`` are collections whose passages it
        must not see.
        """
        sql = (
            "SELECT id, heading, text FROM passages_waiting JOIN passages ON id = passage_id "
            "WHERE ? = (SELECT value FROM meta WHERE key = 'embedding_model') "
        )
        if never:
            sql += (
                "AND id NOT IN (SELECT passage_id FROM chunks JOIN documents ON documents.id = document_id "
                f"WHERE collection IN ({marks(never)})) "
            )
        values = [model, *never, limit]
        return await self._db.read(
            lambda db: [(i, h, t) for i, h, t in db.execute(sql + "ORDER BY id LIMIT ?", values).fetchall()]
        )

    async def count_waiting(self) -> int:
        """Returns how many passages wait for their vector."""
        return await self._db.read(_count_waiting)

    async def put(self, model: str, vectors: Sequence[tuple[int, bytes]]) -> VectorChange:
        """Stores vectors of passages that still wait for them, and marks documents ready that lack none.

        With the last one the model begins to answer, and the vectors of others are deleted.
        """

        def work(db: sqlite_utils.Database) -> VectorChange:
            known = _models(db)
            added = []
            if known is not None and known.wanted == model:
                for passage_id, vector in vectors:
                    if db.execute("DELETE FROM passages_waiting WHERE passage_id = ?", [passage_id]).rowcount:
                        sql = "INSERT OR REPLACE INTO vectors (passage_id, model, vector) VALUES (?, ?, ?)"
                        db.execute(sql, [passage_id, model, vector])
                        added.append((passage_id, vector))
                mark_ready(db, [passage_id for passage_id, _ in added])
                settle_model(db, model)
            return changed(db, [], added)

        return await self._db.write(work)

    async def settle(self, model: str) -> None:
        """Lets the model answer if none of its vectors is wanting any more: the last that did may be gone."""
        known = await self.models()
        if known is not None and known.wanted == model != known.answering:
            await self._db.write(lambda db: settle_model(db, model))

    async def ids(self, model: str) -> tuple[int, array[int]]:
        """Returns the generation, and the ids of all passages that have a vector of this model, rising."""
        sql = "SELECT passage_id FROM vectors WHERE model = ? ORDER BY passage_id"
        return await self._db.read(lambda db: (_generation(db), array("q", (i for (i,) in db.execute(sql, [model])))))

    async def vectors(self, model: str, passage_ids: Sequence[int]) -> list[tuple[int, bytes]]:
        """Returns (id, vector) of those of these passages that have one."""
        return await self._db.read(lambda db: _vectors(db, model, passage_ids))

    def vectors_now(self, model: str, passage_ids: Sequence[int]) -> list[tuple[int, bytes]]:
        """``vectors`` for worker threads."""
        return self._db.read_now(lambda db: _vectors(db, model, passage_ids))

    async def dimensions(self, model: str) -> int | None:
        """Returns how many numbers a vector of this model has; None where there is none."""
        sql = "SELECT length(vector) / 2 FROM vectors WHERE model = ? LIMIT 1"

        def read(db: sqlite_utils.Database) -> int | None:
            row = db.execute(sql, [model]).fetchone()
            return None if row is None else int(row[0])

        return await self._db.read(read)

    async def generation(self) -> int:
        """Returns the number that every change to passages and vectors raises."""
        return await self._db.read(_generation)


def changed(db: sqlite_utils.Database, removed: Sequence[int], added: Sequence[tuple[int, bytes]]) -> VectorChange:
    """Raises the generation where there was a change, and says what it was."""
    if removed or added:
        raise_generation(db)
    return VectorChange(_generation(db), tuple(removed), tuple(added))


def raise_generation(db: sqlite_utils.Database) -> None:
    """Says to every index that it is behind."""
    db.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'index_generation'")


def mark_ready(db: sqlite_utils.Database, passage_ids: Sequence[int]) -> None:
    """Marks the documents that hold these passages ready where none of theirs waits any more."""
    for some in portions(passage_ids):
        db.execute(
            "UPDATE documents SET state = 'ready' WHERE state = 'indexing' "
            f"AND id IN (SELECT document_id FROM chunks WHERE passage_id IN ({marks(some)})) "
            "AND NOT EXISTS (SELECT 1 FROM chunks JOIN passages_waiting USING (passage_id) "
            "WHERE document_id = documents.id)",
            some,
        )


def settle_model(db: sqlite_utils.Database, model: str) -> None:
    """Lets the wanted model answer when its vectors are complete, or when nothing else could answer."""
    known = _models(db)
    has_answering = known is not None and bool(
        db.execute("SELECT 1 FROM vectors WHERE model = ? LIMIT 1", [known.answering]).fetchone()
    )
    if known is not None and has_answering and (known.answering == model or _count_waiting(db)):
        return
    _set(db, _ANSWERING, model)
    _set(db, f"{_ANSWERING}_choice", known.wanted_choice if known is not None else "")
    db.execute("DELETE FROM vectors WHERE model <> ?", [model])


def _models(db: sqlite_utils.Database) -> Models | None:
    keys = (_WANTED, f"{_WANTED}_choice", _ANSWERING, f"{_ANSWERING}_choice")
    facts: dict[str, str] = dict(
        db.execute(f"SELECT key, value FROM meta WHERE key IN ({marks(keys)})", keys).fetchall()
    )
    wanted = facts.get(_WANTED)
    if wanted is None:
        return None
    # A database from before two models could be there at once has vectors of the wanted one alone.
    return Models(
        wanted,
        facts.get(f"{_WANTED}_choice", ""),
        facts.get(_ANSWERING, wanted),
        facts.get(f"{_ANSWERING}_choice", "default"),
    )


def _vectors(db: sqlite_utils.Database, model: str, passage_ids: Sequence[int]) -> list[tuple[int, bytes]]:
    sql = "SELECT passage_id, vector FROM vectors WHERE passage_id IN (SELECT value FROM json_each(?)) AND model = ?"
    return [(i, v) for i, v in db.execute(sql, [json.dumps(list(passage_ids)), model])]


def _set(db: sqlite_utils.Database, key: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", [key, value])


def _count_waiting(db: sqlite_utils.Database) -> int:
    return int(db.execute("SELECT count(*) FROM passages_waiting").fetchone()[0])


def _generation(db: sqlite_utils.Database) -> int:
    return int(db.execute("SELECT value FROM meta WHERE key = 'index_generation'").fetchone()[0])
