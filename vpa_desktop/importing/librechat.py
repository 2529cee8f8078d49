"""LibreChat's export of one conversation: its messages flat with parents, or as a tree of children."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vpa_desktop.importing.trees import ForeignChat, Node
from vpa_desktop.importing.values import PICTURE, Json, joined, json_object, objects, text_of, time_of

NAME = "LibreChat"


def is_it(document: Any) -> bool:
    """Whether this is such an export."""
    found = json_object(document)
    return "conversationId" in found and bool(found.keys() & {"messages", "messagesTree"})


def read(document: Any) -> Iterator[ForeignChat]:
    """Yield the one conversation."""
    found = json_object(document)
    options = json_object(found.get("options"))
    endpoint = text_of(found.get("endpoint")) or text_of(options.get("endpoint")) or NAME
    nodes = list(_nodes(objects(found.get("messagesTree")) or objects(found.get("messages")), endpoint))
    dated = [node for node in nodes if node.at]
    newest = max(dated, key=lambda node: node.at.timestamp() if node.at else 0.0, default=None)
    yield ForeignChat(
        source="librechat",
        id=text_of(found.get("conversationId")),
        title=text_of(found.get("title")),
        nodes=nodes,
        open_at=newest.id if newest else nodes[-1].id if nodes else None,
    )


def _nodes(messages: list[Json], endpoint: str) -> Iterator[Node]:
    """The messages, also those that stand inside others; not by calling itself, since a tree may be deep."""
    waiting = [(each, None) for each in reversed(messages)]
    number = 0
    while waiting:
        message, outer = waiting.pop()
        number += 1
        key = text_of(message.get("messageId")) or f"{number}"
        yield _node(message, key, outer or text_of(message.get("parentMessageId")) or None, endpoint)
        waiting += [(each, key) for each in reversed(objects(message.get("children")))]  # type: ignore[misc]


def _node(message: Json, key: str, parent: str | None, endpoint: str) -> Node:
    is_user = message.get("isCreatedByUser") is True or text_of(message.get("sender")).lower() == "user"
    pieces = objects(message.get("content"))
    return Node(
        key,
        parent,
        "user" if is_user else "assistant",
        text_of(message.get("text")) or joined(_piece(each) for each in pieces),
        time_of(message.get("createdAt")),
        text_of(message.get("model")),
        text_of(message.get("endpoint")) or endpoint,
        joined(text_of(each.get("think")) for each in pieces),
    )


def _piece(piece: Json) -> str:
    text = piece.get("text")
    if piece.get("type") in ("image_file", "image_url"):
        return PICTURE
    return text_of(json_object(text).get("value")) if isinstance(text, dict) else text_of(text)
