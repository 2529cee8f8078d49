"""Documents by the files they came from, and the folders that are followed. Not what is in them: ``documents``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vpa_desktop.records import FollowedFolder
from vpa_desktop.storage.documents import FileFacts
from vpa_desktop.storage.file_changes import FileChange, make_all, note_facts
from vpa_desktop.storage.known_files import COLUMNS, KnownFile
from vpa_desktop.storage.rows import marks, portions, text_to_time, time_to_text
from vpa_desktop.storage.vectors import VectorChange

if TYPE_CHECKING:
    import sqlite_utils

    from vpa_desktop.storage.database import Database


class FileStore:
    """Reads and writes what is known of files. Every method raises StorageError when the database cannot."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def at(self, path: str, collection: str) -> KnownFile | None:
        """Returns the document of a file."""
        return (await self.known([path], collection)).get(path)

    async def known(self, paths: Sequence[str], collection: str) -> dict[str, KnownFile]:
        """Returns the documents of these files in a collection, by path."""
        sql = f"SELECT {COLUMNS} FROM documents WHERE path IN (SELECT value FROM json_each(?)) AND collection = ?"
        rows = await self._rows(sql, json.dumps(list(paths)), collection)
        return {row.path: row for row in rows}

    def twins_now(self, content_hash: str, collection: str) -> list[KnownFile]:
        """Returns the documents of files with this content. For worker threads."""
        sql = f"SELECT {COLUMNS} FROM documents WHERE content_hash = ? AND collection = ? AND path <> ''"
        values = [content_hash, collection]
        return self._db.read_now(lambda db: [KnownFile(*row) for row in db.execute(sql, values)])

    async def after(self, last_id: str, limit: int, under: str | None = None) -> list[KnownFile]:
        """Returns documents of files in the order of their ids, from the one after ``last_id``.

        ``under`` limits them to that file, and to those in the folder of that name.
        """
        where, values = ("path <> ''", []) if under is None else _under(under)
        sql = f"SELECT {COLUMNS} FROM documents WHERE {where} AND id > ? ORDER BY id LIMIT ?"
        return await self._rows(sql, *values, last_id, limit)

    async def touch(self, rows: Sequence[tuple[str, FileFacts]]) -> None:
        """Notes what the file system says now of files whose content is as it was."""
        if rows:
            await self._db.write(lambda db: note_facts(db, rows))

    async def make(self, changes: Sequence[FileChange]) -> tuple[VectorChange, list[bool]]:
        """Makes these changes in one commit; returns what that did to passages, and which of them could be made.

        A change cannot be made where its file is no longer known as it was when it was read.
        """
        return await self._db.write(lambda db: make_all(db, changes))

    # Folders

    async def folders(self) -> list[FollowedFolder]:
        """Returns the folders that are followed, by path."""
        sql = (
            "SELECT path, collection, file_id, added_at, (SELECT count(*) FROM documents d "
            "WHERE d.folder = f.path AND d.collection = f.collection) "
            "FROM followed_folders f ORDER BY path, collection"
        )
        return await self._db.read(
            lambda db: [FollowedFolder(p, c, i, text_to_time(at), n) for p, c, i, at, n in db.execute(sql)]
        )

    async def follow(self, folder: FollowedFolder) -> None:
        """Follows a folder from now on, or notes which one now has its path."""
        values = [folder.path, folder.collection, folder.file_id, time_to_text(folder.added_at)]
        sql = (
            "INSERT INTO followed_folders VALUES (?, ?, ?, ?) "
            "ON CONFLICT (path, collection) DO UPDATE SET file_id = excluded.file_id"
        )
        await self._db.write(lambda db: db.execute(sql, values))

    async def forget(self, path: str) -> int:
        """Follows a folder no longer, in any collection; returns in how many it was. Its documents stay."""

        def work(db: sqlite_utils.Database) -> int:
            db.execute("UPDATE documents SET folder = '' WHERE folder = ?", [path])
            return db.execute("DELETE FROM followed_folders WHERE path = ?", [path]).rowcount

        return await self._db.write(work)

    # What the person took out of a folder that is followed

    async def leave_out(self, document_ids: Sequence[str]) -> None:
        """Remembers that these documents are not wanted, where a followed folder would bring them back."""

        def work(db: sqlite_utils.Database) -> None:
            for some in portions(document_ids):
                db.execute(
                    "INSERT OR IGNORE INTO left_out_files SELECT path, collection FROM documents "
                    f"WHERE folder <> '' AND id IN ({marks(some)})",
                    some,
                )

        await self._db.write(work)

    async def left_out(self, paths: Sequence[str], collection: str) -> frozenset[str]:
        """Returns those of these files that were taken out."""
        sql = "SELECT path FROM left_out_files WHERE collection = ? AND path IN (SELECT value FROM json_each(?))"
        return await self._db.read(
            lambda db: frozenset(path for (path,) in db.execute(sql, [collection, json.dumps(list(paths))]))
        )

    async def take_in(self, path: str, collection: str) -> None:
        """Forgets that a file, or what is in a folder, was taken out."""
        where, values = _under(path)
        sql = f"DELETE FROM left_out_files WHERE {where} AND collection = ?"
        await self._db.write(lambda db: db.execute(sql, [*values, collection]))

    async def _rows(self, sql: str, *values: object) -> list[KnownFile]:
        return await self._db.read(lambda db: [KnownFile(*row) for row in db.execute(sql, values)])


def _under(path: str) -> tuple[str, list[str]]:
    """The condition for a path and all below it, so that the index on paths serves it."""
    bare = path.rstrip(os.sep)
    return "(path = ? OR (path >= ? AND path < ?))", [path, bare + os.sep, bare + chr(ord(os.sep) + 1)]
