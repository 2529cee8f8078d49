"""The quick look for completion, at a database as the program makes it."""

from __future__ import annotations

from pathlib import Path

from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.glance import glance_collections, glance_conversations, glance_documents


async def test_it_sees_what_a_running_program_has_stored(tmp_path: Path) -> None:
    path = tmp_path / "vpa.db"
    database = await Database.open(path, backups=tmp_path / "backups")
    try:
        first = await ConversationStore(database).create("First")
        second = await ConversationStore(database).create("Second")
        insert = """INSERT INTO documents (id, title, collection, content_hash, state, added_at)
                    VALUES ('d', 'Lease', 'Contracts', 'x', 'ready', '2026')"""
        await database.write(lambda db: db.execute(insert))
        assert glance_conversations(path) == [(second.id, "Second"), (first.id, "First")]
        assert glance_conversations(path, limit=1) == [(second.id, "Second")]
        assert glance_documents(path) == [("d", "Lease")]
        assert glance_collections(path) == [("Contracts", "1 document")]
    finally:
        await database.aclose()


def test_without_a_database_there_is_nothing_and_none_is_made(tmp_path: Path) -> None:
    assert glance_conversations(tmp_path / "vpa.db") == []
    assert list(tmp_path.iterdir()) == []
