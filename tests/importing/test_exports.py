"""Each program's export, in the fields that its own files have, and what is said of files that are none."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from vpa_desktop.errors import UsageError
from vpa_desktop.importing.exports import read_export

Json = dict[str, Any]


def chatgpt_node(key: str, parent: str | None, role: str = "", text: str = "", **more: Any) -> Json:
    message: Json | None = None
    if role:
        message = {
            "id": key,
            "author": {"role": role, "name": None, "metadata": {}},
            "create_time": 1756000001.5,
            "content": {"content_type": "text", "parts": [text]},
            "metadata": {},
            "recipient": "all",
            **more,
        }
    return {"id": key, "message": message, "parent": parent, "children": []}


CHATGPT = [
    {
        "title": "Deploying",
        "create_time": 1756000000.1,
        "update_time": 1756000400.6,
        "conversation_id": "6b0f0d9c-1",
        "current_node": "a2",
        "default_model_slug": "gpt-5",
        "mapping": {
            each["id"]: each
            for each in (
                chatgpt_node("root", None),
                chatgpt_node("ctx", "root", "user", "profile", metadata={"is_visually_hidden_from_conversation": True}),
                chatgpt_node("q1", "ctx", "user", "How do I roll back?"),
                chatgpt_node("a1", "q1", "assistant", "Badly.", create_time=1756000002),
                chatgpt_node("call", "q1", "assistant", "search()", recipient="web", create_time=1756000003),
                chatgpt_node("tool", "call", "tool", "results"),
                chatgpt_node(
                    "think",
                    "tool",
                    "assistant",
                    content={"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "Hm, helm."}]},
                ),
                chatgpt_node(
                    "a2",
                    "think",
                    "assistant",
                    "Run `helm rollback`.\ue200cite\ue202turn0search1\ue201",
                    create_time=1756000004,
                    metadata={"model_slug": "o4-mini"},
                ),
            )
        },
    },
    {"title": "Corrupted entry", "create_time": 1756000500.0, "id": "x"},
    {
        "title": None,
        "id": "6b0f0d9c-3",
        "current_node": "q",
        "mapping": {
            "q": chatgpt_node(
                "q",
                None,
                "user",
                content={
                    "content_type": "multimodal_text",
                    "parts": [{"content_type": "image_asset_pointer", "asset_pointer": "x"}, "What is this?"],
                },
            )
        },
    },
]
OPEN_WEBUI = [
    {
        "id": "chat-1",
        "user_id": "u",
        "title": "Sums",
        "created_at": 1700000000,
        "updated_at": 1700000100,
        "chat": {
            "title": "Sums",
            "models": ["deepseek-r1"],
            "history": {
                "currentId": "a",
                "messages": {
                    "q": {"id": "q", "parentId": None, "role": "user", "content": "15 * 17?", "timestamp": 1700000000},
                    "a0": {"id": "a0", "parentId": "q", "role": "assistant", "content": "254", "timestamp": 1700000005},
                    "a": {
                        "id": "a",
                        "parentId": "q",
                        "role": "assistant",
                        "model": "deepseek-r1",
                        "timestamp": 1700000010,
                        "content": '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n'
                        "&gt; Ten times, then seven.\n</details>\n255",
                    },
                },
            },
        },
    },
    {
        "id": "old",
        "title": "Old",
        "chat": {"messages": [{"role": "user", "content": "Hello", "timestamp": 1700000000}]},
    },
]
LIBRECHAT = {
    "conversationId": "4a86",
    "endpoint": "openAI",
    "title": "Activation",
    "recursive": True,
    "options": {"model": "gpt-4-turbo"},
    "messages": [
        {
            "messageId": "m1",
            "parentMessageId": "00000000-0000-0000-0000-000000000000",
            "isCreatedByUser": True,
            "sender": "User",
            "text": "How do I activate it?",
            "createdAt": "2024-05-01T16:35:11.530Z",
            "children": [
                {
                    "messageId": "m2",
                    "isCreatedByUser": False,
                    "model": "gpt-4-turbo",
                    "endpoint": "openAI",
                    "content": [{"type": "think", "think": "venv"}, {"type": "text", "text": {"value": "source it"}}],
                    "createdAt": "2024-05-01T16:35:12.604Z",
                    "children": [],
                }
            ],
        }
    ],
}
LIBRECHAT_FLAT = {
    **LIBRECHAT,
    "recursive": False,
    "messages": [
        {"messageId": "m1", "isCreatedByUser": True, "text": "One", "createdAt": "2024-05-01T16:00:00Z"},
        {"messageId": "m2", "parentMessageId": "m1", "text": "Two", "createdAt": "2024-05-01T16:01:00Z"},
    ],
}


def chatbox_message(key: str, role: str, text: str) -> Json:
    parts = [{"type": "text", "text": text}]
    return {"id": key, "role": role, "contentParts": parts, "timestamp": 1713000000000, "aiProvider": "openai"}


CHATBOX = {
    "__exported_items": ["conversations"],
    "chat-sessions-list": [{"id": "s1", "name": "Trip"}],
    "session:s1": {
        "id": "s1",
        "name": "Trip",
        "messages": [
            chatbox_message("sys", "system", "You are kind."),
            chatbox_message("q", "user", "Where to?"),
            {**chatbox_message("a", "assistant", "Lisbon."), "model": "gpt-4o", "reasoningContent": "Sun."},
        ],
        "messageForksHash": {
            "q": {
                "position": 1,
                "lists": [
                    {"id": "f0", "messages": [chatbox_message("a0", "assistant", "Oslo.")]},
                    {"id": "f1", "messages": []},
                ],
            }
        },
        "threads": [{"id": "t1", "name": "Before", "messages": [chatbox_message("tq", "user", "Hello")]}],
    },
}
CHATBOX_OLD = {
    "chat-sessions": [{"id": "o", "name": "Old", "messages": [{"id": "1", "role": "user", "content": "Hi there"}]}]
}


def cherry(messages: list[Json], blocks: list[Json]) -> Json:
    topics = [{"id": "t1", "name": "Cakes", "createdAt": "2025-05-01T10:00:00.000Z"}]
    state = {"assistants": json.dumps({"defaultAssistant": {"topics": topics}, "assistants": []})}
    return {
        "time": 1746000000000,
        "version": 5,
        "localStorage": {"persist:cherry-studio": json.dumps(state)},
        "indexedDB": {"topics": [{"id": "t1", "messages": messages}], "message_blocks": blocks},
    }


CHERRY = cherry(
    [
        {"id": "q", "role": "user", "createdAt": "2025-05-01T10:00:00.000Z", "blocks": ["b1"]},
        {"id": "a1", "role": "assistant", "askId": "q", "blocks": ["b2"], "createdAt": "2025-05-01T10:01:00.000Z"},
        {
            "id": "a2",
            "role": "assistant",
            "askId": "q",
            "foldSelected": True,
            "blocks": ["b3", "b4"],
            "model": {"id": "deepseek-chat", "provider": "deepseek"},
            "createdAt": "2025-05-01T10:01:00.000Z",
        },
        {"id": "q2", "role": "user", "blocks": [], "content": "Thanks", "createdAt": "2025-05-01T10:02:00.000Z"},
    ],
    [
        {"id": "b1", "type": "main_text", "content": "How many eggs?"},
        {"id": "b2", "type": "main_text", "content": "Two."},
        {"id": "b3", "type": "thinking", "content": "It is a small cake."},
        {"id": "b4", "type": "main_text", "content": "Three."},
    ],
)
CLAUDE = [
    {
        "uuid": "u1",
        "name": "Poems",
        "created_at": "2025-05-01T10:00:00.000000Z",
        "updated_at": "2025-05-01T11:00:00.000000Z",
        "chat_messages": [
            {"uuid": "m1", "sender": "human", "text": "A poem?", "created_at": "2025-05-01T10:00:00Z"},
            {"uuid": "m2", "sender": "assistant", "content": [{"type": "text", "text": "Roses."}], "text": ""},
        ],
    }
]

CASES: dict[str, tuple[Any, str, list[list[str]]]] = {
    "chatgpt": (
        CHATGPT,
        "ChatGPT",
        [
            ["How do I roll back?", "Badly.", "Run `helm rollback`."],
            ["[A picture that the export does not hold]\n\nWhat is this?"],
        ],
    ),
    "open-webui": (OPEN_WEBUI, "Open WebUI", [["15 * 17?", "254", "255"], ["Hello"]]),
    "librechat": (LIBRECHAT, "LibreChat", [["How do I activate it?", "source it"]]),
    "librechat-flat": (LIBRECHAT_FLAT, "LibreChat", [["One", "Two"]]),
    "chatbox": (CHATBOX, "Chatbox", [["Where to?", "Oslo.", "Lisbon."], ["Hello"]]),
    "chatbox-old": (CHATBOX_OLD, "Chatbox", [["Hi there"]]),
    "cherry": (CHERRY, "Cherry Studio", [["How many eggs?", "Two.", "Three.", "Thanks"]]),
    "claude": (CLAUDE, "Claude", [["A poem?", "Roses."]]),
}


def written(folder: Path, document: Any, name: str = "export.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("case", CASES)
def test_every_known_export_is_read(case: str, tmp_path: Path) -> None:
    document, program, said = CASES[case]
    export = read_export(written(tmp_path, document))
    assert export.program == program
    assert [[m["content"] for m in c["messages"]] for c in export.conversations] == said


def test_times_models_reasoning_and_former_answers_are_kept(tmp_path: Path) -> None:
    export = read_export(written(tmp_path, CHATGPT))
    assert export.empty == 1
    first = export.conversations[0]
    assert (first["title"], first["created_at"][:19]) == ("Deploying", "2025-08-24T01:46:40")
    question, former, answer = first["messages"]
    assert question["created_at"] == "2025-08-24T01:46:41.500000+00:00"
    assert (former["model"], former["is_superseded"], former["place"]) == ("gpt-5", 1, 2)
    assert (answer["model"], answer["reasoning"], answer["supersedes"]) == ("o4-mini", "Hm, helm.", former["id"])
    sums = read_export(written(tmp_path, OPEN_WEBUI)).conversations[0]["messages"][-1]
    assert (sums["model"], sums["reasoning"]) == ("deepseek-r1", "Ten times, then seven.")
    trip = read_export(written(tmp_path, CHATBOX)).conversations[0]["messages"][-1]
    assert (trip["model"], trip["provider"], trip["reasoning"]) == ("gpt-4o", "openai", "Sun.")
    cakes = read_export(written(tmp_path, CHERRY)).conversations[0]
    assert cakes["title"] == "Cakes"
    assert [(m["content"], m["is_superseded"]) for m in cakes["messages"][1:3]] == [("Two.", 1), ("Three.", 0)]
    assert (cakes["messages"][2]["model"], cakes["messages"][2]["reasoning"]) == (
        "deepseek-chat",
        "It is a small cake.",
    )


def jan_threads(folder: Path) -> Path:
    thread = folder / "threads" / "1747"
    thread.mkdir(parents=True)
    facts = {
        "id": "1747",
        "title": "Stars",
        "created": 1747000000,
        "updated": 1747000100000,
        "assistants": [{"id": "jan", "model": {"id": "qwen3:8b", "engine": "llama-cpp"}}],
    }
    (thread / "thread.json").write_text(json.dumps(facts))
    lines = [
        {"id": "b", "role": "assistant", "created_at": 1747000002000, "content": text("<think>far</think>Very far.")},
        {"id": "a", "role": "user", "created_at": 1747000001, "content": text("How far?")},
    ]
    (thread / "messages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "threads" / "empty").mkdir()
    (folder / "threads" / "empty" / "thread.json").write_text(json.dumps({"id": "empty", "title": "Nothing"}))
    return folder


def text(value: str) -> list[Json]:
    return [{"type": "text", "text": {"value": value, "annotations": []}}]


@pytest.mark.parametrize("part", [".", "threads", "threads/1747", "threads/1747/messages.jsonl"])
def test_threads_of_jan_are_read_from_its_folders(part: str, tmp_path: Path) -> None:
    export = read_export(jan_threads(tmp_path) / part)
    assert export.program == "Jan"
    (only,) = export.conversations
    assert only["title"] == "Stars"
    assert [(m["content"], m["reasoning"], m["model"]) for m in only["messages"]] == [
        ("How far?", "", ""),
        ("Very far.", "far", "qwen3:8b"),
    ]


def cherry_2(folder: Path) -> Path:
    """A data folder of Cherry Studio 2, with its database as it is while the program runs."""
    path = folder / "Data" / "cherrystudio.sqlite"
    path.parent.mkdir(parents=True)
    answers = {
        "q": (None, "user", [{"type": "text", "text": "How many eggs?"}], None),
        "a1": ("q", "assistant", [{"type": "text", "text": "Two."}], "openai::gpt-4o"),
        "a2": ("q", "assistant", [{"type": "reasoning", "text": "small"}, {"type": "text", "text": "Three."}], "d::v3"),
        "gone": ("a2", "user", [{"type": "text", "text": "Deleted"}], None),
    }
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE topic (id, name, active_node_id, created_at, updated_at, deleted_at)")
        db.execute("CREATE TABLE message (id, parent_id, topic_id, role, data, model_id, created_at, deleted_at)")
        db.execute("INSERT INTO topic VALUES ('t', 'Cakes', 'a2', 1747000000000, 1747000009000, NULL)")
        db.execute("INSERT INTO topic VALUES ('x', 'Gone', NULL, 1, 1, 1)")
        for n, (key, (parent, role, parts, model)) in enumerate(answers.items()):
            deleted = 1 if key == "gone" else None
            row = (key, parent, "t", role, json.dumps({"parts": parts}), model, 1747000000000 + n * 1000, deleted)
            db.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


def test_the_database_of_cherry_studio_2_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    folder = cherry_2(tmp_path / "CherryStudio")
    database = folder / "Data" / "cherrystudio.sqlite"
    before = database.read_bytes()
    archive = tmp_path / "backup.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(database, "Data/cherrystudio.sqlite")
        packed.writestr("metadata.json", "{}")
    for path in (folder, database, archive):
        export = read_export(path)
        assert export.program == "Cherry Studio"
        (only,) = export.conversations
        assert (only["title"], only["created_at"][:19]) == ("Cakes", "2025-05-11T21:46:40")
        said = [(m["content"], m["model"], m["is_superseded"], m["reasoning"]) for m in only["messages"]]
        assert said == [
            ("How many eggs?", "", 0, ""),
            ("Two.", "gpt-4o", 1, ""),
            ("Three.", "v3", 0, "small"),
        ]
    assert database.read_bytes() == before
    assert sorted(path.name for path in database.parent.iterdir()) == ["cherrystudio.sqlite"]


@pytest.mark.parametrize("data", [b"SQLite format 3\x00" + bytes(4000), b"SQLite format 3\x00"])
def test_a_damaged_database_gets_one_sentence(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"bad\.json was not taken in"):
        read_export(path)


@pytest.mark.parametrize("limit", [("_STEPS", 10), ("_MOST_TEXT", 10_000), ("_MOST_VALUE", 1_000)])
def test_a_database_that_computes_without_end_is_given_up(
    limit: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cherrystudio.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE topic (id)")
        db.execute("CREATE TABLE message (id)")
        db.execute("ALTER TABLE message ADD COLUMN data AS (hex(zeroblob(2000)))")
        db.executemany("INSERT INTO message (id) VALUES (?)", [(n,) for n in range(1_000)])
    monkeypatch.setattr("vpa_desktop.importing.cherry_database._LOOKS", 10)
    monkeypatch.setattr(f"vpa_desktop.importing.cherry_database.{limit[0]}", limit[1])
    with pytest.raises(UsageError, match="was not taken in"):
        read_export(path)


def test_sessions_of_chatbox_may_be_text_inside_the_text(tmp_path: Path) -> None:
    document = {"session:s1": json.dumps(CHATBOX["session:s1"]), "session:s2": "no JSON"}
    assert len(read_export(written(tmp_path, document)).conversations) == 2


def test_archives_are_read_as_they_come(tmp_path: Path) -> None:
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("conversations.json", json.dumps(CHATGPT))
        packed.writestr("user.json", json.dumps({"id": "user", "email": "a@b.c"}))
        packed.writestr("chat.html", "<html>")
    assert len(read_export(archive).conversations) == 2
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("data.json", json.dumps(CHERRY))
        packed.writestr("Data/Files/x.png", b"x")
    assert read_export(archive).program == "Cherry Studio"
    jan_threads(tmp_path)
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted((tmp_path / "threads").rglob("*.json*")):
            packed.write(file, file.relative_to(tmp_path))
    assert read_export(archive).program == "Jan"


BAD: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"hello", "not whole JSON"),
    "cut": (json.dumps(CHATGPT).encode()[:-20], "not whole JSON"),
    "UTF-16": (json.dumps(CHATGPT).encode("utf-16"), "not whole JSON"),
    "deep": (b"[" * 100_000, "not whole JSON"),
    "another program's": (b'{"hello": 1}', "Known are those of Chatbox, ChatGPT, Cherry Studio"),
    "a number": (b"1", "Known are"),
    "nothing": (b"", "not whole JSON"),
    "no messages": (b'[{"mapping": {}}]', "no message in it"),
    "half a zip": (b"PK\x03\x04" + bytes(50), "not whole JSON"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gets_one_sentence(case: str, tmp_path: Path) -> None:
    data, said = BAD[case]
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read_export(path)
    assert "bad.json was not taken in." in str(caught.value)
    assert said in str(caught.value)


def test_what_is_not_there_and_what_is_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        read_export(tmp_path / "gone.json")
    with pytest.raises(UsageError, match="no export of conversations that is known"):
        read_export(tmp_path)
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("conversations.json", b" " * 3_000_000)
    monkeypatch.setattr("vpa_desktop.importing.exports.MOST_BYTES", 2_000_000)
    with pytest.raises(UsageError, match="larger than 2 MB"):
        read_export(archive)


WRONG: tuple[Any, ...] = (None, 7, "x", [], {}, [[1]], float("inf"), -1, "\ud800")


@pytest.mark.parametrize("case", CASES)
def test_values_of_another_kind_in_any_place_do_no_harm(case: str, tmp_path: Path) -> None:
    """Every value of the document in turn is replaced by something else: a sentence at worst, never a fault."""
    document = CASES[case][0]
    places = list(_places(document))
    for place in places:
        for wrong in WRONG:
            try:
                export = read_export(written(tmp_path, _with(document, place, wrong)))
            except UsageError:
                continue
            assert all(c["messages"] for c in export.conversations)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in _places(each, (*at, key)))]


def _with(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _with(value[place[0]], place[1:], new)
    return copy
