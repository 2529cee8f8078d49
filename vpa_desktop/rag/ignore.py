"""Which files of a folder are left out: names that are never meant, and what ``.vpaignore`` says, as Git reads it.

Written here since the libraries for it are under licences that this program does not take. What Git knows and this does
not: trailing blanks that are kept by a backslash, and named classes of characters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from vpa_desktop.rag.folders import could_be_document

RULES_FILE = ".vpaignore"
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: what is compared with it is the path below the folder of its file, with slashes."""

    pattern: re.Pattern[str]
    leaves_out: bool
    folders_only: bool


def read_rules(text: str) -> tuple[Rule, ...]:
    """Returns the rules of a ``.vpaignore``; the last one that fits a path decides."""
    return tuple(rule for line in text.splitlines() if (rule := _rule(line)) is not None)


def _rule(line: str) -> Rule | None:
    line = line.rstrip()
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    body = line[1:] if negated else line
    if body.startswith(("\\#", "\\!")):
        body = body[1:]
    folders_only = body.endswith("/")
    body = body.rstrip("/")
    if not body:
        return None
    # A slash before the last place ties the pattern to the folder of its file.
    tied = "/" in body
    source = _translated(body.lstrip("/"))
    try:
        pattern = re.compile(source if tied else f"(?:.*/)?{source}", re.DOTALL)
    except re.error:
        return None  # such as [z-a]; Git, too, lets it match nothing
    return Rule(pattern, not negated, folders_only)


def _translated(glob: str) -> str:
    found, at = [], 0
    while at < len(glob):
        rest = glob[at:]
        if rest.startswith("**/") and (at == 0 or glob[at - 1] == "/"):
            found.append("(?:.*/)?")
            at += 3
        elif rest == "**" and at > 0 and glob[at - 1] == "/":
            found.append(".+")
            at += 2
        elif rest[0] == "*":
            found.append("[^/]*")
            at += 1
        elif rest[0] == "?":
            found.append("[^/]")
            at += 1
        elif rest[0] == "[" and (end := rest.find("]", 2)) > 0:
            inside = rest[1:end].replace("\\", "\\\\").replace("[", "\\[")
            found.append(f"(?!/)[{'^' + inside[1:] if inside[0] in '!^' else inside}]")
            at += end + 1
        else:
            skip = 1 if rest[0] == "\\" and len(rest) > 1 else 0
            found.append(re.escape(rest[skip]))
            at += 1 + skip
    return "".join(found)


@dataclass(slots=True)
class IgnoreRules:
    """The rules in force below one folder. ``files`` are read with :func:`read_rules`, by the path of their folder."""

    root: str
    own: frozenset[str] = frozenset()
    """Paths that are the program's own files, which are never documents."""
    files: dict[str, tuple[Rule, ...]] = field(default_factory=dict)

    def read(self, folder: str) -> None:
        """Reads the ``.vpaignore`` of a folder, once. Raises OSError where there is one that cannot be read."""
        if folder not in self.files:
            self.files[folder] = ()
            try:
                with open(os.path.join(folder, RULES_FILE), "rb") as file:  # noqa: PTH118, PTH123 - not Path's cost
                    text = file.read(_MOST_BYTES).decode("utf-8", "replace")
            except FileNotFoundError:
                return
            self.files[folder] = read_rules(text)

    def leaves_out(self, path: str, name: str, *, is_folder: bool) -> bool:
        """Says whether a path is left out, where none of the folders above it is."""
        if path in self.own:
            return True
        said = _said(self.files, self.root, path, is_folder) if any(self.files.values()) else None
        return not could_be_document(PurePath(name), is_folder=is_folder) if said is None else said

    def leaves_out_by_way(self, path: str) -> bool:
        """Says whether a file, or any folder above it and below the root, is left out. Raises OSError as ``read``."""
        inside = path[len(self.root) :].strip(os.sep).split(os.sep)  # noqa: PTH206 - not Path's cost
        folder = self.root
        for number, name in enumerate(inside, 1):
            self.read(folder)
            folder = os.path.join(folder, name)  # noqa: PTH118
            if self.leaves_out(folder, name, is_folder=number < len(inside)):
                return True
        return False


def _said(files: Mapping[str, Sequence[Rule]], root: str, path: str, is_folder: bool) -> bool | None:
    """What the nearest file of rules that knows the path says; None where none does."""
    folder = path
    while len(folder) > len(root):
        folder = os.path.dirname(folder)  # noqa: PTH120
        below = path[len(folder) :].lstrip(os.sep).replace(os.sep, "/")
        for rule in reversed(files.get(folder, ())):
            if (is_folder or not rule.folders_only) and rule.pattern.fullmatch(below):
                return rule.leaves_out
    return None
