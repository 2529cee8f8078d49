"""Conversations and their messages. Knows rows and transactions, nothing of providers or of the window.

A turn is stored before it is sent: the person's message and the empty answer in one commit. The answer is
journaled while it streams and settled, with its usage rows, in one commit at the end.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vpa_desktop.errors import StorageError
from vpa_desktop.evidence import Feedback
from vpa_desktop.messages import Attempt, Citation, ImageData, Usage
from vpa_desktop.records import ConversationRecord, MessageRecord, UsageRow
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.evidence import JudgedAnswer, evidence_from_json, evidence_to_json, judged_answers
from vpa_desktop.storage.fulltext import is_unsegmented, like_pattern, words_query
from vpa_desktop.storage.pictures import insert_pictures, picture_names, pictures_of
from vpa_desktop.storage.rows import (
    from_json,
    is_alive,
    many_from_json,
    money_to_text,
    new_id,
    text_to_money,
    text_to_time,
    this_process,
    time_to_text,
    to_json,
    utc_now,
)
from vpa_desktop.storage.usage_rows import insert_usage

if TYPE_CHECKING:
    import sqlite_utils

TITLE_CHARS = 60

_SELECT = """
    SELECT c.id, c.title, c.created_at, c.updated_at,
        (SELECT count(*) FROM messages m WHERE m.conversation_id = c.id AND m.is_superseded = 0) AS message_count
    FROM conversations c
"""
_NEWEST_FIRST = " ORDER BY c.updated_at DESC, c.seq DESC LIMIT :limit"
_MATCHING = """
    WHERE c.seq IN (SELECT rowid FROM conversations_fts WHERE conversations_fts MATCH :words)
        OR c.id IN (
            SELECT m.conversation_id FROM messages_fts f JOIN messages m ON m.seq = f.rowid
            WHERE messages_fts MATCH :words AND m.is_superseded = 0
        )
"""
_CONTAINING = """
    WHERE c.title LIKE :words ESCAPE '\\' OR c.id IN (
        SELECT conversation_id FROM messages WHERE content LIKE :words ESCAPE '\\' AND is_superseded = 0
    )
"""


class ConversationStore:
    """The conversations of one database."""

    def __init__(self, db: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._now = now

    async def create(self, title: str = "") -> ConversationRecord:
        """Starts a conversation; without a title it takes the beginning of its first message."""
        now = self._now()
        record = ConversationRecord(new_id(now), title, now, now)
        at = time_to_text(now)
        row = {"id": record.id, "title": title, "created_at": at, "updated_at": at}
        await self._db.write(lambda db: db.table("conversations").insert(row))
        return record

    async def list(self, words: str = "", limit: int = 500) -> list[ConversationRecord]:
        """The conversations last changed first; with ``words`` those that have them in the title or in a message."""
        where, words = _condition(words)
        query = f"{_SELECT}{where}{_NEWEST_FIRST}"
        return await self._db.read(
            lambda db: [_conversation(row) for row in db.query(query, {"words": words, "limit": limit})]
        )

    async def get(self, conversation_id: str) -> ConversationRecord | None:
        """One conversation, None where there is none of that id."""
        query = f"{_SELECT} WHERE c.id = ?"
        rows = await self._db.read(lambda db: list(db.query(query, [conversation_id])))
        return _conversation(rows[0]) if rows else None

    async def rename(self, conversation_id: str, title: str) -> None:
        """Changes the title; does not count as a change of the conversation."""
        query = "UPDATE conversations SET title = ? WHERE id = ?"
        await self._db.write(lambda db: db.execute(query, [title, conversation_id]))

    async def delete(self, conversation_id: str) -> None:
        """Removes the conversation and its messages; what they cost stays booked."""
        await self._db.write(lambda db: db.execute("DELETE FROM conversations WHERE id = ?", [conversation_id]))

    async def messages(self, conversation_id: str) -> builtins.list[MessageRecord]:
        """The messages in order, without the answers that were given anew."""
        query = "SELECT * FROM messages WHERE conversation_id = ? AND is_superseded = 0 ORDER BY place, seq"

        def work(db: sqlite_utils.Database) -> builtins.list[MessageRecord]:
            names = picture_names(db, "m.conversation_id = ?", conversation_id)
            return [_message(row, names.get(row["id"], ())) for row in db.query(query, [conversation_id])]

        return await self._db.read(work)

    async def message(self, message_id: str) -> MessageRecord | None:
        """One message, superseded or not; None where there is none of that id."""

        def work(db: sqlite_utils.Database) -> MessageRecord | None:
            rows = list(db.query("SELECT * FROM messages WHERE id = ?", [message_id]))
            return _message(rows[0], picture_names(db, "m.id = ?", message_id).get(message_id, ())) if rows else None

        return await self._db.read(work)

    async def pictures(self, message_id: str) -> tuple[ImageData, ...]:
        """The pictures that a message was sent with."""
        return await self._db.read(lambda db: pictures_of(db, message_id))

    async def begin_turn(
        self, conversation_id: str, text: str, pictures: Sequence[ImageData] = ()
    ) -> tuple[MessageRecord, MessageRecord]:
        """Stores the person's message and the empty answer in one commit; StorageError if the conversation is gone."""
        now = self._now()
        names = tuple(picture.name for picture in pictures)
        question = MessageRecord(new_id(now), conversation_id, "user", text, now, pictures=names)
        answer = MessageRecord(new_id(now), conversation_id, "assistant", "", now, state="streaming")

        def work(db: sqlite_utils.Database) -> None:
            _touch(db, conversation_id, now, title=_title_from(text))
            last = "SELECT coalesce(max(place), 0) FROM messages WHERE conversation_id = ?"
            place = int(db.execute(last, [conversation_id]).fetchone()[0])
            _insert(db, question, place=place + 1)
            insert_pictures(db, question.id, pictures)
            _insert(db, answer, place=place + 2)

        await self._db.write(work)
        return question, answer

    async def begin_answer(self, supersedes: str) -> MessageRecord:
        """Stores a new empty answer in the place of that one, which is kept aside."""
        now = self._now()

        def work(db: sqlite_utils.Database) -> MessageRecord:
            query = "SELECT conversation_id, place FROM messages WHERE id = ? AND role = 'assistant'"
            old = db.execute(query, [supersedes]).fetchone()
            if old is None:
                raise StorageError(
                    "The answer cannot be given anew", "It is no longer stored", "Ask the question again"
                )
            answer = MessageRecord(new_id(now), old[0], "assistant", "", now, state="streaming")
            _touch(db, old[0], now)
            db.execute("UPDATE messages SET is_superseded = 1 WHERE id = ?", [supersedes])
            _insert(db, answer, place=old[1], supersedes=supersedes)
            return answer

        return await self._db.write(work)

    async def journal(self, message_id: str, content: str, reasoning: str = "") -> None:
        """Stores the text so far of an answer that still streams; of a settled one nothing changes."""
        query = "UPDATE messages SET content = ?, reasoning = ? WHERE id = ? AND state = 'streaming'"
        await self._db.write(lambda db: db.execute(query, [content, reasoning, message_id]))

    async def settle(self, message: MessageRecord, usage: Sequence[UsageRow] = ()) -> None:
        """Stores the answer's final state and its usage rows in one commit.

        Where the conversation was deleted meanwhile, the usage is booked all the same.
        """

        def work(db: sqlite_utils.Database) -> None:
            values = {**_columns(message), "owner": ""}
            sets = ", ".join(f"{name} = :{name}" for name in values)
            db.execute(f"UPDATE messages SET {sets} WHERE id = :id", {**values, "id": message.id})
            changed = "UPDATE conversations SET updated_at = ? WHERE id = ?"
            db.execute(changed, [time_to_text(self._now()), message.conversation_id])
            for row in usage:
                insert_usage(db, row)

        await self._db.write(work)

    async def give_feedback(self, message_id: str, feedback: Feedback) -> None:
        """Notes what the person says of an answer; empty takes it back."""
        query = "UPDATE messages SET feedback = ? WHERE id = ? AND role = 'assistant'"
        await self._db.write(lambda db: db.execute(query, [feedback, message_id]))

    async def judged_answers(self, since: datetime | None = None) -> builtins.list[JudgedAnswer]:
        """The answers for whose question the documents were searched, oldest first."""
        return await judged_answers(self._db, since)

    async def recover(self) -> int:
        """Marks the answers of processes that died while streaming as interrupted; returns how many there were."""
        if self._db.read_only:
            return 0

        def work(db: sqlite_utils.Database) -> int:
            owners = db.execute("SELECT DISTINCT owner FROM messages WHERE state = 'streaming'").fetchall()
            mark = "UPDATE messages SET state = 'interrupted', owner = '' WHERE state = 'streaming' AND owner = ?"
            return sum(db.execute(mark, [owner]).rowcount for (owner,) in owners if not is_alive(owner))

        return await self._db.write(work)


def _condition(words: str) -> tuple[str, str]:
    if is_unsegmented(words):
        return _CONTAINING, like_pattern(words)
    query = words_query(words)
    return (_MATCHING, query) if query else ("", "")


def _title_from(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"


def _touch(db: sqlite_utils.Database, conversation_id: str, now: datetime, title: str = "") -> None:
    query = "UPDATE conversations SET updated_at = ?, title = iif(title = '', ?, title) WHERE id = ?"
    if db.execute(query, [time_to_text(now), title, conversation_id]).rowcount == 0:
        raise StorageError(
            "The conversation is gone", "It was deleted, perhaps in another window", "Start a new conversation"
        )


def _insert(db: sqlite_utils.Database, message: MessageRecord, *, place: int, supersedes: str | None = None) -> None:
    owner = this_process() if message.state == "streaming" else ""
    extra = {"id": message.id, "conversation_id": message.conversation_id, "role": message.role, "place": place}
    created = {"created_at": time_to_text(message.created_at), "owner": owner, "supersedes": supersedes}
    db.table("messages").insert({**extra, **created, **_columns(message)})


def attempt_to_json(attempt: Attempt) -> dict[str, Any]:
    """One line of a receipt as JSON can hold it."""
    return {**attempt._asdict(), "cost_usd": money_to_text(attempt.cost_usd)}


def attempt_from_json(data: dict[str, Any]) -> Attempt:
    """The line that ``attempt_to_json`` wrote, also one of before there were prices on it."""
    known = {name: value for name, value in data.items() if name in Attempt._fields}
    return Attempt(**{**known, "cost_usd": text_to_money(data.get("cost_usd"))})


def _columns(message: MessageRecord) -> dict[str, Any]:
    return {
        "content": message.content,
        "state": message.state,
        "provider": message.provider,
        "model": message.model,
        "finish_reason": message.finish_reason,
        "usage": None if message.usage is None else to_json(asdict(message.usage)),
        "cost_usd": money_to_text(message.cost_usd),
        "ttft_ms": message.ttft_ms,
        "latency_ms": message.latency_ms,
        "citations": to_json(message.citations),
        "attempts": to_json([attempt_to_json(each) for each in message.attempts]),
        "warnings": to_json(message.warnings),
        "reasoning": message.reasoning,
        "error": message.error,
        "first_choice": message.first_choice,
        "first_choice_usd": money_to_text(message.first_choice_usd),
        "saved_usd": money_to_text(message.saved_usd),
        "evidence": evidence_to_json(message.evidence),
    }


def _conversation(row: dict[str, Any]) -> ConversationRecord:
    created, updated = text_to_time(row["created_at"]), text_to_time(row["updated_at"])
    return ConversationRecord(row["id"], row["title"], created, updated, row["message_count"])


def _message(row: dict[str, Any], pictures: tuple[str, ...] = ()) -> MessageRecord:
    return MessageRecord(
        id=row["id"],
        conversation_id=row["conversation_id"],
        role=row["role"],
        content=row["content"],
        created_at=text_to_time(row["created_at"]),
        state=row["state"],
        provider=row["provider"],
        model=row["model"],
        finish_reason=row["finish_reason"],
        usage=None if row["usage"] is None else from_json(Usage, json.loads(row["usage"])),
        cost_usd=text_to_money(row["cost_usd"]),
        ttft_ms=row["ttft_ms"],
        latency_ms=row["latency_ms"],
        citations=many_from_json(Citation, row["citations"]),
        attempts=tuple(attempt_from_json(each) for each in json.loads(row["attempts"])),
        warnings=tuple(json.loads(row["warnings"])),
        reasoning=row["reasoning"],
        error=row["error"],
        first_choice=row["first_choice"],
        first_choice_usd=text_to_money(row["first_choice_usd"]),
        saved_usd=text_to_money(row["saved_usd"]),
        evidence=evidence_from_json(row["evidence"]),
        feedback=row["feedback"],
        pictures=pictures,
    )
