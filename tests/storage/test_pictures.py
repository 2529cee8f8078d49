"""The pictures of questions in a real file: they come back, are kept once, leave with the last, and travel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from vpa_desktop.messages import ImageData
from vpa_desktop.storage.conversation_archive import ConversationArchive, problem_of
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database

RED = ImageData("image/png", b"\x89PNG red" * 100, "red.png")
BLUE = ImageData("image/jpeg", b"\xff\xd8 blue" * 100, "my\nblue.jpg")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield database
    await database.aclose()


async def counts(db: Database) -> tuple[int, int]:
    def work(each: Any) -> tuple[int, int]:
        return each.table("pictures").count, each.table("message_pictures").count

    return await db.read(work)


async def test_pictures_come_back_with_their_question_in_their_order(db: Database) -> None:
    store = ConversationStore(db)
    made = await store.create()
    plain, _ = await store.begin_turn(made.id, "Without")
    asked, answer = await store.begin_turn(made.id, "Which is which?", [BLUE, RED])
    assert [record.pictures for record in await store.messages(made.id)] == [(), (), (BLUE.name, RED.name), ()]
    assert await store.pictures(asked.id) == (BLUE, RED)
    assert await store.pictures(plain.id) == await store.pictures(answer.id) == ()
    found = await store.message(asked.id)
    assert found is not None
    assert found.pictures == (BLUE.name, RED.name)


async def test_a_picture_is_kept_once_and_leaves_with_its_last_conversation(db: Database) -> None:
    store = ConversationStore(db)
    first, second = await store.create(), await store.create()
    for made in (first, first, second):
        await store.begin_turn(made.id, "Look", [RED])
    await store.begin_turn(first.id, "And this", [BLUE])
    assert await counts(db) == (2, 4)
    await store.delete(first.id)
    assert await counts(db) == (1, 1)
    await store.delete(second.id)
    assert await counts(db) == (0, 0)


async def test_pictures_travel_with_their_conversation(db: Database, tmp_path: Path) -> None:
    store = ConversationStore(db)
    made = await store.create("With pictures")
    await store.begin_turn(made.id, "Look", [RED, BLUE])
    plain = await ConversationArchive(db).take_out(made.id)
    assert plain is not None
    assert problem_of(plain) == ""
    other = await Database.open(tmp_path / "other.db", backups=tmp_path / "others")
    try:
        for _ in range(2):  # twice is as good as once
            await ConversationArchive(other).put_in(plain)
        (asked, _) = await ConversationStore(other).messages(made.id)
        assert await ConversationStore(other).pictures(asked.id) == (RED, BLUE)
        assert await counts(other) == (2, 2)
    finally:
        await other.aclose()


@pytest.mark.parametrize(
    "pictures",
    [
        "no list",
        ["no object"],
        [{"name": "a.png", "media_type": "image/png"}],
        [{"name": "a.svg", "media_type": "image/svg+xml", "data": ""}],
        [{"name": "a.png", "media_type": "image/png", "data": "not base64!"}],
        [{"name": 1, "media_type": "image/png", "data": ""}],
    ],
)
async def test_pictures_that_are_not_right_are_refused_with_a_reason(db: Database, pictures: object) -> None:
    store = ConversationStore(db)
    made = await store.create()
    await store.begin_turn(made.id, "Look", [RED])
    plain = await ConversationArchive(db).take_out(made.id)
    assert plain is not None
    plain["messages"][0]["pictures"] = pictures
    assert problem_of(plain).startswith("message 1: ")
