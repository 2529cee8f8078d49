"""Cherry Studio 2: its database ``cherrystudio.sqlite``, by itself, in its data folder or in a backup.

A copy of the file is read, never the file, which its program may have open. What is read from it is one object with
the rows of ``topic`` and ``message``; messages form a tree, and a topic knows the one that was open.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from vpa_desktop.importing.trees import ForeignChat, Node, role_of
from vpa_desktop.importing.values import PICTURE, Json, joined, json_object, objects, text_of, time_of

NAME = "Cherry Studio"
FILE: Final = "cherrystudio.sqlite"
MAGIC: Final = b"SQLite format 3\x00"
_TABLES: Final = ("topic", "message")
_STEPS: Final = 1_000_000  # of SQLite's machine, between two looks
_LOOKS: Final = 2_000  # after so many a query is taken for one without end
_MOST_VALUE: Final = 64_000_000
_MOST_TEXT: Final = 1_000_000_000  # of all values together; a small file can name columns that compute large ones


def read_rows(path: Path) -> Json:
    """Return the rows of a database file; raises ValueError for what is no such database, OSError."""
    with tempfile.TemporaryDirectory(prefix="vpa-import-") as folder:
        copy = Path(folder) / FILE
        for ending in ("", "-wal"):
            beside = path.with_name(path.name + ending)
            if beside.is_file():
                shutil.copyfile(beside, copy.with_name(copy.name + ending))
        try:
            with closing(sqlite3.connect(copy)) as db:
                return _rows(db)
        except sqlite3.Error as exc:
            raise ValueError(str(exc)) from exc


def _rows(db: sqlite3.Connection) -> Json:
    looks = iter(range(_LOOKS))
    db.set_progress_handler(lambda: next(looks, None) is None, _STEPS)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE)
    db.execute("PRAGMA trusted_schema = OFF")
    db.row_factory = sqlite3.Row
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables.issuperset(_TABLES):
        return {}
    return {"cherry_database": {table: list(_table(db, table)) for table in _TABLES}}


def _table(db: sqlite3.Connection, table: str) -> Iterator[Json]:
    size = 0
    for row in db.execute(f"SELECT * FROM {table} ORDER BY rowid"):
        size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if size > _MOST_TEXT:
            raise ValueError("there is more text in it than a file of its size can hold")
        yield dict(row)


def is_it(document: Any) -> bool:
    """Whether these are rows of such a database."""
    return "cherry_database" in json_object(document)


def read(document: Any) -> Iterator[ForeignChat]:
    """Yield the conversations; what was deleted there is not among them."""
    rows = json_object(document["cherry_database"])
    nodes: dict[str, list[Node]] = {}
    for row in objects(rows.get("message")):
        if row.get("deleted_at") is None:
            nodes.setdefault(text_of(row.get("topic_id")), []).append(_node(row))
    for topic in objects(rows.get("topic")):
        if topic.get("deleted_at") is None:
            key = text_of(topic.get("id"))
            chat = ForeignChat("cherry-studio", key, text_of(topic.get("name")), nodes=nodes.get(key, []))
            chat.created, chat.updated = time_of(topic.get("created_at")), time_of(topic.get("updated_at"))
            chat.open_at = text_of(topic.get("active_node_id")) or None
            yield chat


def _node(row: Json) -> Node:
    data = _json(row.get("data"))
    pieces = objects(data.get("parts")) or objects(data.get("blocks"))
    model = _json(row.get("model_snapshot")) or _json(row.get("model_meta"))
    return Node(
        text_of(row.get("id")),
        text_of(row.get("parent_id")) or None,
        role_of(row.get("role")),
        joined(_piece(each) for each in pieces),
        time_of(row.get("created_at")),
        text_of(model.get("id")) or text_of(row.get("model_id")).rpartition("::")[2],
        text_of(model.get("provider")) or NAME,
        joined(_words(each) for each in pieces if each.get("type") in ("reasoning", "thinking")),
    )


def _piece(piece: Json) -> str:
    kind = piece.get("type")
    if kind == "image" or (kind == "file" and text_of(piece.get("mediaType")).startswith("image/")):
        return PICTURE
    return _words(piece) if kind in ("text", "main_text") else ""


def _words(piece: Json) -> str:
    return text_of(piece.get("text")) or text_of(piece.get("content"))


def _json(value: Any) -> Json:
    try:
        return json_object(json.loads(value)) if isinstance(value, str) else {}
    except (ValueError, RecursionError):  # one message is lost, the others are not
        return {}
