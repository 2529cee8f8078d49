"""Chatbox's export: one object with a key for each session; older ones hold a list of them.

A session may hold former threads, and forks: after a message several lists, of which the one that was open is empty
because its messages are those of the session.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from vpa_desktop.importing.trees import ForeignChat, Node, role_of
from vpa_desktop.importing.values import PICTURE, Json, joined, json_object, objects, split_thought, text_of, time_of

NAME = "Chatbox"


def is_it(document: Any) -> bool:
    """Whether this is such an export."""
    return bool(_sessions(document))


def read(document: Any) -> Iterator[ForeignChat]:
    """Yield the conversations: of each session the one that was open and the former threads."""
    for session in _sessions(document):
        title = text_of(session.get("threadName")) or text_of(session.get("name"))
        yield _chat(session, text_of(session.get("id")), title, session)
        for thread in objects(session.get("threads")):
            yield _chat(thread, text_of(thread.get("id")), text_of(thread.get("name")) or title, session)


def _sessions(document: Any) -> list[Json]:
    found = json_object(document)
    keyed = [_unpacked(value) for key, value in found.items() if key.startswith("session:")]
    listed = objects(found.get("chat-sessions"))
    alone = [found] if "messages" in found and "name" in found and "conversationId" not in found else []
    return [each for each in (*keyed, *listed, *alone) if isinstance(each.get("messages"), list)]


def _unpacked(value: Any) -> Json:
    """A session, which some versions write as text inside the text."""
    try:
        return json_object(json.loads(value) if isinstance(value, str) else value)
    except (ValueError, RecursionError):  # one session is lost, the others are not
        return {}


def _chat(held: Json, key: str, title: str, session: Json) -> ForeignChat:
    chat = ForeignChat("chatbox", key, title)
    chat.open_at = _chain(chat, objects(held.get("messages")), None)
    forks = json_object(session.get("messageForksHash"))
    waiting = {after: json_object(fork) for after, fork in forks.items()}
    while here := [after for after in waiting if any(node.id == after for node in chat.nodes)]:
        for after in here:  # a fork may stand in another fork
            for branch in objects(waiting.pop(after).get("lists")):
                _chain(chat, objects(branch.get("messages")), after)
    return chat


def _chain(chat: ForeignChat, messages: list[Json], after: str | None) -> str | None:
    """Adds messages that follow each other; returns the id of the last."""
    for message in messages:
        node = _node(message, text_of(message.get("id")) or str(len(chat.nodes)), after)
        chat.nodes.append(node)
        after = node.id
    return after


def _node(message: Json, key: str, parent: str | None) -> Node:
    parts = objects(message.get("contentParts"))
    text, thought = split_thought(joined(_part(each) for each in parts) or text_of(message.get("content")))
    reasoning = joined(text_of(each.get("text")) for each in parts if each.get("type") == "reasoning")
    return Node(
        key,
        parent,
        "hidden" if message.get("isSummary") else role_of(message.get("role")),
        text,
        time_of(message.get("timestamp")),
        text_of(message.get("model")),
        text_of(message.get("aiProvider")) or NAME,
        reasoning or text_of(message.get("reasoningContent")) or thought,
    )


def _part(part: Json) -> str:
    if part.get("type") == "image":
        return PICTURE
    return text_of(part.get("text")) if part.get("type") in ("text", "info") else ""
