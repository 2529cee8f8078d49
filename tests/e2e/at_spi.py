"""A window on the accessibility bus: its parts found by name, pressed, written into, read. Uses nothing of ours.

For scripts that run under the system's own Python, which has the AT-SPI bindings, in a session bus of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi  # noqa: E402

WAIT_S = 60.0


def children(node: Any) -> Iterator[Any]:
    """The accessible children that are there."""
    for index in range(node.get_child_count()):
        child = node.get_child_at_index(index)
        if child is not None:
            yield child


def every(node: Any, fits: Callable[[Any], bool]) -> Iterator[Any]:
    """The descendants that fit, depth first."""
    for child in children(node):
        if fits(child):
            yield child
        yield from every(child, fits)


def find(node: Any, name: str) -> Any:
    """The first descendant of that name, depth first; None where there is none."""
    return next(every(node, lambda child: child.get_name() == name), None)


def is_shown(node: Any) -> bool:
    """Whether it is on the screen, and not behind another page."""
    return bool(node.get_state_set().contains(Atspi.StateType.SHOWING))


def shown(node: Any, fits: Callable[[str], bool], role: str = "") -> list[Any]:
    """The descendants on the screen whose name fits, of a role where one is given."""

    def is_it(child: Any) -> bool:
        return fits(child.get_name() or "") and is_shown(child) and role in ("", child.get_role_name())

    return list(every(node, is_it))


def wait_for(what: Callable[[], Any], said: str) -> Any:
    """Call until it returns something true."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise SystemExit(f"waited in vain for {said}")


def press(node: Any) -> None:
    """Do what a click does."""
    Atspi.Action.do_action(node, 0)


def text_of(node: Any) -> str:
    """The text in an editable or readable part."""
    return str(Atspi.Text.get_text(node, 0, Atspi.Text.get_character_count(node)))


def window() -> Any:
    """The program on the accessibility bus, once its composer is there."""
    for application in children(Atspi.get_desktop(0)):
        if "VPA" in (application.get_name() or "") and find(application, "Message") is not None:
            return application
    return None


def ready_window() -> Any:
    """The program, once it can answer: its status line says how many passages there are."""
    Atspi.init()
    application = wait_for(window, "the window")
    wait_for(lambda: "passage" in str([c.get_name() for c in children(find(application, "Status"))]), "the backend")
    return application


def ask(application: Any, question: str) -> Any:
    """Send a question by Message and Send; returns the finished answer's item in the transcript."""
    before = len(list(children(find(application, "Transcript"))))
    Atspi.EditableText.set_text_contents(find(application, "Message"), question)
    send = wait_for(lambda: find(application, "Send"), "Send")
    time.sleep(0.3)
    press(send)
    return wait_for(lambda: _answer(application, before + 2), "an answer")


def _answer(application: Any, count: int) -> Any:
    """The last item once it is an answer that has all its text; None while it is still coming."""
    items = list(children(find(application, "Transcript")))
    is_whole = len(items) >= count and find(items[-1], "Copy") is not None
    return items[-1] if is_whole and len(items[-1].get_name()) > len("Assistant: ") else None
