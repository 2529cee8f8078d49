"""The README as the program's own help: its sections as topics. Not how they are shown: that is the business of the
command line, the window and the man page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vpa_desktop.config import resource_path
from vpa_desktop.errors import StorageError

_HEADING = re.compile(r"(#{1,6}) +(.+?)\s*$")
_FENCE = re.compile(r" *(```+|~~~+)")


@dataclass(frozen=True, slots=True)
class Topic:
    """One section of the README, up to the next heading of any level. ``text`` is Markdown, without the heading."""

    title: str
    level: int
    text: str

    @property
    def anchor(self) -> str:
        """What a link to it ends with, in the way of the common hosts of code."""
        return anchor_of(self.title)


def anchor_of(title: str) -> str:
    """Return the anchor of a heading: small letters, spaces as hyphens, no other signs."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def readme_path() -> Path:
    """Return where the README is: among the packaged resources, or in the checkout."""
    packaged = resource_path("README.md")
    return packaged if packaged.is_file() else resource_path().parent / "README.md"


def read_topics(text: str | None = None) -> list[Topic]:
    """Return the sections of a Markdown text in its order; without one, of the README. Raises StorageError."""
    source = _readme() if text is None else text
    topics: list[Topic] = []
    title, level, lines = "", 0, list[str]()
    for line, is_code in _lines(source):
        if not is_code and (heading := _HEADING.match(line)):
            if title:
                topics.append(Topic(title, level, "\n".join(lines).strip("\n")))
            title, level, lines = heading[2], len(heading[1]), []
        else:
            lines.append(line)
    return [*topics, Topic(title, level, "\n".join(lines).strip("\n"))] if title else topics


def _readme() -> str:
    path = readme_path()
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise StorageError(
            "The help cannot be read", f"{path}: {exc.strerror or exc}", "Read the README where you got the program"
        ) from exc


def with_parts(topic: Topic, topics: Sequence[Topic]) -> list[Topic]:
    """Return a topic and the sections below it."""
    parts = [topic]
    for each in topics[topics.index(topic) + 1 :]:
        if each.level <= topic.level:
            break
        parts.append(each)
    return parts


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines, each with whether it stands in a fence of code."""
    fence = ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
            yield line, True
        else:
            yield line, bool(fence)
            if found and fence and found[1].startswith(fence):
                fence = ""


def find_topics(words: Sequence[str], topics: Sequence[Topic]) -> list[Topic]:
    """Return the topics that have all the words, those with more of them in the title first; a whole title is alone."""
    wanted = [word.casefold() for word in words]
    asked = " ".join(wanted)
    exact = [topic for topic in topics if asked in (topic.title.casefold(), topic.anchor)]
    if exact:
        return exact
    having = [topic for topic in topics if all(word in f"{topic.title} {topic.text}".casefold() for word in wanted)]
    return sorted(having, key=lambda topic: -sum(word in topic.title.casefold() for word in wanted))


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of every table row in a Markdown text, without the heads."""
    rows: list[list[str]] = []
    for line, is_code in _lines(text):
        if is_code or not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            rows.pop()  # the row above the dashes was the head
        else:
            rows.append(cells)
    return rows
