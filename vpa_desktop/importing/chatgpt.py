"""ChatGPT's data export: ``conversations.json``, a list of conversations whose ``mapping`` is a tree of nodes.

The pictures of questions lie beside it in the archive, in files whose names begin with the picture's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from vpa_desktop.importing.trees import ForeignChat, Node, Role
from vpa_desktop.importing.values import (
    PICTURE,
    Json,
    Picture,
    joined,
    json_object,
    objects,
    picture_of,
    text_of,
    time_of,
)

NAME = "ChatGPT"
HELD, HELD_AS = "held", "held_as"
"""Where ``exports`` puts a picture out of the archive, and the name of its file."""

_MARKS = re.compile("\ue200.*?\ue201", re.DOTALL)  # where the web page showed a source
_SHOWN = ("text", "multimodal_text", "code")


def is_it(document: Any) -> bool:
    """Whether this is such an export."""
    found = objects(document)
    return bool(found) and any("mapping" in each for each in found)


def read(document: Any) -> Iterator[ForeignChat]:
    """Yield the conversations."""
    for each in objects(document):
        usual = text_of(each.get("default_model_slug"))
        mapping = json_object(each.get("mapping"))
        yield ForeignChat(
            source="chatgpt",
            id=text_of(each.get("conversation_id")) or text_of(each.get("id")) or text_of(each.get("current_node")),
            title=text_of(each.get("title")),
            created=time_of(each.get("create_time")),
            updated=time_of(each.get("update_time")),
            nodes=[_node(key, json_object(value), usual) for key, value in mapping.items()],
            open_at=text_of(each.get("current_node")) or None,
        )


def pictures_in(document: Any) -> Iterator[tuple[str, Json]]:
    """Yield the pictures that questions point to: what their file's name begins with, and where it may be put in."""
    for each in objects(document):
        for value in json_object(each.get("mapping")).values():
            message = json_object(json_object(value).get("message"))
            if json_object(message.get("author")).get("role") != "user":
                continue
            for part in objects(json_object(message.get("content")).get("parts")):
                if name := text_of(part.get("asset_pointer")).rpartition("://")[2]:
                    yield name, part


def _node(key: str, found: Json, usual_model: str) -> Node:
    message = json_object(found.get("message"))
    content = json_object(message.get("content"))
    facts = json_object(message.get("metadata"))
    node = Node(key, text_of(found.get("parent")) or None, _role(message, content, facts))
    node.at = time_of(message.get("create_time"))
    if content.get("content_type") == "thoughts":
        node.reasoning = joined(text_of(each.get("content")) for each in objects(content.get("thoughts")))
    else:
        node.text = _MARKS.sub("", _text(content))
    node.model = text_of(facts.get("model_slug")) or usual_model
    node.provider = NAME
    node.pictures = [picture for each in objects(content.get("parts")) if (picture := _picture(each)) is not None]
    return node


def _role(message: Json, content: Json, facts: Json) -> Role:
    role = json_object(message.get("author")).get("role")
    if facts.get("is_visually_hidden_from_conversation") or message.get("recipient", "all") != "all":
        return "hidden"
    if role == "assistant":
        return "assistant" if content.get("content_type") in (*_SHOWN, "thoughts") else "hidden"
    return "user" if role == "user" and content.get("content_type") in _SHOWN else "hidden"


def _text(content: Json) -> str:
    if content.get("content_type") == "code":
        language = text_of(content.get("language"))
        return f"```{'' if language == 'unknown' else language}\n{text_of(content.get('text'))}\n```"
    parts = content.get("parts")
    return joined(_part(each) for each in parts) if isinstance(parts, list) else ""


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    kind = text_of(json_object(part).get("content_type"))
    if kind.startswith("image"):
        return "" if _picture(part) is not None else PICTURE
    return text_of(json_object(part).get("text"))


def _picture(part: Json) -> Picture | None:
    return picture_of(part.get(HELD), part.get(HELD_AS))
