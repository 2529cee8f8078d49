"""Cherry Studio's backup: ``data.json`` with the topics of its database, and their names in its stored state.

Messages hold their words themselves (old backups) or name blocks that hold them. Answers of several models to one
question name it in ``askId``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from vpa_desktop.importing.trees import ForeignChat, Node, role_of
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

NAME = "Cherry Studio"
_STATE = "persist:cherry-studio"


def is_it(document: Any) -> bool:
    """Whether this is such a backup."""
    return "indexedDB" in json_object(document) and "localStorage" in json_object(document)


def read(document: Any) -> Iterator[ForeignChat]:
    """Yield the conversations."""
    stored = document["indexedDB"]
    blocks = {text_of(each.get("id")): each for each in objects(json_object(stored).get("message_blocks"))}
    facts = _topic_facts(json_object(document["localStorage"]))
    for topic in _topics(stored):
        key = text_of(topic.get("id"))
        fact = facts.get(key, {})
        chat = ForeignChat("cherry-studio", key, text_of(fact.get("name")))
        chat.created, chat.updated = time_of(fact.get("createdAt")), time_of(fact.get("updatedAt"))
        _fill(chat, objects(topic.get("messages")), blocks)
        yield chat


def _topics(stored: Any) -> list[Json]:
    """The topics; the oldest backups have a list of keys and values instead of tables."""
    if isinstance(stored, list):
        return objects([each.get("value") for each in objects(stored) if text_of(each.get("key")).startswith("topic:")])
    return objects(json_object(stored).get("topics"))


def _topic_facts(storage: Json) -> dict[str, Json]:
    slices = _unpacked(storage.get(_STATE))
    held = _unpacked(slices.get("assistants"))
    assistants = [json_object(held.get("defaultAssistant")), *objects(held.get("assistants"))]
    return {text_of(topic.get("id")): topic for each in assistants for topic in objects(each.get("topics"))}


def _unpacked(value: Any) -> Json:
    """An object that may be written as text inside the text."""
    if not isinstance(value, str):
        return json_object(value)
    try:
        return json_object(json.loads(value))
    except (ValueError, RecursionError):  # names are lost, the conversations are not
        return {}


def _fill(chat: ForeignChat, messages: list[Json], blocks: dict[str, Json]) -> None:
    """Adds the messages: answers to one question beside each other, the one that was chosen goes on."""
    last: str | None = None
    asked: dict[str, str] = {}  # question -> the answer that goes on
    for number, message in enumerate(messages):
        node = _node(message, text_of(message.get("id")) or str(number), blocks)
        question = text_of(message.get("askId"))
        if node.role == "assistant" and question in asked:
            node.parent = question
            if message.get("foldSelected") is True and last == asked[question]:
                asked[question] = last = node.id
        else:
            node.parent, last = last, node.id
            if node.role == "assistant" and node.parent == question:
                asked[question] = node.id
        chat.nodes.append(node)
    chat.open_at = last


def _node(message: Json, key: str, blocks: dict[str, Json]) -> Node:
    names = message.get("blocks")
    held = [blocks[each] for each in map(text_of, names) if each in blocks] if isinstance(names, list) else []
    text, thought = split_thought(joined(_block(each) for each in held) or text_of(message.get("content")))
    model = json_object(message.get("model"))
    return Node(
        key,
        None,
        "hidden" if message.get("type") == "clear" else role_of(message.get("role")),
        text,
        time_of(message.get("createdAt")),
        text_of(model.get("id")) or text_of(message.get("modelId")),
        text_of(model.get("provider")) or NAME,
        joined(text_of(each.get("content")) for each in held if each.get("type") == "thinking")
        or text_of(message.get("reasoning_content"))
        or thought,
        [picture for each in held if (picture := _picture(each)) is not None],
    )


def _picture(block: Json) -> Picture | None:
    return picture_of(block.get("url")) if block.get("type") == "image" else None


def _block(block: Json) -> str:
    kind = block.get("type")
    if kind == "image":
        return "" if _picture(block) is not None else PICTURE
    if kind == "code":
        return f"```{text_of(block.get('language'))}\n{text_of(block.get('content'))}\n```"
    return text_of(block.get("content")) if kind == "main_text" else ""
