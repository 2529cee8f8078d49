"""ChatGPT's data export: ``conversations.json``, a list of conversations whose ``mapping`` is a tree of nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from vpa_desktop.importing.trees import ForeignChat, Node, Role
from vpa_desktop.importing.values import PICTURE, Json, joined, json_object, objects, text_of, time_of

NAME = "ChatGPT"
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
    return PICTURE if kind.startswith("image") else text_of(json_object(part).get("text"))
