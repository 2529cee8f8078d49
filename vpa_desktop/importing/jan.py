"""Jan's folder of threads: for each a ``thread.json``, and a ``messages.jsonl`` with one message a line.

What is read here is one object a thread, ``{"thread": ..., "messages": [...]}``, which ``exports.py`` puts together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vpa_desktop.importing.trees import ForeignChat, Node, linear, role_of
from vpa_desktop.importing.values import (
    PICTURE,
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

NAME = "Jan"


def is_it(document: Any) -> bool:
    """Whether these are threads."""
    return any("thread" in each and "messages" in each for each in objects(document))


def read(document: Any) -> Iterator[ForeignChat]:
    """Yield the conversations."""
    for each in objects(document):
        thread = json_object(each.get("thread"))
        found = objects(each.get("messages"))
        key = text_of(thread.get("id")) or next((text_of(m.get("thread_id")) for m in found), "")
        chat = ForeignChat(
            source="jan",
            id=key,
            title=text_of(thread.get("title")) or text_of(json_object(thread.get("metadata")).get("title")),
            created=time_of(thread.get("created")),
            updated=time_of(thread.get("updated")),
        )
        provider, model = _model(thread)
        nodes = [_node(m, text_of(m.get("id")) or str(n), provider, model) for n, m in enumerate(found)]
        yield linear(chat, sorted(nodes, key=lambda node: node.at.timestamp() if node.at else 0.0))


def _model(thread: Json) -> tuple[str, str]:
    """The thread's provider and model: at the thread itself, or at its first assistant."""
    assistants = objects(thread.get("assistants"))
    model = json_object(thread.get("model")) or json_object(assistants[0].get("model") if assistants else None)
    return text_of(model.get("provider")) or text_of(model.get("engine")) or NAME, text_of(model.get("id"))


def _node(message: Json, key: str, provider: str, model: str) -> Node:
    pieces = objects(message.get("content"))
    text, thought = split_thought(joined(_piece(each) for each in pieces) or text_of(message.get("content")))
    at = time_of(message.get("created_at"))
    reasoning = joined(_words(each) for each in pieces if each.get("type") == "reasoning")
    pictures = [picture for each in pieces if (picture := _picture(each)) is not None]
    return Node(key, None, role_of(message.get("role")), text, at, model, provider, reasoning or thought, pictures)


def _picture(piece: Json) -> Picture | None:
    return picture_of(json_object(piece.get("image_url")).get("url"))


def _piece(piece: Json) -> str:
    if piece.get("type") in ("image", "image_url"):
        return "" if _picture(piece) is not None else PICTURE
    return "" if piece.get("type") == "reasoning" else _words(piece)


def _words(piece: Json) -> str:
    return text_of(json_object(piece.get("text")).get("value"))
