"""Conversations on a real file: what is stored when, what comes back, and what a killed process leaves."""

# The loop has nothing else to do while a test waits for a process.
# ruff: noqa: ASYNC220

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from vpa_desktop.errors import StorageError
from vpa_desktop.messages import Attempt, Citation, Usage
from vpa_desktop.records import UsageRow
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.rows import is_alive, new_id, this_process
from vpa_desktop.storage.usage import UsageLedger

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class Clock:
    """A clock that moves one second each time it is read."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


async def open_in(folder: Path) -> Database:
    return await Database.open(folder / "vpa.db", backups=folder / "backups")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_in(tmp_path)
    yield database
    await database.aclose()


@pytest.fixture
def store(db: Database) -> ConversationStore:
    return ConversationStore(db, now=Clock())


def row(cost: str | None = "0.0012", at: datetime = START) -> UsageRow:
    return UsageRow(at, "openai", "m", "ok", 10, 20, cost_usd=None if cost is None else Decimal(cost), estimated=True)


async def test_a_turn_comes_back_as_it_was_settled(store: ConversationStore, db: Database) -> None:
    chat = await store.create()
    question, answer = await store.begin_turn(chat.id, "\n  What is a breaker?\nPlease.")
    assert [m.state for m in await store.messages(chat.id)] == ["done", "streaming"]
    await store.journal(answer.id, "It tr", "thinking")
    journaled = await store.message(answer.id)
    assert journaled is not None
    assert (journaled.content, journaled.reasoning) == ("It tr", "thinking")
    settled = replace(
        answer,
        content="It trips.",
        state="done",
        provider="openai",
        model="m",
        finish_reason="stop",
        usage=Usage(10, 20, reasoning_tokens=5),
        cost_usd=Decimal("0.001200"),
        ttft_ms=12.5,
        latency_ms=99.0,
        citations=(Citation(1, "doc", "/p", "t", 3, "s", 0.5, "text", "id", 7, 1, 9, ("copy.pdf",)),),
        attempts=(
            Attempt("a", "b", "failed", "why", 1.0),
            Attempt("openai", "m", "ok", "", 9.5, 3.25, Decimal("0.0012")),
        ),
        warnings=("careful",),
        first_choice="a",
        first_choice_usd=Decimal("0.0100"),
        saved_usd=Decimal("0.002"),
    )
    await store.settle(settled, [row(), row(None)])
    assert await store.messages(chat.id) == [question, settled]
    assert len(await UsageLedger(db).rows()) == 2
    await store.journal(answer.id, "too late")
    assert await store.message(answer.id) == settled
    listed = (await store.list())[0]
    assert (listed.title, listed.message_count) == ("What is a breaker?", 2)
    assert listed.updated_at > listed.created_at


async def test_an_answer_given_anew_takes_the_place_of_the_old(store: ConversationStore) -> None:
    chat = await store.create("t")
    q1, a1 = await store.begin_turn(chat.id, "one")
    q2, a2 = await store.begin_turn(chat.id, "two")
    new = await store.begin_answer(a1.id)
    assert [m.id for m in await store.messages(chat.id)] == [q1.id, new.id, q2.id, a2.id]
    assert await store.message(a1.id) == a1
    with pytest.raises(StorageError, match="no longer stored"):
        await store.begin_answer("nothing")


async def test_a_turn_in_a_deleted_conversation_is_a_sentence(store: ConversationStore, db: Database) -> None:
    chat = await store.create("t")
    _, answer = await store.begin_turn(chat.id, "one")
    await store.delete(chat.id)
    await store.settle(replace(answer, state="done"), [row()])
    assert await store.message(answer.id) is None
    assert await UsageLedger(db).spent_since(START) == Decimal("0.0012")
    with pytest.raises(StorageError, match="deleted"):
        await store.begin_turn(chat.id, "two")
    assert await db.read(lambda c: c.table("messages").count) == 0


async def test_words_find_titles_and_settled_texts(store: ConversationStore) -> None:
    first, second = await store.create("Cooking lentils"), await store.create("熔断器")
    _, answer = await store.begin_turn(first.id, "with Café spices")
    await store.journal(answer.id, "cumin")

    async def ids(words: str) -> list[str]:
        return [chat.id for chat in await store.list(words)]

    assert await ids("") == [first.id, second.id]
    assert await ids("lent") == [first.id]
    assert await ids("cafe spi") == [first.id]
    assert await ids("断器") == [second.id]
    assert await ids("cumin") == []
    await store.settle(replace(answer, content="cumin", state="done"))
    assert await ids("cumin") == [first.id]
    assert await ids('"; DROP (near*') == []
    assert await ids("100%_中") == []
    await store.rename(first.id, "Other")
    assert await ids("lentils") == []


async def test_only_answers_of_dead_processes_are_recovered(store: ConversationStore, db: Database) -> None:
    chat = await store.create("t")
    _, mine = await store.begin_turn(chat.id, "one")
    _, reused = await store.begin_turn(chat.id, "two")
    pid = this_process().partition("@")[0]
    await db.write(lambda c: c.execute("UPDATE messages SET owner = ? WHERE id = ?", [f"{pid}@1.00", reused.id]))
    assert await store.recover() == 1
    assert [m.state for m in await store.messages(chat.id)] == ["done", "streaming", "done", "interrupted"]
    assert mine.state == "streaming"
    assert is_alive(this_process())
    assert not is_alive("")


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    ids = [new_id(START + timedelta(milliseconds=n // 2)) for n in range(2000)]
    assert len(set(ids)) == 2000
    assert {len(each) for each in ids} == {26}
    assert [each[:10] for each in ids] == sorted(each[:10] for each in ids)


async def test_money_is_summed_without_loss(db: Database) -> None:
    ledger = UsageLedger(db)
    for n in range(30):
        await ledger.record(row("0.1", START + timedelta(minutes=n)))
    await ledger.record(row(None))
    assert await ledger.spent_since(START) == Decimal("3.0")
    assert await ledger.spent_since(START + timedelta(minutes=20)) == Decimal("1.0")
    rows = await ledger.rows(since=START.astimezone() + timedelta(minutes=29))
    assert rows == [row("0.1", START + timedelta(minutes=29))]


_STREAMING = """
import asyncio, sys
from pathlib import Path
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
async def main():
    folder = Path(sys.argv[1])
    db = await Database.open(folder / "vpa.db", backups=folder / "backups")
    store = ConversationStore(db)
    chat = await store.create("killed")
    _, answer = await store.begin_turn(chat.id, "a long one, please")
    n = 0
    while True:
        n += 1
        await store.journal(answer.id, "word " * n)
        print(answer.id, n, flush=True)
asyncio.run(main())
"""


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_an_answer_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    chance = random.Random(9)
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", _STREAMING, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(chance.randint(2, 40))]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.stdout.close()
        await asyncio.to_thread(process.wait)
        answer_id, stored = [line.split() for line in lines if line.endswith("\n")][-1]
        db = await open_in(tmp_path)
        store = ConversationStore(db)
        assert db.notices == []
        assert await store.recover() == 1
        answer = await store.message(answer_id)
        assert answer is not None
        assert answer.state == "interrupted"
        assert len(answer.content) >= len("word ") * int(stored)
        await db.aclose()
    db = await open_in(tmp_path)
    assert await db.read(lambda c: c.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]
    assert len(await ConversationStore(db).list("please")) == 20
    await db.aclose()
