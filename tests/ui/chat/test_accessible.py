"""What a screen reader gets: the list, its items, their buttons and what pressing them does."""

from __future__ import annotations

import gc

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtGui import QAccessible, QAccessibleActionInterface, QAccessibleInterface
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.ui.chat.conftest import settle
from tests.ui.chat.sample import answer, contract, conversation, message
from vpa_desktop.ui.chat import accessible
from vpa_desktop.ui.chat.transcript import Transcript

NAME = QAccessible.Text.Name


def tree(view: QWidget) -> QAccessibleInterface:
    return QAccessible.queryAccessibleInterface(view)


def names(thing: QAccessibleInterface) -> list[str]:
    return [thing.child(number).text(NAME) for number in range(thing.childCount())]


def test_items_begin_with_their_author(view: Transcript) -> None:
    view.set_messages(contract())
    settle()
    top = tree(view)
    assert top.role() == QAccessible.Role.List
    assert top.text(NAME) == "Transcript"
    assert top.childCount() == 4
    assert top.child(0).role() == QAccessible.Role.ListItem
    assert top.child(0).text(NAME).startswith("You: What are the deadlines")
    assert top.child(1).text(NAME).startswith("Assistant: The contract sets")
    assert top.child(1).parent().text(NAME) == "Transcript"
    assert [top.indexOfChild(top.child(number)) for number in range(4)] == [0, 1, 2, 3]


def test_answers_carry_buttons_that_can_be_pressed(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages(contract())
    settle()
    item = tree(view).child(1)
    assert names(item) == ["Copy", "Regenerate", "Sources", "Route receipt"]
    assert names(tree(view).child(0)) == []
    signals = (view.copy_requested, view.regenerate_requested, view.sources_requested, view.receipt_requested)
    for number, signal in enumerate(signals):
        button = item.child(number)
        assert button.role() == QAccessible.Role.Button
        assert button.parent().text(NAME).startswith("Assistant:")
        action = button.actionInterface()
        assert action.actionNames() == [QAccessibleActionInterface.pressAction()]
        with qtbot.waitSignal(signal, timeout=500) as caught:
            action.doAction(QAccessibleActionInterface.pressAction())
        assert caught.args == ["m1"]


def test_a_streaming_answer_has_no_buttons_until_it_is_done(view: Transcript) -> None:
    view.begin_answer(message(1, "assistant", "", state="streaming"))
    item = tree(view).child(0)
    assert item.text(NAME) == "Assistant: Thinking…"
    assert item.childCount() == 0
    view.feed("m1", "Hello")
    view.finish_answer(answer(1, "Hello"))
    assert tree(view).child(0).text(NAME) == "Assistant: Hello"
    assert tree(view).child(0).childCount() == 4


def test_how_an_answer_ended_is_spoken(view: Transcript) -> None:
    view.set_messages([answer(1, "Half", state="stopped"), answer(2, "", state="failed", error="The key was refused.")])
    assert tree(view).child(0).text(NAME) == "Assistant: Half You stopped this answer."
    assert tree(view).child(1).text(NAME) == "Assistant: The key was refused."


def test_an_answer_is_heard_as_it_is_shown_and_not_as_it_is_written(view: Transcript) -> None:
    written = (
        "## Dates\n\nThe **second** date, `2 April`, is [in the contract](https://example.org) [1].\n\n"
        "1. First\n2. Second\n   - Inner\n\n| Deadline | If missed |\n|:--|--:|\n| 14 March | *no* cost |\n\n"
        '> A cap\n> of 5 %.\n\n---\n\n```python\nprint("*kept*")\n```\n\n5 \\* 3 &amp; more'
    )
    view.set_messages([message(0, "user", "What is **this**?"), answer(1, written)])
    assert tree(view).child(0).text(NAME) == "You: What is **this**?"
    assert tree(view).child(1).text(NAME).splitlines() == [
        "Assistant: Dates",
        "The second date, 2 April, is in the contract [1].",
        "1. First",
        "2. Second",
        "• Inner",
        "Deadline, If missed",
        "14 March, no cost",
        "A cap of 5 %.",
        'print("*kept*")',
        "5 * 3 & more",
    ]


def test_other_messages_replace_the_items(view: Transcript) -> None:
    for _ in range(20):
        view.set_messages(conversation(30))
        top = tree(view)
        assert all(names(top.child(number)) is not None for number in range(30))
    view.set_messages([message(0, "user", "only one")])
    gc.collect()
    settle()
    assert names(tree(view)) == ["You: only one"]
    assert tree(view).child(1) is None


def test_items_know_where_they_are(view: Transcript) -> None:
    view.set_messages(conversation(30))
    settle()
    top = tree(view)
    last = top.child(29).rect()
    assert top.rect().intersects(last)
    assert top.child(0).state().offscreen
    assert not top.child(29).state().offscreen
    copy = top.child(29).child(0).rect()
    assert last.contains(copy)
    found = top.childAt(copy.center().x(), copy.center().y())
    assert found.text(NAME) == top.child(29).text(NAME)


def test_a_closed_transcript_leaves_nothing(qtbot: QtBot) -> None:
    for _ in range(5):
        shown = Transcript()
        shown.set_messages(conversation(6))
        names(tree(shown).child(1))
        shown.deleteLater()
        del shown
        settle()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
    assert not accessible._lists
