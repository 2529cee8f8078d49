"""The pictures that questions were asked with: each kept once, however many messages have it, and gone with the last.

What is kept is what was given: its size and its metadata are the caller's matter.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vpa_desktop.messages import ImageData

if TYPE_CHECKING:
    import sqlite_utils

_NAMES = """
    SELECT p.message_id, p.name FROM message_pictures p JOIN messages m ON m.id = p.message_id
    WHERE {where} ORDER BY p.message_id, p.position
"""
_PICTURES = """
    SELECT p.name, d.media_type, d.data FROM message_pictures p JOIN pictures d ON d.digest = p.digest
    WHERE p.message_id = ? ORDER BY p.position
"""


def insert_pictures(db: sqlite_utils.Database, message_id: str, pictures: Sequence[ImageData]) -> None:
    """Keeps a message's pictures, inside the caller's transaction."""
    for position, picture in enumerate(pictures):
        digest = hashlib.sha256(picture.media_type.encode() + b"\0" + picture.data).hexdigest()
        kept = [digest, picture.media_type, picture.data]
        db.execute("INSERT OR IGNORE INTO pictures (digest, media_type, data) VALUES (?, ?, ?)", kept)
        row = [message_id, position, picture.name, digest]
        db.execute("INSERT INTO message_pictures (message_id, position, name, digest) VALUES (?, ?, ?, ?)", row)


def picture_names(db: sqlite_utils.Database, where: str, value: str) -> dict[str, tuple[str, ...]]:
    """The names of pictures by message; ``where`` is a condition on messages ``m`` with one ``?``."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for message_id, name in db.execute(_NAMES.format(where=where), [value]):
        names[message_id].append(name)
    return {message_id: tuple(each) for message_id, each in names.items()}


def pictures_of(db: sqlite_utils.Database, message_id: str) -> tuple[ImageData, ...]:
    """One message's pictures in their order."""
    rows = db.execute(_PICTURES, [message_id]).fetchall()
    return tuple(ImageData(media_type, data, name) for name, media_type, data in rows)
