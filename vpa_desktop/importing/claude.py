"""Claude's data export: ``conversations.json``, a list of conversations with ``chat_messages``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vpa_desktop.importing.trees import ForeignChat, Node, role_of
from vpa_desktop.importing.values import Json, joined, objects, text_of, time_of

NAME = "Claude"


def is_it(document: Any) -> bool:
    """Whether this is such an export."""
    return any("chat_messages" in each for each in objects(document))


def read(document: Any) -> Iterator[ForeignChat]:
    """Yield the conversations."""
    for each in objects(document):
        chat = ForeignChat(
            source="claude",
            id=text_of(each.get("uuid")),
            title=text_of(each.get("name")),
            created=time_of(each.get("created_at")),
            updated=time_of(each.get("updated_at")),
        )
        for number, message in enumerate(objects(each.get("chat_messages"))):
            before = chat.nodes[-1].id if chat.nodes else None
            chat.nodes.append(_node(message, number, before, text_of(each.get("model"))))
        chat.open_at = chat.nodes[-1].id if chat.nodes else None
        yield chat


def _node(message: Json, number: int, before: str | None, model: str) -> Node:
    pieces = objects(message.get("content"))
    return Node(
        text_of(message.get("uuid")) or str(number),
        text_of(message.get("parent_message_uuid")) or before,
        role_of(message.get("sender"), user="human"),
        joined(text_of(each.get("text")) for each in pieces if each.get("type") == "text")
        or text_of(message.get("text")),
        time_of(message.get("created_at")),
        model,
        NAME,
        joined(text_of(each.get("thinking")) for each in pieces if each.get("type") == "thinking"),
    )
