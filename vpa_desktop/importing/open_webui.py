"""Open WebUI's export of chats: a list of chats, each with a ``history`` of messages that know parent and children."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from vpa_desktop.importing.trees import ForeignChat, Node, linear, role_of
from vpa_desktop.importing.values import (
    Json,
    Picture,
    joined,
    json_object,
    objects,
    picture_of,
    split_thought,
    text_of,
    time_of,
)

NAME = "Open WebUI"
_DETAILS = re.compile(r'<details type="(\w+)"[^>]*>(.*?)</details>\s*', re.DOTALL)
_SUMMARY = re.compile(r"<summary>.*?</summary>", re.DOTALL)


def is_it(document: Any) -> bool:
    """Whether this is such an export."""
    return any(json_object(each.get("chat")).keys() & {"history", "messages"} for each in _chats(document))


def read(document: Any) -> Iterator[ForeignChat]:
    """Yield the conversations."""
    for each in _chats(document):
        chat = json_object(each.get("chat"))
        foreign = ForeignChat(
            source="open-webui",
            id=text_of(each.get("id")) or text_of(chat.get("id")),
            title=text_of(each.get("title")) or text_of(chat.get("title")),
            created=time_of(each.get("created_at")) or time_of(chat.get("timestamp")),
            updated=time_of(each.get("updated_at")),
        )
        history = json_object(chat.get("history"))
        if messages := json_object(history.get("messages")):
            foreign.nodes = [_node(key, json_object(value)) for key, value in messages.items()]
            foreign.open_at = text_of(history.get("currentId")) or None
            yield foreign
        else:
            found = objects(chat.get("messages"))
            yield linear(foreign, [_node(text_of(m.get("id")) or str(n), m) for n, m in enumerate(found)])


def _chats(document: Any) -> list[Json]:
    return objects(document) or [json_object(document)]


def _node(key: str, message: Json) -> Node:
    text, thought = _content(text_of(message.get("content")))
    return Node(
        key,
        text_of(message.get("parentId")) or None,
        role_of(message.get("role")),
        text,
        time_of(message.get("timestamp")),
        text_of(message.get("model")) or text_of(message.get("modelName")),
        NAME,
        _reasoning(message) or thought,
        [picture for each in objects(message.get("files")) if (picture := _picture(each)) is not None],
    )


def _picture(file: Json) -> Picture | None:
    return picture_of(file.get("url"), file.get("name")) if file.get("type") == "image" else None


def _content(text: str) -> tuple[str, str]:
    """The words of an answer, and its reasoning, which stands in a folded block."""
    thoughts = [_SUMMARY.sub("", body) for kind, body in _DETAILS.findall(text) if kind == "reasoning"]
    said, thought = split_thought(_DETAILS.sub("", text))
    plain = html.unescape("\n".join(thoughts)) if thoughts else thought
    return said, "\n".join(line.removeprefix("> ") for line in plain.strip().splitlines())


def _reasoning(message: Json) -> str:
    steps = [each for each in objects(message.get("output")) if each.get("type") == "reasoning"]
    return joined(text_of(piece.get("text")) for each in steps for piece in objects(each.get("content")))
