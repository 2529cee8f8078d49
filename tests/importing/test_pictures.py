"""Pictures of questions out of other programs' exports: as ours are kept, where the export holds them, else marked."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.importing.test_exports import chatgpt_node, cherry
from vpa_desktop.assistant.archive_desk import ArchiveDesk
from vpa_desktop.importing.trees import LEFT_OUT
from vpa_desktop.importing.values import PICTURE
from vpa_desktop.records import MessageRecord
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
NO_PICTURE = base64.b64encode(b"no picture").decode()


def photo(colour: str) -> bytes:
    """A picture that says who took it."""
    exif = Image.Exif()
    exif[0x010F] = "Camera of Ada"
    sink = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(sink, "JPEG", exif=exif)
    return sink.getvalue()


def url(colour: str) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(photo(colour)).decode()}"


async def taken_in(path: Path, folder: Path) -> tuple[list[MessageRecord], list[tuple[tuple[int, int, int], str]]]:
    """The messages of the only conversation, and the colours and names of its pictures."""
    db = await Database.open(folder / "home" / "vpa.db", backups=folder / "backups")
    try:
        await ArchiveDesk(db).take_in(path)
        store = ConversationStore(db)
        (record,) = await store.list()
        messages = await store.messages(record.id)
        pictures = [each for message in messages for each in await store.pictures(message.id)]
    finally:
        await db.aclose()
    assert not any(b"Camera" in each.data for each in pictures)
    found = []
    for each in pictures:
        with Image.open(io.BytesIO(each.data)) as opened:
            found.append((tuple(round(value, -2) for value in opened.convert("RGB").getpixel((9, 9))), each.name))
    return messages, found


RED, BLUE = (300, 0, 0), (0, 0, 300)


async def test_chatgpts_pictures_are_found_beside_its_conversations(tmp_path: Path) -> None:
    def part(name: str) -> dict[str, Any]:
        return {"content_type": "image_asset_pointer", "asset_pointer": name}

    parts = [part("file-service://file-red1"), part("sediment://file_blue2"), part("file-service://file-gone"), "Look"]
    asked = chatgpt_node("q", None, "user", "")
    asked["message"]["content"] = {"content_type": "multimodal_text", "parts": parts}
    answer = chatgpt_node("a", "q", "assistant", "Colours")
    chat = {"conversation_id": "c", "title": "T", "mapping": {"q": asked, "a": answer}, "current_node": "a"}
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as packed:
        packed.writestr("conversations.json", json.dumps([chat]))
        packed.writestr("file-red1-my red.jpg", photo("red"))
        packed.writestr("user-1/file_blue2-sanitized.jpg", photo("blue"))
        packed.writestr("file-gone2-other.jpg", photo("green"))
    (question, _), pictures = await taken_in(tmp_path / "export.zip", tmp_path)
    assert pictures == [(RED, "my red.jpg"), (BLUE, "sanitized.jpg")]
    assert question.content == f"{PICTURE}\n\nLook"


async def test_open_webuis_pictures_come_along(tmp_path: Path) -> None:
    question = {
        "id": "q",
        "parentId": None,
        "role": "user",
        "content": "Which colour?",
        "files": [
            {"type": "image", "url": url("red"), "name": "red.jpg"},
            {"type": "image", "url": f"data:image/png;base64,{NO_PICTURE}"},
            {"type": "image", "url": "http://tracker.example/a.png"},
            {"type": "file", "url": url("blue")},
        ],
    }
    answer = {"id": "a", "parentId": "q", "role": "assistant", "content": "Red."}
    history = {"messages": {"q": question, "a": answer}, "currentId": "a"}
    (tmp_path / "chats.json").write_text(json.dumps([{"id": "1", "title": "T", "chat": {"history": history}}]))
    messages, pictures = await taken_in(tmp_path / "chats.json", tmp_path)
    assert pictures == [(RED, "red.jpg")]
    assert [message.content for message in messages] == ["Which colour?", "Red."]


async def test_a_question_that_was_only_a_picture_is_one_in_jans_threads(tmp_path: Path) -> None:
    folder = tmp_path / "threads" / "t1"
    folder.mkdir(parents=True)
    (folder / "thread.json").write_text(json.dumps({"id": "t1", "title": "T"}))
    lines = [
        {
            "id": "q",
            "role": "user",
            "created_at": 1,
            "content": [{"type": "image_url", "image_url": {"url": url("blue")}}],
        },
        {"id": "a", "role": "assistant", "created_at": 2, "content": [{"type": "text", "text": {"value": "Blue."}}]},
    ]
    (folder / "messages.jsonl").write_text("\n".join(map(json.dumps, lines)))
    messages, pictures = await taken_in(tmp_path / "threads", tmp_path)
    assert pictures == [(BLUE, "")]
    assert [message.content for message in messages] == ["[A picture]", "Blue."]


async def test_a_picture_that_came_with_an_answer_is_marked(tmp_path: Path) -> None:
    blocks: list[dict[str, Any]] = [
        {"id": "b1", "type": "main_text", "content": "Draw a cat"},
        {"id": "b2", "type": "image", "url": url("red")},
    ]
    question = {"id": "q", "role": "user", "blocks": ["b1"], "createdAt": "2026-01-01T00:00:00Z"}
    answer = {"id": "a", "role": "assistant", "blocks": ["b2"], "askId": "q", "createdAt": "2026-01-01T00:00:01Z"}
    (tmp_path / "data.json").write_text(json.dumps(cherry([question, answer], blocks)))
    messages, pictures = await taken_in(tmp_path / "data.json", tmp_path)
    assert pictures == []
    assert [each.content for each in messages] == ["Draw a cat", LEFT_OUT]


async def test_cherry_studios_pictures_come_along(tmp_path: Path) -> None:
    blocks: list[dict[str, Any]] = [
        {"id": "b1", "type": "main_text", "content": "Which colour?"},
        {"id": "b2", "type": "image", "url": url("red")},
        {"id": "b3", "type": "image", "file": {"id": "elsewhere"}},
    ]
    message = {"id": "q", "role": "user", "blocks": ["b1", "b2", "b3"], "createdAt": "2026-01-01T00:00:00Z"}
    (tmp_path / "data.json").write_text(json.dumps(cherry([message], blocks)))
    (question,), pictures = await taken_in(tmp_path / "data.json", tmp_path)
    assert pictures == [(RED, "")]
    assert question.content == f"Which colour?\n\n{PICTURE}"
