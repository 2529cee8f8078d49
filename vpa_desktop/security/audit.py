"""What was done with keys, data and settings, as a chain of hashes. Not a log of conversations: no content goes in.

Each entry's hash covers the one before it, so that a change, an insertion or a removal in the middle shows.
What it cannot show by itself is that the newest entries were cut off, or that somebody rewrote the whole chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vpa_desktop.security.redaction import redact
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.rows import text_to_time, time_to_text, utc_now

if TYPE_CHECKING:
    import sqlite_utils

_START = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry: at a time, an action on a target ended with a result."""

    seq: int
    at: datetime
    action: str
    target: str
    result: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditNote:
    """An entry to be; ``at`` None is the time of writing."""

    action: str
    target: str
    result: str
    facts: Mapping[str, object] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Whether the chain holds; ``first_bad`` is the number of the first entry that does not fit."""

    ok: bool
    entries: int
    first_bad: int | None = None


class AuditLog:
    """The audit entries of one database. Nothing can change or remove one."""

    def __init__(self, db: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._now = now

    async def append(self, action: str, target: str, result: str, **facts: object) -> None:
        """Adds an entry; keys that stand in the words or facts are taken out first."""
        await self.append_all([AuditNote(action, target, result, facts, self._now())])

    async def append_all(self, notes: Sequence[AuditNote]) -> None:
        """Adds several entries in one step, in this order."""
        every = [
            {
                "at": time_to_text(note.at or self._now()),
                "action": note.action,
                "target": _storable(note.target),
                "result": _storable(note.result),
                "facts": json.dumps(_clean(note.facts), sort_keys=True),
            }
            for note in notes
        ]

        def work(db: sqlite_utils.Database) -> None:
            seq, previous = db.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone() or (
                0,
                _START,
            )
            for columns in every:
                seq += 1
                row = {"seq": seq, **columns, "previous": previous}
                previous = _hash(row)
                db.table("audit").insert({**row, "hash": previous})

        await self._db.write(work)

    async def entries(self, limit: int = 200) -> list[AuditEntry]:
        """The newest entries, newest first."""
        query = "SELECT seq, at, action, target, result, facts FROM audit ORDER BY seq DESC LIMIT ?"
        rows = await self._db.read(lambda db: db.execute(query, [limit]).fetchall())
        return [AuditEntry(row[0], text_to_time(row[1]), row[2], row[3], row[4], json.loads(row[5])) for row in rows]

    async def verify(self) -> AuditVerdict:
        """Reads the whole chain and says where it first breaks."""
        return await self._db.read(_verify)


def _storable(text: str) -> str:
    """The text without keys, and without halves of characters: a foreign server's word may hold one."""
    return redact(text).encode(errors="replace").decode()


def _clean(value: object) -> object:
    """The value as JSON can hold it, without keys."""
    if isinstance(value, Mapping):
        return {str(name): _clean(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float)) else redact(str(value))


def _verify(db: sqlite_utils.Database) -> AuditVerdict:
    previous, n = _START, 0
    for row in db.query("SELECT * FROM audit ORDER BY seq"):
        n += 1
        claimed = row.pop("hash")
        if row["seq"] != n or row["previous"] != previous or _hash(row) != claimed:
            return AuditVerdict(False, int(db.table("audit").count), n)
        previous = claimed
    return AuditVerdict(True, n)


def _hash(row: dict[str, Any]) -> str:
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
