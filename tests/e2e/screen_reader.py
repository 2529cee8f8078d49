"""Drives the window as a screen reader's user would, by the names of the outside contract. Prints one JSON document.

Run by the system's own Python, which has the AT-SPI bindings, in a session bus of its own. Uses nothing of ours.
"""

from __future__ import annotations

import json
import sys

from tests.e2e.at_spi import ask, children, find, ready_window

NAMED = [
    *("Message", "Send", "Stop", "New conversation", "Conversations", "Search conversations", "Transcript"),
    *("Provider and model", "Attach files", "Chat", "Documents", "Dashboard", "Settings", "Status"),
]


def main(question: str) -> None:
    """Ask one question and read its answer."""
    application = ready_window()
    answer = ask(application, question)
    items = list(children(find(application, "Transcript")))
    found = {
        "roles": {name: (node.get_role_name() if (node := find(application, name)) else None) for name in NAMED},
        "items": [item.get_name() for item in items],
        "buttons": [(child.get_role_name(), child.get_name()) for child in children(items[-1])],
        "answer": answer.get_name(),
    }
    print(json.dumps(found))


main(sys.argv[1])
