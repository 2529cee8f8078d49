"""Asks about documents in the real window and opens each source of the answer. Prints one JSON document.

Run by the system's own Python in a session bus of its own: ``python3 -m tests.e2e.sources_walk [--shots DIR]
QUESTION FOLLOW_UP NOT_THERE``. With ``--shots`` it takes a picture of the screen after each step (ImageMagick).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.at_spi import ask, children, find, press, ready_window, shown, text_of, wait_for

SETTLE_S = 0.8
_PLACE = re.compile(r"\d+ of \d+")


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
        opened = [self.open(n) for n in range(len(names))]
        return {"answer": said, "sources": names, "opened": opened, "stepped": self.stepped(len(names))}

    def stepped(self, times: int) -> list[dict[str, str]]:
        """Open the first source, and go from it to the next ones by the viewer's own button."""
        press(wait_for(self.sources, "the list of sources")[0])
        heard = [self.heard(wait_for(self.page, "the first page"))]
        for _ in range(times):
            press(self.button("Next source"))
            heard.append(wait_for(partial(self.another, heard[-1]), "another source"))
        self.picture("stepped")
        press(self.button("Close source"))
        return heard

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
        heard = self.heard(page)
        press(self.button("All sources"))
        return heard

    def another(self, before: dict[str, str]) -> dict[str, str]:
        """What the viewer shows now, empty while it is what it showed before."""
        now = self.heard(self.page())
        return {} if now.get("marked") == before["marked"] or now.get("place") == before["place"] else now

    def button(self, name: str) -> Any:
        """The button of that name, once it is on the screen."""
        return wait_for(lambda: shown(self.application, lambda found: found.startswith(name), "push button"), name)[0]

    def heard(self, page: Any) -> dict[str, str]:
        """What is said of a page: its name, the passage marked in it, its text, and which of how many sources it is."""
        if page is None:
            return {}
        place = shown(self.application, lambda name: bool(_PLACE.fullmatch(name)), "label")
        where = place[0].get_name() if place else ""
        return {"name": page.get_name(), "marked": page.get_description(), "text": _text(page), "place": where}

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
