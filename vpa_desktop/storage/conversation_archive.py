"""Whole conversations out of one database and into another, without loss. Not the file they travel in.

A conversation travels as plain values: every column of its messages but those that only this database needs, with the
answers that were given anew. What a person has here is never changed by what comes in: messages are only added.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from vpa_desktop.evidence import Evidence, Feedback
from vpa_desktop.messages import Attempt, Citation, ImageData, Usage
from vpa_desktop.records import MessageState
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.pictures import insert_pictures, picture_names, pictures_of
from vpa_desktop.storage.rows import text_to_time, time_to_text, to_json
from vpa_desktop.storage.shapes import is_money, misfit

if TYPE_CHECKING:
    import sqlite_utils

Plain = dict[str, Any]

PICTURES: Final = "pictures"
"""Where a message has its pictures: a list of objects with ``name``, ``media_type`` and ``data`` in base64."""

MEDIA_TYPES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")

_OURS_ALONE: Final = frozenset({"seq", "owner", "conversation_id"})
_JSON: Final[Mapping[str, Any]] = {
    "usage": Usage | None,
    "citations": tuple[Citation, ...],
    "attempts": tuple[Attempt, ...],
    "warnings": tuple[str, ...],
    "evidence": Evidence,
}
_TEXT: Final[Mapping[str, Any]] = {
    "id": str,
    "role": Literal["user", "assistant"],
    "content": str,
    "created_at": str,
    "state": MessageState,
    "place": int,
    "is_superseded": int,
    "supersedes": str | None,
    "provider": str,
    "model": str,
    "finish_reason": str | None,
    "cost_usd": str | None,
    "ttft_ms": float | None,
    "latency_ms": float | None,
    "reasoning": str,
    "error": str,
    "first_choice": str,
    "first_choice_usd": str | None,
    "saved_usd": str | None,
    "feedback": Feedback,
}
_NEEDED: Final = ("id", "role", "content", "created_at", "place")
_MONEY: Final = ("cost_usd", "first_choice_usd", "saved_usd")
_MOST_ID: Final = 64
_MOST_PLACES: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of one conversation that was taken in: messages added, and those that were here already."""

    conversation_id: str
    title: str
    is_new: bool
    added: int
    unchanged: int


class ConversationArchive:
    """The conversations of one database as plain values that JSON can hold."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def ids(self) -> list[str]:
        """The ids of all conversations, oldest first."""
        query = "SELECT id FROM conversations ORDER BY created_at, seq"
        return await self._db.read(lambda db: [row[0] for row in db.execute(query).fetchall()])

    async def take_out(self, conversation_id: str) -> Plain | None:
        """One conversation with all its messages; None where there is none. An unfinished answer is interrupted."""
        return await self._db.read(lambda db: _taken_out(db, conversation_id))

    async def put_in(self, conversation: Plain) -> Arrived:
        """Adds what is not here yet of a conversation that ``problem_of`` found nothing wrong with, in one commit."""
        return await self._db.write(lambda db: _put_in(db, conversation))


def problem_of(conversation: Any) -> str:
    """Returns what keeps a conversation from being taken in, as a part of a sentence; empty where nothing does."""
    if not isinstance(conversation, dict):
        return "it is not an object"
    wanted = {"id": str, "title": str, "created_at": str, "updated_at": str}
    if bad := next((name for name, kind in wanted.items() if not isinstance(conversation.get(name), kind)), ""):
        return f"its {bad} is missing or no text"
    if not _is_id(conversation["id"]):
        return "its id cannot be one"
    if not (_is_time(conversation["created_at"]) and _is_time(conversation["updated_at"])):
        return "its times are not written as times with a zone"
    messages = conversation.get("messages")
    if not isinstance(messages, list):
        return "it has no list of messages"
    problems = (f"message {n}: {found}" for n, each in enumerate(messages, 1) if (found := _message_problem(each)))
    return next(problems, "")


def _message_problem(message: Any) -> str:
    if not isinstance(message, dict):
        return "it is not an object"
    if missing := next((name for name in _NEEDED if name not in message), ""):
        return f"{missing} is missing"
    kinds = {**_TEXT, **_JSON}
    found = (misfit(kind, message[name], name) for name, kind in kinds.items() if name in message)
    if bad := next((each for each in found if each), ""):
        return f"{bad} is not what it should be"
    if not (_is_id(message["id"]) and _is_time(message["created_at"])):
        return "its id or its time cannot be one"
    if not 0 <= message["place"] < _MOST_PLACES:
        return "its place cannot be one"
    if bad := _pictures_problem(message.get(PICTURES, [])):
        return bad
    if bad := next((name for name in _MONEY if message.get(name) is not None and not is_money(message[name])), ""):
        return f"{bad} is no amount"
    return ""


def _pictures_problem(pictures: Any) -> str:
    if not isinstance(pictures, list):
        return f"its {PICTURES} are no list"
    for n, picture in enumerate(pictures, 1):
        wanted = ("name", "media_type", "data")
        if not isinstance(picture, dict) or not all(isinstance(picture.get(each), str) for each in wanted):
            return f"picture {n} is not what it should be"
        if picture["media_type"] not in MEDIA_TYPES:
            return f"picture {n} is of a kind that is not kept"
        try:
            base64.b64decode(picture["data"], validate=True)
        except ValueError:
            return f"picture {n} is no base64"
    return ""


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _MOST_ID and text.isascii() and text.isprintable()


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _taken_out(db: sqlite_utils.Database, conversation_id: str) -> Plain | None:
    columns = "id, title, created_at, updated_at"
    found = list(db.query(f"SELECT {columns} FROM conversations WHERE id = ?", [conversation_id]))
    if not found:
        return None
    query = "SELECT * FROM messages WHERE conversation_id = ? ORDER BY place, seq"
    illustrated = picture_names(db, "m.conversation_id = ?", conversation_id)
    messages = [_plain(row) for row in db.query(query, [conversation_id])]
    for message in messages:
        if message["id"] in illustrated:
            message[PICTURES] = [plain_picture(each) for each in pictures_of(db, message["id"])]
    return {**found[0], "messages": messages}


def plain_picture(picture: ImageData) -> Plain:
    """A picture as JSON can hold it."""
    data = base64.b64encode(picture.data).decode("ascii")
    return {"name": picture.name, "media_type": picture.media_type, "data": data}


def _plain(row: Plain) -> Plain:
    message = {name: value for name, value in row.items() if name not in _OURS_ALONE}
    for name in _JSON:
        if message.get(name) is not None:
            message[name] = json.loads(message[name])
    if message["state"] == "streaming":
        message["state"] = "interrupted"
    return message


def _put_in(db: sqlite_utils.Database, conversation: Plain) -> Arrived:
    conversation_id = conversation["id"]
    is_new = _begin(db, conversation)
    here = _Here.of(db, conversation_id)
    missing = [each for each in conversation["messages"] if each["id"] not in here.places]
    missing = [each for each in missing if not _is_elsewhere(db, each["id"])]
    known = {column.name for column in db.table("messages").columns} - {"seq", "owner"}
    shift = here.shift_for(missing)
    for message in missing:
        row = _row(message, conversation_id, known)
        row["place"] += shift
        here.fit(row)
        db.table("messages").insert(row)
        insert_pictures(db, row["id"], [picture_from(each) for each in message.get(PICTURES, ())])
        if row.get("supersedes") is not None:
            db.execute("UPDATE messages SET is_superseded = 1 WHERE id = ?", [row["supersedes"]])
    if missing and not is_new:
        later = "UPDATE conversations SET updated_at = max(updated_at, ?) WHERE id = ?"
        db.execute(later, [_time(conversation["updated_at"]), conversation_id])
    known_already = len(conversation["messages"]) - len(missing)
    return Arrived(conversation_id, conversation["title"], is_new, len(missing), known_already)


def _begin(db: sqlite_utils.Database, conversation: Plain) -> bool:
    """Adds the conversation itself; False where it is here already."""
    if db.execute("SELECT 1 FROM conversations WHERE id = ?", [conversation["id"]]).fetchone() is not None:
        return False
    times = {name: _time(conversation[name]) for name in ("created_at", "updated_at")}
    db.table("conversations").insert({"id": conversation["id"], "title": _text(conversation["title"]), **times})
    return True


@dataclass(slots=True)
class _Here:
    """The messages of a conversation that are here: their places, and which were given anew."""

    places: dict[str, int]
    superseded: set[str]

    @classmethod
    def of(cls, db: sqlite_utils.Database, conversation_id: str) -> _Here:
        """What is here before anything is added."""
        query = "SELECT id, place, is_superseded FROM messages WHERE conversation_id = ?"
        rows = db.execute(query, [conversation_id]).fetchall()
        return cls({row[0]: row[1] for row in rows}, {row[0] for row in rows if row[2]})

    def shift_for(self, missing: Sequence[Plain]) -> int:
        """How far new messages must move so that they do not stand between those of a conversation that went on."""
        own = [each["place"] for each in missing if each.get("supersedes") not in self.places]
        taken = set(self.places.values())
        return max(taken) - min(own) + 1 if taken.intersection(own) else 0

    def fit(self, row: Plain) -> None:
        """Gives an answer the place of the one it was given anew for, behind what was answered here since."""
        if (old := row.get("supersedes")) in self.places:
            row["place"] = self.places[old]
            if old in self.superseded:
                row["is_superseded"] = 1
                self.superseded.add(row["id"])
        self.places[row["id"]] = row["place"]


def _is_elsewhere(db: sqlite_utils.Database, message_id: str) -> bool:
    """Whether a message of that id is in another conversation: then the person has it already."""
    return db.execute("SELECT 1 FROM messages WHERE id = ?", [message_id]).fetchone() is not None


def _row(message: Plain, conversation_id: str, known: set[str]) -> Plain:
    row = {"state": "done", **{name: value for name, value in message.items() if name in known}}
    for name in _JSON:
        if row.get(name) is not None:
            row[name] = to_json(row[name])
    if row["state"] == "streaming":
        row["state"] = "interrupted"
    row = {name: _text(value) if isinstance(value, str) else value for name, value in row.items()}
    return {**row, "conversation_id": conversation_id, "created_at": _time(message["created_at"])}


def picture_from(plain: Plain) -> ImageData:
    """The picture that ``plain_picture`` wrote."""
    return ImageData(plain["media_type"], base64.b64decode(plain["data"]), _text(plain["name"]))


def _text(text: str) -> str:
    """The text as SQLite can hold it: halves of characters become question marks."""
    return text.encode(errors="replace").decode()


def _time(text: str) -> str:
    return time_to_text(text_to_time(text))
