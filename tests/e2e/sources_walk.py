"""Asks about documents in the real window and opens each source of the answer. Prints one JSON document.

Run by the system's own Python in a session bus of its own: ``python3 -m tests.e2e.sources_walk [--shots DIR]
QUESTION FOLLOW_UP NOT_THERE``. With ``--shots`` it takes a picture of the screen after each step (ImageMagick).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.e2e.at_spi import ask, children, find, press, ready_window, shown, text_of, wait_for

SETTLE_S = 0.8


class Walk:
    """One walk through the window, with what was heard at each step."""

    def __init__(self, shots: Path | None) -> None:
        self.application = ready_window()
        self._shots, self._taken = shots, 0

    def question(self, text: str) -> dict[str, Any]:
        """Ask, open the list of sources, and each source in the viewer."""
        answer = ask(self.application, text)
        self.picture("answer")
        said = answer.get_name()
        press(find(answer, "Sources"))
        sources = wait_for(self.sources, "the sources")
        names = [source.get_name() for source in sources]
        self.picture("sources")
        return {"answer": said, "sources": names, "opened": [self.open(n) for n in range(len(names))]}

    def plain(self, text: str, shot: str) -> str:
        """Ask and hear the answer alone."""
        said: str = ask(self.application, text).get_name()
        self.picture(shot)
        return said

    def sources(self) -> list[Any]:
        """The sources that are listed."""
        return shown(self.application, lambda name: name.startswith("Source ") and ":" in name, "push button")

    def open(self, number: int) -> dict[str, str]:
        """Press the listed source, hear what the viewer shows, and go back to the list."""
        press(wait_for(self.sources, "the list of sources")[number])
        page = wait_for(self.page, "the page")
        self.picture(f"source-{number + 1}")
        heard = {"name": page.get_name(), "marked": page.get_description(), "text": _text(page)}
        press(wait_for(lambda: shown(self.application, lambda name: name == "All sources", "push button"), "back")[0])
        return heard

    def page(self) -> Any:
        """What the viewer shows, once it is there."""
        found = shown(self.application, lambda name: "." in name and not name.startswith(("Source", "You", "Assist")))
        return next((node for node in found if (node.get_description() or "").startswith("Marked")), None)

    def picture(self, name: str) -> None:
        """Keep what the screen shows."""
        if self._shots is not None:
            time.sleep(SETTLE_S)
            self._taken += 1
            subprocess.run(["import", "-window", "root", self._shots / f"{self._taken:02}-{name}.png"], check=True)


def _text(node: Any) -> str:
    return text_of(node) if "Text" in node.get_interfaces() else ""


def main() -> None:
    """Walk, and print what was heard."""
    options = argparse.ArgumentParser()
    options.add_argument("--shots", type=Path)
    options.add_argument("texts", nargs=3, metavar="TEXT")
    given = options.parse_args()
    walk = Walk(given.shots)
    question, follow_up, not_there = given.texts
    heard = {
        "first": walk.question(question),
        "follow_up": walk.plain(follow_up, "follow-up"),
        "not_there": walk.plain(not_there, "not-in-your-documents"),
        "items": [item.get_name() for item in children(find(walk.application, "Transcript"))],
    }
    print(json.dumps(heard))


main()
