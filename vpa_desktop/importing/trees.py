"""The messages of one foreign conversation as a tree, and the plain conversations it becomes here.

Other programs keep every branch: an answer given anew, a question asked in other words, and what followed. Here a
conversation is one line of messages, with former answers kept behind the one that counts. So the branch that was open
becomes the conversation; an answer beside it becomes a former answer; a branch that went on becomes a conversation of
its own. Ids are made from the foreign ids, so that the same export read twice is the same conversations.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from vpa_desktop.importing.values import Picture

Plain = dict[str, Any]
Role = Literal["user", "assistant", "hidden"]
"""``hidden``: system prompts, tool calls and the like, which only lead from one message to the next."""

ALONE = "[A picture]"
"""The words of a question that was nothing but a picture."""

LEFT_OUT = "[A picture that came with this answer and is not kept here]"

_SPACE = uuid.UUID("5a9d2b1e-6f0c-4c7e-9a53-0d6a4f1c2e77")
_EARLY = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Node:
    """One foreign message; ``parent`` is the id of the one before it, ``pictures`` are what a question came with."""

    id: str
    parent: str | None
    role: Role
    text: str = ""
    at: datetime | None = None
    model: str = ""
    provider: str = ""
    reasoning: str = ""
    pictures: list[Picture] = field(default_factory=list)

    @property
    def says_something(self) -> bool:
        """Whether it is worth a message."""
        return self.role != "hidden" and bool(self.text.strip() or self.reasoning.strip() or self.pictures)


@dataclass(slots=True)
class ForeignChat:
    """One foreign conversation; ``open_at`` is the last message of the branch that was open."""

    source: str
    id: str
    title: str = ""
    created: datetime | None = None
    updated: datetime | None = None
    nodes: list[Node] = field(default_factory=list)
    open_at: str | None = None


@dataclass(frozen=True, slots=True)
class _Turn:
    """Messages that are one message here: an answer in several pieces is one answer."""

    role: Role
    nodes: tuple[Node, ...]

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(node.id for node in self.nodes)

    @property
    def at(self) -> datetime:
        return next((node.at for node in self.nodes if node.at), _EARLY)


@dataclass(slots=True)
class _Line:
    """One conversation to be: its turns, and the former answers at each place."""

    turns: list[_Turn]
    former: dict[int, list[_Turn]] = field(default_factory=dict)


def role_of(value: Any, user: str = "user") -> Role:
    """Return the role of a message that its program calls ``value``; ``user`` is its word for the person."""
    return "user" if value == user else "assistant" if value == "assistant" else "hidden"


def to_conversations(chat: ForeignChat) -> list[Plain]:
    """Return the conversations that a foreign one becomes, the open branch first; none where it has no words."""
    lines = _lines(chat)
    return [_plain(chat, line, number) for number, line in enumerate(lines)]


def linear(chat: ForeignChat, nodes: Sequence[Node]) -> ForeignChat:
    """Return the chat with messages that follow each other."""
    parent = None
    for node in nodes:
        node.parent = parent
        parent = node.id
    chat.nodes = list(nodes)
    chat.open_at = parent
    return chat


def _lines(chat: ForeignChat) -> list[_Line]:
    nodes = {node.id: node for node in chat.nodes}
    parents = {node.parent for node in chat.nodes}
    ends = [node.id for node in chat.nodes if node.id not in parents]
    opened = chat.open_at if chat.open_at in nodes else None
    branches = [turns for end in ends if end != opened and (turns := _turns(nodes, end))]
    branches.sort(key=lambda turns: (-len(turns), -turns[-1].at.timestamp()))
    first = _turns(nodes, opened) if opened else []
    lines = [_Line(first)] if first else []
    for turns in branches:
        if not any(_fits(line, turns) for line in lines):
            lines.append(_Line(turns))
    return lines


def _turns(nodes: dict[str, Node], end: str) -> list[_Turn]:
    """The turns from the beginning to a message; a circle of parents ends where it closes."""
    path: list[Node] = []
    seen: set[str] = set()
    at: str | None = end
    while at is not None and at in nodes and at not in seen:
        seen.add(at)
        path.append(nodes[at])
        at = nodes[at].parent
    turns: list[_Turn] = []
    for node in reversed(path):
        if not node.says_something:
            continue
        if node.role == "assistant" and turns and turns[-1].role == "assistant":
            turns[-1] = _Turn("assistant", (*turns[-1].nodes, node))
        else:
            turns.append(_Turn(node.role, (node,)))
    return turns


def _fits(line: _Line, turns: Sequence[_Turn]) -> bool:
    """Whether a branch says nothing that the line does not, but perhaps another answer, which is put there."""
    same = 0
    for mine, other in zip(line.turns, turns, strict=False):
        if mine.key != other.key:
            break
        same += 1
    rest = turns[same:]
    if not rest:
        return True
    if len(rest) > 1 or rest[0].role != "assistant" or same >= len(line.turns) or line.turns[same].role != "assistant":
        return False
    line.former.setdefault(same, []).append(rest[0])
    return True


def _plain(chat: ForeignChat, line: _Line, number: int) -> Plain:
    origin = f"{chat.source}:{chat.id or _words(chat)}"
    # A branch is known by the first message that it has for itself, which stays when it grows.
    own = origin if number == 0 else f"{origin}#{line.turns[-1].nodes[0].id}"
    messages = list(_messages(own, line))
    times = [message["created_at"] for message in messages]
    title = " ".join(chat.title.split()) or _beginning(line)
    return {
        "id": _id(own),
        "title": title if number == 0 else f"{title} ({number + 1})",
        "created_at": _time(chat.created) if chat.created else min(times),
        "updated_at": _time(chat.updated) if chat.updated else max(times),
        "messages": messages,
    }


def _messages(own: str, line: _Line) -> Iterator[Plain]:
    before = _EARLY
    for place, turn in enumerate(line.turns, 1):
        former = sorted(line.former.get(place - 1, ()), key=lambda each: each.at)
        supersedes = None
        for each in (*former, turn):
            before = max(before, each.at)  # a message without a time is as old as the one before it
            message = _message(own, each, place, before)
            yield {**message, "supersedes": supersedes, "is_superseded": int(each is not turn)}
            supersedes = message["id"]


def _message(own: str, turn: _Turn, place: int, at: datetime) -> Plain:
    last = turn.nodes[-1]
    pictures = [picture for node in turn.nodes for picture in node.pictures]
    said = [node.text.strip() for node in turn.nodes if node.text.strip()]
    if turn.role != "user":
        said += [LEFT_OUT] * len(pictures)
        pictures = []
    words = "\n\n".join(said)
    return {
        "id": _id(f"{own}/{turn.nodes[0].id}"),
        "role": turn.role,
        "content": words or (ALONE if pictures else ""),
        "reasoning": "\n\n".join(node.reasoning.strip() for node in turn.nodes if node.reasoning.strip()),
        "created_at": _time(at),
        "place": place,
        "state": "done",
        "model": last.model if turn.role == "assistant" else "",
        "provider": last.provider if turn.role == "assistant" else "",
        **({"pictures": pictures} if pictures else {}),
    }


def _beginning(line: _Line) -> str:
    words = " ".join(line.turns[0].nodes[0].text.split())
    return words if len(words) <= 60 else words[:59].rstrip() + "…"


def _words(chat: ForeignChat) -> str:
    """All that is said in it: what tells a conversation without an id from others."""
    return "\n".join((chat.title, *(node.text for node in chat.nodes)))


def _id(text: str) -> str:
    return uuid.uuid5(_SPACE, text.encode(errors="replace").decode()).hex


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
