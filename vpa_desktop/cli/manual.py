"""``help``: the README by its sections, in the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from vpa_desktop.cli.output import Output
from vpa_desktop.config import Paths
from vpa_desktop.errors import UsageError
from vpa_desktop.manual import Topic, find_topics, read_topics, with_parts


async def show_help(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Print the topics, or the one that is asked for; several that have the words are listed."""
    topics = [topic for topic in read_topics() if topic.level > 1]
    if not options.topic:
        _list(topics, out)
        return 0
    found = find_topics(options.topic, topics)
    if not found:
        raise UsageError(
            f"There is no help on “{' '.join(options.topic)}”",
            "No section has all of these words",
            "vpa-desktop help lists the topics",
        )
    titled = [topic for topic in found if _is_titled(topic, options.topic)]
    chosen = titled if len(titled) == 1 else found if len(found) == 1 else []
    if chosen:
        _print(with_parts(chosen[0], topics), out)
    else:
        _list(found, out)
    return 0


def _is_titled(topic: Topic, words: Sequence[str]) -> bool:
    return all(word.casefold() in topic.title.casefold() for word in words)


def _list(topics: Sequence[Topic], out: Output) -> None:
    for topic in topics:
        out.line(f"{'  ' * (topic.level - 2)}{topic.title}")
    out.line("\nvpa-desktop help TOPIC prints one of them; some of its words will do.")
    out.document({"topics": [{"title": topic.title, "anchor": topic.anchor} for topic in topics]})


def _print(parts: Sequence[Topic], out: Output) -> None:
    for topic in parts:
        out.line(f"{'#' * topic.level} {topic.title}\n\n{topic.text}\n")
    out.document({"topics": [{"title": t.title, "anchor": t.anchor, "text": t.text} for t in parts]})
