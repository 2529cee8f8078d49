"""What was done with keys, data and settings, as a chain of hashes. Not a log of conversations: no content goes in.

Each entry's hash covers the one before it, so that a change, an insertion or a removal in the middle shows.
What it cannot show by itself is that the newest entries were cut off, or that somebody rewrote the whole chain.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vpa_desktop.errors import StorageError
from vpa_desktop.security.redaction import redact
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.fulltext import like_pattern
from vpa_desktop.storage.rows import text_to_time, time_to_text, utc_now

if TYPE_CHECKING:
    import sqlite_utils

log = logging.getLogger(__name__)
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
class AuditFilter:
    """Which entries are wanted; what is empty limits nothing. Words are looked for anywhere, in any case.

    ``since`` has its moment in it, ``until`` has not.
    """

    action: str = ""
    target: str = ""
    result: str = ""
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = AuditFilter()


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Whether the chain holds; ``first_bad`` is the number of the first entry that does not fit.

    ``why`` says what does not fit there, and ``last_hash`` stands for the whole chain: noted elsewhere, it shows
    later that nothing was cut off.
    """

    ok: bool
    entries: int
    first_bad: int | None = None
    why: str = field(default="", compare=False)
    last_hash: str = field(default="", compare=False)


class AuditLog:
    """The audit entries of one database. Nothing can change or remove one."""

    def __init__(self, db: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._now = now

    async def append(self, action: str, target: str, result: str, **facts: object) -> None:
        """Adds an entry; keys that stand in the words or facts are taken out first."""
        await self.append_all([AuditNote(action, target, result, facts, self._now())])

    async def append_anyway(self, action: str, target: str, result: str, **facts: object) -> None:
        """``append`` for what is done already: where it cannot be written, that is logged."""
        try:
            await self.append(action, target, result, **facts)
        except StorageError as exc:
            log.warning("%s (%s) could not be written into the audit: %s", action, target, exc)

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

    async def entries(self, limit: int = 200, wanted: AuditFilter = EVERYTHING) -> list[AuditEntry]:
        """The newest entries, newest first; only those that are wanted."""
        where, values = _condition(wanted)
        query = f"SELECT seq, at, action, target, result, facts FROM audit {where} ORDER BY seq DESC LIMIT ?"
        rows = await self._db.read(lambda db: db.execute(query, [*values, limit]).fetchall())
        return [AuditEntry(row[0], text_to_time(row[1]), row[2], row[3], row[4], json.loads(row[5])) for row in rows]

    async def lines(self) -> AsyncIterator[str]:
        """Every entry as one line of JSON with its hashes, oldest first: what ``verify`` looks at."""
        last = 0
        query = "SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT 1000"
        while rows := await self._db.read(lambda db, last=last: list(db.query(query, [last]))):  # type: ignore[misc]
            for row in rows:
                yield json.dumps({**row, "facts": json.loads(row["facts"])}, ensure_ascii=False, sort_keys=True)
            last = rows[-1]["seq"]

    async def verify(self) -> AuditVerdict:
        """Reads the whole chain and says where it first breaks."""
        return await self._db.read(_verify)

    async def missing_of(self, exported: Mapping[int, str]) -> int | None:
        """Of entries as they were once exported, hashes by number: the first that is not here any more."""
        here = await self._db.read(lambda db: dict(db.execute("SELECT seq, hash FROM audit").fetchall()))
        return min((seq for seq, known in exported.items() if here.get(seq) != known), default=None)


def read_lines(text: str) -> dict[int, str]:
    """The hashes by number of what ``AuditLog.lines`` once wrote; raises ValueError where it is anything else."""
    try:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return {int(row["seq"]): str(row["hash"]) for row in rows}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("no export of the audit") from error


def _condition(wanted: AuditFilter) -> tuple[str, list[str]]:
    parts, values = [], []
    for column in ("action", "target", "result"):
        if word := getattr(wanted, column):
            parts.append(f"{column} LIKE ? ESCAPE '\\'")
            values.append(like_pattern(word))
    for sign, moment in ((">=", wanted.since), ("<", wanted.until)):
        if moment is not None:
            parts.append(f"at {sign} ?")
            values.append(time_to_text(moment))
    return (f"WHERE {' AND '.join(parts)}" if parts else ""), values


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
        if why := _misfit(row, claimed, n, previous):
            return AuditVerdict(False, int(db.table("audit").count), n, why)
        previous = claimed
    return AuditVerdict(True, n, last_hash=previous if n else "")


def _misfit(row: dict[str, Any], claimed: str, n: int, previous: str) -> str:
    named = f"Entry {n} ({row['at'][:19]}, {row['action']})"
    if row["seq"] != n:
        return f"Entry {n} is missing: after it comes entry {row['seq']} ({row['at'][:19]}, {row['action']})"
    if row["previous"] != previous:
        return f"{named} does not follow from the one before it: one was changed, added or removed there"
    return f"{named} was changed after it was written" if _hash(row) != claimed else ""


def _hash(row: dict[str, Any]) -> str:
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
