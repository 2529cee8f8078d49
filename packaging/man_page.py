"""Writes the man page of vpa-desktop from the parser of the command line and from tables of the README.

    .venv/bin/python packaging/man_page.py [-o FILE]     without a file it goes to standard output; .gz is packed

Nothing in it is written twice: commands and options are the parser's, the rest are sections of the README. With
SOURCE_DATE_EPOCH set, the page is the same from one build to the next.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from vpa_desktop import __version__  # noqa: E402
from vpa_desktop.cli.parser import build_parser  # noqa: E402
from vpa_desktop.manual import Topic, read_topics, table_rows  # noqa: E402

ENVIRONMENT = "Keys and environment"
FILES = "Where files live"
EXIT_CODES = "Exit codes"
WIDTH = 78


def man_page(day: str) -> str:
    """Return the page as roff; ``day`` is its date."""
    parser = build_parser()
    topics = {topic.title: topic for topic in read_topics((ROOT / "README.md").read_text(encoding="utf-8"))}
    lines = [
        f'.TH VPA-DESKTOP 1 "{day}" "vpa-desktop {__version__}" "User Commands"',
        ".ad l",
        ".nh",
        ".SH NAME",
        f"vpa\\-desktop \\- {_escape('one chat window over every LLM you use, with answers from your own files')}",
        ".SH SYNOPSIS",
        ".B vpa\\-desktop",
        "[\\fB\\-\\-home\\fR \\fIDIR\\fR] [\\fIcommand\\fR [\\fIarguments\\fR]]",
        ".SH DESCRIPTION",
        *_paragraph(str(parser.description)),
        *_paragraph("Every command takes --home DIR, and --json for one JSON document on standard output."),
        ".SH OPTIONS",
        *_options(parser),
        ".SH COMMANDS",
        *_commands(parser, "vpa-desktop"),
        ".SH EXIT STATUS",
        *_exit_codes(topics[EXIT_CODES]),
        ".SH ENVIRONMENT",
        *_terms(topics[ENVIRONMENT]),
        ".SH FILES",
        *_paragraph(" ".join(topics[FILES].text.split())),
        ".SH SEE ALSO",
        *_paragraph("vpa-desktop help [TOPIC] prints the whole manual."),
    ]
    return "\n".join(_folded(lines)) + "\n"


def _commands(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    group = next((action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None)
    if group is None:
        return
    for choice in group._choices_actions:
        child = group.choices[choice.dest]
        full = f"{name} {choice.dest}"
        if any(isinstance(action, argparse._SubParsersAction) for action in child._actions):
            yield from _commands(child, full)
            continue
        yield f'.SS "{_escape(full.removeprefix("vpa-desktop "))}{_usage(child)}"'
        yield from _paragraph(str(child.description or choice.help or ""))
        yield from _options(child)


def _usage(parser: argparse.ArgumentParser) -> str:
    """The arguments without a name of their own, as a usage line has them."""
    parts = []
    for action in parser._actions:
        if action.option_strings:
            continue
        name = _escape(str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest))
        some = {"?": f"[{name}]", "*": f"[{name}...]", "+": f"{name}..."}
        parts.append(some.get(str(action.nargs), name))
    return "".join(f" {part}" for part in parts)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        shared = parser.prog != "vpa-desktop" and action.dest in ("help", "home", "json")  # said once, at the top
        if not action.option_strings or shared or action.help == argparse.SUPPRESS:
            continue
        names = ", ".join(f"\\fB{_escape(option)}\\fR" for option in action.option_strings)
        yield ".TP"
        yield names + (f" \\fI{_escape(_value(action))}\\fR" if action.nargs != 0 else "")
        yield _escape(_said(action))


def _value(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def _said(action: argparse.Action) -> str:
    """What is said of it, with what it may be."""
    return f"{action.help}: {', '.join(map(str, action.choices))}" if action.choices else str(action.help)


def _exit_codes(topic: Topic) -> Iterator[str]:
    """The README has two columns of them beside each other."""
    pairs = [(row[i], row[i + 1]) for row in table_rows(topic.text) for i in range(0, len(row), 2)]
    for code, meaning in sorted(pairs, key=lambda pair: int(pair[0])):
        yield from (".TP", f"\\fB{code}\\fR", _escape(_plain(meaning)))


def _terms(topic: Topic) -> Iterator[str]:
    for name, said, *_ in table_rows(topic.text):
        yield from (".TP", f"\\fB{_escape(_plain(name))}\\fR", _escape(_plain(said)))


def _paragraph(text: str) -> Iterator[str]:
    yield ".PP"
    yield _escape(_plain(text))


def _folded(lines: Iterable[str]) -> Iterator[str]:
    """Text in lines of a width that people can read; a paragraph right after a heading needs no mark."""
    before = ""
    for line in lines:
        if line == ".PP" and before.startswith((".SH", ".SS")):
            continue
        if line.startswith(".") or before == ".TP":  # what .TP names is one line
            yield line
        else:
            yield from textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False)
        before = line


def _plain(markdown: str) -> str:
    """The text without the marks of Markdown."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown)
    return re.sub(r"`([^`]+)`", r"\1", re.sub(r"\*+([^*]+)\*+", r"\1", text))


def _escape(text: str) -> str:
    """The text as roff reads it as itself: no line that begins with a full stop, a hyphen that is a hyphen."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq")
    escaped = escaped.replace("~", "\\(ti").replace("^", "\\(ha").replace("`", "\\(ga")
    return "\\&" + escaped if escaped.startswith(".") else escaped


def main() -> int:
    """Write the page; returns the exit code."""
    options = argparse.ArgumentParser(description="Write the man page of vpa-desktop.")
    options.add_argument("-o", "--output", type=Path, default=None, metavar="FILE")
    target = options.parse_args().output
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    page = man_page(time.strftime("%Y-%m-%d", time.gmtime(seconds)))
    if target is None:
        sys.stdout.write(page)
    elif target.suffix == ".gz":
        target.write_bytes(gzip.compress(page.encode(), mtime=0))
    else:
        target.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
