"""Golden questions and their runs. Knows rows, nothing of how a question is searched for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vpa_desktop.golden import GoldenQuestion, GoldenRank, GoldenRun
from vpa_desktop.storage.rows import many_from_json, text_to_time, time_to_text, to_json

if TYPE_CHECKING:
    import sqlite_utils

    from vpa_desktop.storage.database import Database

RUNS_KEPT = 200


class GoldenStore:
    """The golden questions of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, question: GoldenQuestion) -> None:
        """Stores a question."""
        row = {
            "id": question.id,
            "collection": question.collection,
            "question": question.question,
            "document_id": question.document_id,
            "document": question.document,
            "page": question.page,
            "created_at": time_to_text(question.created_at),
        }
        await self._db.write(lambda db: db.table("golden_questions").insert(row))

    async def questions(self, collection: str | None = None) -> list[GoldenQuestion]:
        """The questions, or a collection's, oldest first."""
        where, values = ("", []) if collection is None else (" WHERE collection = ?", [collection])
        query = f"SELECT * FROM golden_questions{where} ORDER BY created_at, id"
        return await self._db.read(lambda db: [_question(row) for row in db.query(query, values)])

    async def remove(self, question_ids: Sequence[str]) -> int:
        """Forgets questions; returns how many there were."""

        def work(db: sqlite_utils.Database) -> int:
            return sum(
                db.execute("DELETE FROM golden_questions WHERE id = ?", [each]).rowcount for each in question_ids
            )

        return await self._db.write(work)

    async def add_run(self, run: GoldenRun) -> None:
        """Stores a run, and forgets the oldest ones past two hundred of its collection."""
        row = {
            "collection": run.collection,
            "at": time_to_text(run.at),
            "questions": run.questions,
            "found": run.found,
            "mean_reciprocal_rank": run.mean_reciprocal_rank,
            "ranks": to_json(run.ranks),
        }
        old = (
            "DELETE FROM golden_runs WHERE collection = ? AND id NOT IN "
            "(SELECT id FROM golden_runs WHERE collection = ? ORDER BY id DESC LIMIT ?)"
        )

        def work(db: sqlite_utils.Database) -> None:
            db.table("golden_runs").insert(row)
            db.execute(old, [run.collection, run.collection, RUNS_KEPT])

        await self._db.write(work)

    async def runs(self, collection: str, limit: int = 30) -> list[GoldenRun]:
        """The last runs of a collection, oldest first."""
        query = "SELECT * FROM golden_runs WHERE collection = ? ORDER BY id DESC LIMIT ?"
        found = await self._db.read(lambda db: [_run(row) for row in db.query(query, [collection, limit])])
        return found[::-1]


def _question(row: dict[str, Any]) -> GoldenQuestion:
    return GoldenQuestion(**{**row, "created_at": text_to_time(row["created_at"])})


def _run(row: dict[str, Any]) -> GoldenRun:
    return GoldenRun(
        row["collection"],
        text_to_time(row["at"]),
        row["questions"],
        row["found"],
        row["mean_reciprocal_rank"],
        many_from_json(GoldenRank, row["ranks"]),
    )
