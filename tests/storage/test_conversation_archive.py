"""Conversations out of one database and into another: nothing lost, nothing twice, nothing of the person's changed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from vpa_desktop.evidence import Evidence, LeftOut, Quality
from vpa_desktop.messages import Attempt, Citation, Usage
from vpa_desktop.records import ConversationRecord, MessageRecord
from vpa_desktop.storage.conversation_archive import ConversationArchive, problem_of
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database


async def opened(folder: Path) -> Database:
    return await Database.open(folder / "vpa.db", backups=folder / "backups")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Database]:
    db = await opened(tmp_path / "here")
    yield db
    await db.aclose()


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Database]:
    db = await opened(tmp_path / "there")
    yield db
    await db.aclose()


async def told(db: Database, title: str = "Rent") -> ConversationRecord:
    """A conversation with an answer that has everything an answer can have, given anew once."""
    store = ConversationStore(db)
    made = await store.create(title)
    _, first = await store.begin_turn(made.id, "What is the notice period? 期間は?")
    await store.settle(replace(first, content="Three weeks.", state="done"))
    again = await store.begin_answer(first.id)
    await store.settle(
        replace(
            again,
            content="Three months.",
            state="done",
            provider="main",
            model="gpt-4o",
            finish_reason="stop",
            usage=Usage(100, 20, 30, None, 5),
            cost_usd=Decimal("0.00123000"),
            ttft_ms=120.5,
            latency_ms=900.0,
            citations=(Citation(1, "lease.pdf", "/lease.pdf", "Lease", 3, "§ 4", 0.91, "Notice", "d1", 7, 10, 16),),
            attempts=(Attempt("spare", "m", "failed", "It is down.", 5.0), Attempt("main", "gpt-4o", "ok", ms=900.0)),
            warnings=("Mind the date.",),
            reasoning="Thought.",
            first_choice="spare",
            first_choice_usd=Decimal("0.1"),
            saved_usd=Decimal("0.2"),
            evidence=Evidence("notice", (LeftOut("b.pdf", None, "", 0.1, "x", "too far"),), Quality(True, 0.9)),
        )
    )
    await store.give_feedback(again.id, "good")
    return made


async def moved(source: Database, target: Database) -> list[Any]:
    """Everything taken out, through JSON text as in a file, and put in."""
    archive = ConversationArchive(source)
    found = [json.loads(json.dumps(await archive.take_out(each))) for each in await archive.ids()]
    assert [problem_of(each) for each in found] == [""] * len(found)
    return [await ConversationArchive(target).put_in(each) for each in found]


async def rows(db: Database) -> list[dict[str, Any]]:
    """The messages as they stand in the table, without what is this database's own."""
    query = "SELECT * FROM messages ORDER BY conversation_id, place, id"
    own = ("seq", "owner")
    return [{k: v for k, v in r.items() if k not in own} for r in await db.read(lambda db: list(db.query(query)))]


async def test_every_column_arrives(here: Database, there: Database) -> None:
    made = await told(here)
    (arrived,) = await moved(here, there)
    assert (arrived.is_new, arrived.added, arrived.unchanged) == (True, 3, 0)
    assert await rows(there) == await rows(here)
    assert await ConversationStore(there).get(made.id) == await ConversationStore(here).get(made.id)
    found = await ConversationStore(there).messages(made.id)
    assert found == await ConversationStore(here).messages(made.id)
    assert [m.content for m in found] == ["What is the notice period? 期間は?", "Three months."]
    assert await ConversationStore(there).list("months")  # it can be searched too


async def test_the_second_time_adds_nothing(here: Database, there: Database) -> None:
    await told(here)
    await moved(here, there)
    before = await rows(there)
    (arrived,) = await moved(here, there)
    assert (arrived.is_new, arrived.added, arrived.unchanged) == (False, 0, 3)
    assert await rows(there) == before


async def say(db: Database, conversation_id: str, text: str) -> MessageRecord:
    store = ConversationStore(db)
    _, answer = await store.begin_turn(conversation_id, text)
    await store.settle(replace(answer, content=f"About {text}", state="done"))
    return answer


async def test_a_conversation_that_went_on_in_both_places_keeps_both(here: Database, there: Database) -> None:
    made = await told(here)
    await moved(here, there)
    await say(here, made.id, "here")
    await say(there, made.id, "there")
    await moved(here, there)
    texts = [m.content for m in await ConversationStore(there).messages(made.id)]
    assert texts[-4:] == ["there", "About there", "here", "About here"]


async def test_an_answer_given_anew_here_is_not_replaced_by_one_given_anew_there(
    here: Database, there: Database
) -> None:
    made = await told(here)
    await moved(here, there)
    last = (await ConversationStore(here).messages(made.id))[-1]
    for db in (here, there):
        again = await ConversationStore(db).begin_answer(last.id)
        await ConversationStore(db).settle(replace(again, content=str(db.path.parent.name), state="done"))
    await moved(here, there)
    assert [m.content for m in await ConversationStore(there).messages(made.id)][1:] == ["there"]
    assert len(await rows(there)) == 5


async def test_an_answer_given_anew_there_takes_the_place_of_the_old_one(here: Database, there: Database) -> None:
    made = await told(here)
    await moved(here, there)
    await say(there, made.id, "later")
    last = (await ConversationStore(here).messages(made.id))[-1]
    again = await ConversationStore(here).begin_answer(last.id)
    await ConversationStore(here).settle(replace(again, content="Anew", state="done"))
    await moved(here, there)
    texts = [m.content for m in await ConversationStore(there).messages(made.id)]
    assert texts[1:] == ["Anew", "later", "About later"]


async def test_an_answer_under_way_travels_as_broken_off(here: Database, there: Database) -> None:
    store = ConversationStore(here)
    made = await store.create()
    _, answer = await store.begin_turn(made.id, "Go")
    await store.journal(answer.id, "Half an ans")
    await moved(here, there)
    found = (await ConversationStore(there).messages(made.id))[-1]
    assert (found.state, found.content) == ("interrupted", "Half an ans")


BAD: list[tuple[str, object, str]] = [
    ("role", "system", "role"),
    ("state", "running", "state"),
    ("usage", {"input_tokens": "many"}, "usage.input_tokens"),
    ("citations", [{"n": 1, "page": "three"}], r"citations\[0\].page"),
    ("citations", None, "citations"),
    ("attempts", [{"cost_usd": "much"}], "attempts"),
    ("cost_usd", "NaN", "cost_usd"),
    ("cost_usd", 0.5, "cost_usd"),
    ("created_at", "yesterday", "time"),
    ("created_at", "2026-11-30T07:50:44", "time"),
    ("id", "", "id"),
    ("place", -1, "place"),
    ("place", 1 << 40, "place"),
    ("place", True, "place"),
    ("evidence", {"quality": {"found": "yes"}}, "evidence.quality"),
]


@pytest.mark.parametrize(("name", "value", "said"), BAD)
async def test_a_message_that_is_not_right_is_named(here: Database, name: str, value: object, said: str) -> None:
    made = await told(here)
    found = deepcopy(await ConversationArchive(here).take_out(made.id))
    assert found is not None
    found["messages"][1][name] = value
    problem = problem_of(found)
    assert problem.startswith("message 2: ")
    assert re.search(said, problem)


async def test_fields_of_another_version_are_no_fault(here: Database, there: Database) -> None:
    made = await told(here)
    found = await ConversationArchive(here).take_out(made.id)
    assert found is not None
    for message in found["messages"]:
        message["mood"] = "sunny"
        del message["feedback"]
    assert problem_of(found) == ""
    arrived = await ConversationArchive(there).put_in(found)
    assert arrived.added == 3
    assert {m.feedback for m in await ConversationStore(there).messages(made.id)} == {""}


async def test_half_characters_and_other_zones_are_stored_readably(here: Database, there: Database) -> None:
    made = await told(here)
    found = await ConversationArchive(here).take_out(made.id)
    assert found is not None
    found["title"] = "half \ud83d"
    found["messages"][0]["content"] = "half \ud83d"
    found["messages"][0]["created_at"] = "2026-11-30T09:00:00+02:00"
    await ConversationArchive(there).put_in(json.loads(json.dumps(found)))
    message = (await ConversationStore(there).messages(made.id))[0]
    assert message.content == "half ?"
    assert message.created_at.isoformat() == "2026-11-30T07:00:00+00:00"
