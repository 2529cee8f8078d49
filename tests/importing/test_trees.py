"""What becomes of a foreign tree of messages: one line, former answers, branches that went on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from vpa_desktop.importing.trees import ForeignChat, Node, Role, to_conversations


def node(key: str, parent: str | None, role: Role, text: str = "", minute: int | None = None) -> Node:
    at = None if minute is None else datetime(2026, 1, 1, 10, minute, tzinfo=UTC)
    return Node(key, parent, role, text or key, at, "m" if role == "assistant" else "")


def said(conversation: dict[str, Any]) -> list[tuple[int, str, str, int]]:
    return [(m["place"], m["role"], m["content"], m["is_superseded"]) for m in conversation["messages"]]


BRANCHED = [
    node("root", None, "hidden"),
    node("q1", "root", "user", minute=1),
    node("a1", "q1", "assistant", minute=2),
    node("a1b", "q1", "assistant", minute=3),  # given anew, and gone on with
    node("q2", "a1b", "user", minute=4),
    node("a2", "q2", "assistant", minute=5),
    node("q2x", "a1b", "user", minute=6),  # asked in other words
    node("a2x", "q2x", "assistant", minute=7),
]


def test_the_open_branch_is_the_conversation_and_a_branch_that_went_on_is_another() -> None:
    first, second = to_conversations(ForeignChat("s", "c", "Title", nodes=BRANCHED, open_at="a2"))
    assert said(first) == [
        (1, "user", "q1", 0),
        (2, "assistant", "a1", 1),
        (2, "assistant", "a1b", 0),
        (3, "user", "q2", 0),
        (4, "assistant", "a2", 0),
    ]
    former, counts = first["messages"][1:3]
    assert counts["supersedes"] == former["id"]
    assert [m["content"] for m in second["messages"]] == ["q1", "a1b", "q2x", "a2x"]
    assert (first["title"], second["title"]) == ("Title", "Title (2)")
    assert first["id"] != second["id"]
    assert not {m["id"] for m in first["messages"]} & {m["id"] for m in second["messages"]}


def test_the_same_export_is_the_same_ids_and_a_longer_one_keeps_them() -> None:
    chat = ForeignChat("s", "c", "Title", nodes=BRANCHED[:6], open_at="a2")
    more = ForeignChat(
        "s", "c", "Title", nodes=[*BRANCHED[:6], node("q3", "a2", "user"), node("a3", "q3", "assistant")], open_at="a3"
    )
    before, again, longer = (to_conversations(each)[0] for each in (chat, chat, more))
    assert before == again
    assert longer["id"] == before["id"]
    assert [m["id"] for m in longer["messages"]][: len(before["messages"])] == [m["id"] for m in before["messages"]]
    other = to_conversations(ForeignChat("another", "c", "Title", nodes=BRANCHED[:6], open_at="a2"))[0]
    assert other["id"] != before["id"]


def test_an_answer_in_pieces_with_a_tool_between_is_one_answer() -> None:
    nodes = [
        node("q", None, "user"),
        node("a", "q", "assistant", "First."),
        node("t", "a", "hidden", "a tool's result"),
        node("b", "t", "assistant", "Then."),
    ]
    (only,) = to_conversations(ForeignChat("s", "c", nodes=nodes, open_at="b"))
    assert said(only) == [(1, "user", "q", 0), (2, "assistant", "First.\n\nThen.", 0)]
    assert only["title"] == "q"


def test_circles_lost_parents_and_nothing_to_say_do_no_harm() -> None:
    circle = [node("a", "b", "user"), node("b", "a", "assistant")]
    assert [said(each) for each in to_conversations(ForeignChat("s", "c", nodes=circle, open_at="b"))]
    assert to_conversations(ForeignChat("s", "c", nodes=circle)) == []  # no end anywhere
    (lost,) = to_conversations(ForeignChat("s", "c", nodes=[node("x", "gone", "user", "\ud800")]))
    assert lost["messages"][0]["content"] == "\ud800"
    assert to_conversations(ForeignChat("s", "c", nodes=[Node("e", None, "user", "  ")])) == []
    assert to_conversations(ForeignChat("s", "c")) == []


def test_conversations_without_an_id_are_told_apart_by_what_is_said() -> None:
    one, two = (to_conversations(ForeignChat("s", "", nodes=[node(t, None, "user")]))[0] for t in ("x", "y"))
    assert one["id"] != two["id"]


def test_a_deep_tree_needs_no_deep_stack() -> None:
    chain = [node(str(n), str(n - 1) if n else None, "assistant" if n % 2 else "user") for n in range(20_000)]
    (only,) = to_conversations(ForeignChat("s", "c", nodes=chain, open_at="19999"))
    assert len(only["messages"]) == 20_000
