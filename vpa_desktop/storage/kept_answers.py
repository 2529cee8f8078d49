"""Whole answers kept on disk, so that another process or the next start has them too. Not when they may be given.

An answer goes with the conversation it was first given in and with the passages it used: triggers in ``schema``
see to that, whoever deletes them. Times are Unix seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vpa_desktop.messages import LLMResponse, Usage
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.rows import from_json, money_to_text, text_to_money, to_json

if TYPE_CHECKING:
    import sqlite_utils

USED_EVERY_S: Final = 3_600.0
"""How exactly it is known when an answer was last of use: a note for each time would be a write for each."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, when it was bought and where, and the passages it is based on (ids of documents and of chunks)."""

    response: LLMResponse
    at: float
    conversation_id: str | None = None
    document_ids: tuple[str, ...] = ()
    chunk_ids: tuple[int, ...] = ()


class KeptAnswerStore:
    """The kept answers of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def generation_now(self) -> int:
        """A number that changes when kept answers were deleted, by any process; read at once, in some 20 µs."""
        query = "SELECT value FROM meta WHERE key = 'cache_generation'"
        return self._db.read_now(lambda db: int(db.execute(query).fetchone()[0]))

    async def get(self, key: bytes) -> KeptAnswer | None:
        """The answer kept under this key, None where there is none."""
        query = "SELECT answer, at, used_at FROM cached_answers WHERE key = ?"
        row = await self._db.read(lambda db: db.execute(query, [key]).fetchone())
        return None if row is None else KeptAnswer(_response(row[0]), row[1])

    async def put(self, key: bytes, kept: KeptAnswer, *, oldest: float, most: int) -> bool:
        """Keeps an answer, removes those from before ``oldest`` and, past ``most``, those longest out of use.

        False where one of its passages, or its conversation, is no longer there: then nothing is kept.
        """

        def work(db: sqlite_utils.Database) -> bool:
            db.execute("DELETE FROM cached_answers WHERE at < ?", [oldest])
            if not _still_there(db, kept):
                return False
            db.execute(
                "INSERT INTO cached_answers (key, at, used_at, answer, conversation_id) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET at = excluded.at, used_at = excluded.used_at, "
                "answer = excluded.answer, conversation_id = excluded.conversation_id",
                [key, kept.at, kept.at, _text(kept.response), kept.conversation_id],
            )
            db.execute("DELETE FROM cached_answer_documents WHERE key = ?", [key])
            for document_id in kept.document_ids:
                db.execute("INSERT INTO cached_answer_documents VALUES (?, ?)", [key, document_id])
            _trim(db, most)
            return True

        return await self._db.write(work)

    async def used(self, key: bytes, at: float) -> None:
        """Notes that an answer was of use, unless it was noted within the last hour."""
        query = "UPDATE cached_answers SET used_at = ? WHERE key = ? AND used_at < ?"
        await self._db.write(lambda db: db.execute(query, [at, key, at - USED_EVERY_S]))

    async def count(self, since: float) -> int:
        """How many are kept that are not older than ``since``."""
        query = "SELECT count(*) FROM cached_answers WHERE at >= ?"
        return await self._db.read(lambda db: int(db.execute(query, [since]).fetchone()[0]))

    async def forget(self, before: float | None = None) -> int:
        """Removes all of them, or those from before a time; returns how many that were."""
        query = "DELETE FROM cached_answers" + ("" if before is None else " WHERE at < ?")
        values = [] if before is None else [before]
        return await self._db.write(lambda db: db.execute(query, values).rowcount)


def _still_there(db: sqlite_utils.Database, kept: KeptAnswer) -> bool:
    """Whether what the answer came from was deleted, or read anew, while it was on its way."""
    if kept.conversation_id is not None:
        query = "SELECT 1 FROM conversations WHERE id = ?"
        if db.execute(query, [kept.conversation_id]).fetchone() is None:
            return False
    wanted: Sequence[int] = tuple(dict.fromkeys(kept.chunk_ids))
    query = f"SELECT count(*) FROM chunks WHERE id IN ({', '.join('?' * len(wanted))})"
    return not wanted or int(db.execute(query, list(wanted)).fetchone()[0]) == len(wanted)


def _trim(db: sqlite_utils.Database, most: int) -> None:
    """Past ``most`` a twentieth goes at once: deletions make every process look again."""
    count = int(db.execute("SELECT count(*) FROM cached_answers").fetchone()[0])
    if count > most:
        query = (
            "DELETE FROM cached_answers WHERE key IN (SELECT key FROM cached_answers ORDER BY used_at, rowid LIMIT ?)"
        )
        db.execute(query, [count - most + most // 20])


def _text(response: LLMResponse) -> str:
    facts = {
        "content": response.content,
        "provider": response.provider,
        "model": response.model,
        "finish_reason": response.finish_reason,
        "usage": response.usage,
        "reasoning": response.reasoning,
        "cost_usd": money_to_text(response.cost_usd),
        "ttft_ms": response.ttft_ms,
        "latency_ms": response.latency_ms,
        "request_id": response.request_id,
    }
    return to_json(facts)


def _response(text: str) -> LLMResponse:
    facts: dict[str, Any] = json.loads(text)
    facts["usage"] = from_json(Usage, facts["usage"])
    facts["cost_usd"] = text_to_money(facts["cost_usd"])
    return from_json(LLMResponse, facts)
