"""Drives the window as a screen reader's user would, by the names of the outside contract. Prints one JSON document.

Run by the system's own Python, which has the AT-SPI bindings, in a session bus of its own. Uses nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi  # noqa: E402

WAIT_S = 60.0
NAMED = [
    *("Message", "Send", "Stop", "New conversation", "Conversations", "Search conversations", "Transcript"),
    *("Provider and model", "Attach files", "Chat", "Documents", "Dashboard", "Settings", "Status"),
]


def children(node: Any) -> Iterator[Any]:
    """The accessible children that are there."""
    for index in range(node.get_child_count()):
        child = node.get_child_at_index(index)
        if child is not None:
            yield child


def find(node: Any, name: str) -> Any:
    """The first descendant of that name, depth first; None where there is none."""
    for child in children(node):
        if child.get_name() == name:
            return child
        found = find(child, name)
        if found is not None:
            return found
    return None


def wait_for(what: Callable[[], Any], said: str) -> Any:
    """Call until it returns something true."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise SystemExit(f"waited in vain for {said}")


def window() -> Any:
    """The program on the accessibility bus, once its composer is there."""
    for application in children(Atspi.get_desktop(0)):
        if "VPA" in (application.get_name() or "") and find(application, "Message") is not None:
            return application
    return None


def answer(application: Any) -> str:
    """The finished answer's text, empty while it is still coming."""
    items = list(children(find(application, "Transcript")))
    if len(items) < 2 or not find(items[-1], "Copy"):
        return ""
    text: str = items[-1].get_name()
    return text if len(text) > len("Assistant: ") else ""


def main(question: str) -> None:
    """Ask one question and read its answer."""
    Atspi.init()
    application = wait_for(window, "the window")
    wait_for(lambda: "passages" in str([c.get_name() for c in children(find(application, "Status"))]), "the backend")
    Atspi.EditableText.set_text_contents(find(application, "Message"), question)
    send = wait_for(lambda: find(application, "Send"), "Send")
    time.sleep(0.3)
    Atspi.Action.do_action(send, 0)
    text = wait_for(lambda: answer(application), "an answer")
    items = list(children(find(application, "Transcript")))
    found = {
        "roles": {name: (node.get_role_name() if (node := find(application, name)) else None) for name in NAMED},
        "items": [item.get_name() for item in items],
        "buttons": [(child.get_role_name(), child.get_name()) for child in children(items[-1])],
        "answer": text,
    }
    print(json.dumps(found))


main(sys.argv[1])
