"""Exports as files: Markdown and HTML for reading, JSON for coming back, and files that are not ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from vpa_desktop.assistant.archive_desk import ArchiveDesk
from vpa_desktop.errors import UsageError
from vpa_desktop.messages import Attempt, Citation
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database

HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) ![p](http://tracker.example/p.png) **bold**"


def names_in(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "home" / "vpa.db", backups=tmp_path / "backups")
    store = ConversationStore(database)
    made = await store.create("A <b>title</b>")
    _, answer = await store.begin_turn(made.id, "Question & <i>mark-up</i>")
    await store.settle(
        replace(
            answer,
            content=HOSTILE,
            state="interrupted",
            provider="main",
            model="m",
            cost_usd=Decimal("0.5"),
            citations=(Citation(1, "lease.pdf", "/lease.pdf", "", 3, "", 0.9, "the <u>passage</u>"),),
            attempts=(Attempt("main", "m", "interrupted", "The line broke.", 310.0),),
            warnings=("Half of it is missing.",),
        )
    )
    yield database
    await database.aclose()


async def test_html_shows_everything_and_runs_and_loads_nothing(db: Database, tmp_path: Path) -> None:
    assert await ArchiveDesk(db).export([], tmp_path / "a.html") == 1
    text = (tmp_path / "a.html").read_text("utf-8")
    for tag in ("<script", "<img", "<i>", "<u>", 'href="javascript', "src="):
        assert tag not in text
    assert "default-src 'none'" in text
    for shown in ("A &lt;b&gt;title", "Question &amp; &lt;i&gt;", "<strong>bold</strong>", "lease.pdf, page 3",
                  "the &lt;u&gt;passage", "The line broke.", "Half of it is missing.", "broke off"):  # fmt: skip
        assert shown in text


async def test_markdown_has_sources_route_and_notes(db: Database, tmp_path: Path) -> None:
    await ArchiveDesk(db).export([], tmp_path / "a.txt", "md")
    text = (tmp_path / "a.txt").read_text("utf-8")
    for shown in ("# A <b>title</b>", HOSTILE, "1. lease.pdf, page 3: “the <u>passage</u>”",
                  "- main (m): Broke off after 310 ms", "- Half of it is missing."):  # fmt: skip
        assert shown in text


async def test_an_export_comes_back_into_an_empty_program(db: Database, tmp_path: Path) -> None:
    await ArchiveDesk(db).export([], tmp_path / "a.json")
    other = await Database.open(tmp_path / "other" / "vpa.db", backups=tmp_path / "other-backups")
    try:
        heard: list[tuple[int, int]] = []
        done = await ArchiveDesk(other).take_in(tmp_path / "a.json", lambda done, total: heard.append((done, total)))
        assert heard == [(1, 1)]
        assert (done.conversations, done.new, done.messages, done.unchanged) == (1, 1, 2, 0)
        again = await ArchiveDesk(other).take_in(tmp_path / "a.json")
        assert (again.new, again.messages, again.unchanged) == (0, 0, 2)
        (record,) = await ConversationStore(other).list()
        assert await ConversationStore(other).messages(record.id) == await ConversationStore(db).messages(record.id)
        actions = [entry.action for entry in await AuditLog(other).entries()]
        assert actions == ["conversations imported", "conversations imported"]
    finally:
        await other.aclose()


OURS = '{"format": "vpa-desktop conversations", "version": 1, "conversations": '


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not whole JSON"),
        (b"\xff\xfe\x00", "not whole JSON"),
        (b'{"a": 1}', "no export of conversations"),
        (b"[]", "no export of conversations"),
        (b"[" * 100_000, "not whole JSON"),
        (b'{"format": "vpa-desktop conversations", "version": 2}', "newer version"),
        (OURS.encode() + b"{}}", "no list"),
        (OURS.encode() + b"[7]}", "Conversation 1 cannot be read"),
        (OURS.encode()[:-20], "not whole JSON"),
    ],
)
async def test_a_file_that_is_not_ours_is_refused_and_changes_nothing(
    db: Database, tmp_path: Path, data: bytes, said: str
) -> None:
    (tmp_path / "file.json").write_bytes(data)
    with pytest.raises(UsageError, match=said):
        await ArchiveDesk(db).take_in(tmp_path / "file.json")
    assert len(await ConversationStore(db).list()) == 1


async def test_one_bad_conversation_keeps_the_others_out(db: Database, tmp_path: Path) -> None:
    await ArchiveDesk(db).export([], tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_bytes())
    document["conversations"] = [{**document["conversations"][0], "id": "other"}, {"id": 5}]
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match="Conversation 2 cannot be read: its id is missing or no text"):
        await ArchiveDesk(db).take_in(tmp_path / "a.json")
    assert len(await ConversationStore(db).list()) == 1


async def test_an_import_that_is_stopped_keeps_what_came_and_goes_on_later(db: Database, tmp_path: Path) -> None:
    await ArchiveDesk(db).export([], tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_bytes())
    (one,) = document["conversations"]

    def numbered(n: int) -> dict[str, object]:
        messages = [{**message, "id": f"{message['id']}-{n}"} for message in one["messages"]]
        return {**one, "id": f"many-{n}", "messages": messages}

    document["conversations"] = [numbered(n) for n in range(120)]
    (tmp_path / "a.json").write_text(json.dumps(document))
    heard: list[tuple[int, int]] = []

    def stop_after_the_first(done: int, total: int) -> None:
        heard.append((done, total))
        task.cancel()

    task = asyncio.ensure_future(ArchiveDesk(db).take_in(tmp_path / "a.json", stop_after_the_first))
    with pytest.raises(asyncio.CancelledError):
        await task
    ((came, total),) = heard
    assert 0 < came < total == 120
    rest = await ArchiveDesk(db).take_in(tmp_path / "a.json")
    assert (rest.conversations, rest.new) == (120, 120 - came)


async def test_what_cannot_be_exported_is_said(db: Database, tmp_path: Path) -> None:
    desk = ArchiveDesk(db)
    with pytest.raises(UsageError, match="There is no conversation nope"):
        await desk.export(["nope"], tmp_path / "a.json")
    with pytest.raises(UsageError, match=r"format of a\.docx is not known"):
        await desk.export([], tmp_path / "a.docx")
    assert names_in(tmp_path) == {"home"}
