"""What may come next on a half-typed command line. Not the scripts of the shells: those are in ``shells.py``.

The shell hands over the words up to the cursor and gets lines of ``word<TAB>description``; a first line ``:files`` or
``:folders`` asks it to offer those itself. Everything comes from the parser, so a new command completes at once.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vpa_desktop.cli.parser import build_parser
from vpa_desktop.config import LOCAL_PROVIDER_ID, Paths, find_paths
from vpa_desktop.manual import read_topics
from vpa_desktop.storage.glance import glance_collections, glance_conversations, glance_documents

ASKED_FOR = "__complete"
"""The first argument with which the scripts call the program."""

FILES = ":files"
FOLDERS = ":folders"
_CONVERSATION_COMMANDS = ("ask", "chats")
_PROVIDER_COMMANDS = ("providers", "keys", "drill")


@dataclass(slots=True)
class _Place:
    """Where the cursor stands: the parser in charge, and what was given to it before."""

    parser: argparse.ArgumentParser
    path: list[str] = field(default_factory=list)
    positionals: list[argparse.Action] = field(default_factory=list)
    taken: int = 0
    waiting: argparse.Action | None = None
    only_positionals: bool = False
    home: Path | None = None


def print_completions(given: Sequence[str]) -> int:
    """Print what may follow ``given``: the shell's name, then the words up to the cursor, the last one unfinished."""
    shell, *words = given or ["bash"]
    for line in complete(words or [""], cut_at_equals=shell == "bash"):
        print(line)
    return 0


def complete(words: Sequence[str], cut_at_equals: bool = False) -> list[str]:
    """Return the candidates for the last of ``words``. ``cut_at_equals``: bash completes what stands after a ``=``."""
    *before, current = _joined_at_equals(words)
    place = _walk(build_parser(), before)
    option, equals, value = current.partition("=")
    if place.waiting is None and equals and current.startswith("--") and not place.only_positionals:
        action = _option(place.parser, option)
        if action is None:
            return []
        lead = "" if cut_at_equals else f"{option}="
        return [line if line.startswith(":") else lead + line for line in _fitting(_values(action, place), value)]
    return _fitting(_candidates(place, current), current)


def _joined_at_equals(words: Sequence[str]) -> list[str]:
    """The words with ``--option``, ``=``, ``value``, which bash takes apart, put together again."""
    joined: list[str] = []
    for word in words:
        option = joined[-1] if joined and joined[-1].startswith("--") else ""
        if option.endswith("=") or (option and word.startswith("=") and "=" not in option):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _walk(parser: argparse.ArgumentParser, words: Iterable[str]) -> _Place:
    place = _enter(parser, [])
    for word in words:
        if place.waiting is not None:
            _note_home(place, place.waiting, word)
            place.waiting = None
        elif word == "--" and not place.only_positionals:
            place.only_positionals = True
        elif word.startswith("-") and len(word) > 1 and not place.only_positionals:
            _take_option(place, word)
        else:
            place = _take_word(place, word)
    return place


def _enter(parser: argparse.ArgumentParser, path: list[str], home: Path | None = None) -> _Place:
    positionals = [action for action in parser._actions if not action.option_strings]
    return _Place(parser, path, positionals, home=home)


def _take_option(place: _Place, word: str) -> None:
    name, equals, value = word.partition("=")
    action = _option(place.parser, name)
    if action is None:
        return
    if equals:
        _note_home(place, action, value)
    elif action.nargs != 0:
        place.waiting = action


def _take_word(place: _Place, word: str) -> _Place:
    action = _expected(place)
    if isinstance(action, argparse._SubParsersAction):
        child = action.choices.get(word)
        return _enter(child, [*place.path, word], place.home) if child else _Place(place.parser, [*place.path, word])
    place.taken += 1
    return place


def _note_home(place: _Place, action: argparse.Action, value: str) -> None:
    if action.dest == "home":
        place.home = Path(value)


def _expected(place: _Place) -> argparse.Action | None:
    """The positional that the next word fills; one that takes several is the last."""
    left = place.taken
    for action in place.positionals:
        if action.nargs in ("*", "+") or left == 0:
            return action
        left -= action.nargs if isinstance(action.nargs, int) else 1
    return None


def _candidates(place: _Place, current: str) -> list[str]:
    if place.waiting is not None:
        return _values(place.waiting, place)
    if current.startswith("-") and not place.only_positionals:
        return [
            _line(option, action.help)
            for action in place.parser._actions
            for option in action.option_strings
            if option.startswith("--") and action.help != argparse.SUPPRESS
        ]
    action = _expected(place)
    return _values(action, place) if action is not None else []


def _values(action: argparse.Action, place: _Place) -> list[str]:
    """What may stand for an argument: its choices, else what its name says that it is."""
    if isinstance(action, argparse._SubParsersAction):
        return [_line(choice.dest, choice.help) for choice in action._choices_actions]
    if action.choices is not None:
        return [_line(str(choice)) for choice in action.choices]
    named = _names_of(action, place.path)
    if named is not None:
        return named(find_paths(place.home))
    metavar = str(action.metavar or "")
    if action.dest == "home":
        return [FOLDERS]
    return [FILES] if metavar in ("FILE", "PATH") else []


def _names_of(action: argparse.Action, path: Sequence[str]) -> Callable[[Paths], list[str]] | None:
    command = path[0] if path else ""
    metavar = str(action.metavar or "")
    if action.dest == "collection":
        return lambda paths: [_line(*named) for named in glance_collections(paths.database)]
    if action.dest == "provider" or (metavar == "ID" and command in _PROVIDER_COMMANDS and path[1:] != ["add"]):
        return _providers
    if metavar == "TOPIC":
        return lambda paths: [_line(topic.anchor, topic.title) for topic in read_topics() if topic.level > 1]
    if metavar in ("ID", "ID|new") and command in _CONVERSATION_COMMANDS:
        more = [_line("new", "start one")] if "new" in metavar else []
        return lambda paths: more + [_line(*named) for named in glance_conversations(paths.database)]
    if metavar == "ID" and command == "docs" and "golden" not in path:
        return lambda paths: [_line(*named) for named in glance_documents(paths.database)]
    return None


def _providers(paths: Paths) -> list[str]:
    try:
        tables = tomllib.loads(paths.settings_file.read_text(encoding="utf-8")).get("providers", {})
    except (OSError, ValueError):  # no settings yet, or a mistake in them, which a command will name
        tables = {}
    found = {LOCAL_PROVIDER_ID: "the local model"} | {
        str(name): str(table.get("model") or table.get("kind") or "")
        for name, table in (tables.items() if isinstance(tables, dict) else ())
        if isinstance(table, dict)
    }
    return [_line(name, said) for name, said in sorted(found.items())]


def _option(parser: argparse.ArgumentParser, name: str) -> argparse.Action | None:
    return parser._option_string_actions.get(name)


def _fitting(lines: Iterable[str], begun: str) -> list[str]:
    return [line for line in lines if line.startswith(begun) or line in (FILES, FOLDERS)]


def _line(word: str, said: str | None = None) -> str:
    """One candidate; what is said of it in one line, without what could drive a terminal."""
    text = " ".join("".join(c for c in said or "" if c.isprintable() or c.isspace()).split())
    return f"{word}\t{text}" if text else word
