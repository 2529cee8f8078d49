"""Cuts an answer's Markdown into top-level blocks, whole or while it streams. No Qt, no HTML here.

CommonMark with tables and strikethrough; raw HTML stays text; links only to http, https and mailto. Sizes are
capped so that a short hostile text cannot freeze the window; what is left out is said in a note, never hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_MESSAGE = 120_000
MAX_BLOCK = 20_000
MAX_BLOCKS = 1_500
MAX_LINES = 5_000
MAX_PARSER_LEVEL = 60
MAX_LEVEL = 2 * 16
MAX_MARKS = 200
BREAK_EVERY = 2_000
SCHEMES = ("http://", "https://", "mailto:")

BlockKind = Literal["prose", "quote", "table", "code", "rule", "note"]
_KINDS: dict[str, BlockKind] = {"blockquote_open": "quote", "table_open": "table", "hr": "rule"}
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u2028-\u202e\u2060-\u2069\ufeff\ufdd0-\ufdef\ufff9-\ufffc"
    "\U000e0000-\U000e007f]"
)
_LONG_RUN = re.compile(rf"\S{{{BREAK_EVERY}}}")
ZERO_WIDTH_BREAK = "\u200b"


@dataclass(frozen=True, slots=True)
class Block:
    """One top-level block. ``code`` and ``language`` only for code; ``note`` tells what is not shown."""

    kind: BlockKind
    tokens: tuple[Token, ...] = ()
    code: str = ""
    language: str = ""
    note: str = ""
    is_open: bool = False


def visible(text: str) -> str:
    """Returns ``text`` with control and bidi-override characters spelt out, such as ⟨U+202E⟩.

    No-break spaces become spaces: the only ones in a document are our own padding, which copying leaves out.
    """
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\xa0", " "))


def breakable(text: str) -> str:
    """Returns ``text`` with a zero-width break in every run of 2,000 characters without a space."""
    return _LONG_RUN.sub(lambda found: found[0] + ZERO_WIDTH_BREAK, text) if len(text) >= BREAK_EVERY else text


def parse(text: str) -> list[Block]:
    """Returns the blocks of a whole text."""
    reader = StreamReader()
    reader.feed(text)
    reader.close()
    # Two passes where definitions come after their use: a later link definition counts for the whole text.
    if reader.references:
        again = StreamReader(reader.references)
        again.feed(text)
        again.close()
        return again.stable
    return reader.stable


class StreamReader:
    """Reads Markdown piece by piece. Top-level blocks that can no longer change are stable, the rest is the tail."""

    def __init__(self, references: dict[str, Any] | None = None) -> None:
        self.stable: list[Block] = []
        self.tail: list[Block] = []
        self._env: dict[str, Any] = {"references": dict(references)} if references else {}
        self._waiting = ""
        self._held = ""
        self._taken = 0
        self._lines = 0
        self._left_out = 0

    @property
    def references(self) -> dict[str, Any]:
        """The link definitions seen so far."""
        return dict(self._env.get("references", {}))

    def feed(self, piece: str) -> None:
        """Takes a piece of any size. A carriage return waits for the piece after it."""
        piece = self._held + piece
        self._held = "\r" if piece.endswith("\r") else ""
        piece = piece.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
        shown = self._shown_part(piece)
        self._waiting += shown
        self._taken += len(shown)
        self._lines += shown.count("\n")
        self._left_out += len(piece) - len(shown)

    def _shown_part(self, piece: str) -> str:
        if self._left_out:
            return ""
        shown = piece[: MAX_MESSAGE - self._taken]
        if self._lines + shown.count("\n") > MAX_LINES:
            shown = "".join(shown.splitlines(keepends=True)[: MAX_LINES - self._lines])
        return shown

    def advance(self) -> int:
        """Parses the tail, moves what can no longer change to ``stable``, and returns how many blocks moved."""
        if len(self.stable) >= MAX_BLOCKS:
            self._left_out += len(self._waiting)
            self._waiting = ""
        lines, groups = self._parse()
        moved = self._secure(groups, len(lines) - 1)
        self.stable += [_block(group, lines) for group in groups[:moved]]
        self.tail = [_block(group, lines, is_open=True) for group in groups[moved:]]
        if moved:
            self._waiting = "\n".join(lines[_first_line(groups[moved]) :])
        if self._left_out:
            self.tail.append(_left_out(self._left_out))
        return moved

    def close(self) -> None:
        """Makes everything stable: no more text comes."""
        self.feed("\n" if self._held else "")
        room = max(0, MAX_BLOCKS - len(self.stable))
        lines, groups = self._parse()
        self.stable += [_block(group, lines) for group in groups[:room]]
        if len(groups) > room:
            self._left_out += len("\n".join(lines[_first_line(groups[room]) :]))
        if self._left_out:
            self.stable.append(_left_out(self._left_out))
        self.tail, self._waiting, self._left_out = [], "", 0

    def _parse(self) -> tuple[list[str], list[list[Token]]]:
        lines = self._waiting.split("\n")
        return lines, _top_level(_parser_for(lines).parse(self._waiting, self._env))

    def _secure(self, groups: list[list[Token]], whole_lines: int) -> int:
        """Returns how many groups can no longer change: those before one that began two whole lines ago.

        An unfinished line may still turn into something else ("2" into "2."), and the line under it may make
        a table of it.
        """
        begun = [number for number, group in enumerate(groups) if _first_line(group) + 2 <= whole_lines]
        return begun[-1] if begun else 0


@lru_cache(2)
def _parser(is_small: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt  # not before the first paint

    options = {"html": False, "linkify": False, "typographer": False, "breaks": False, "maxNesting": MAX_PARSER_LEVEL}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.disable("html_block").disable("html_inline")
    parser.validateLink = is_safe_link  # type: ignore[method-assign]
    return parser.disable(["table", "link", "image"]) if is_small else parser


def is_safe_link(url: str) -> bool:
    """Tells whether a link may be offered at all: http, https or mailto, written out."""
    return url.strip().lower().startswith(SCHEMES)


def _parser_for(lines: list[str]) -> MarkdownIt:
    # A table's short rows are filled up to the header's width, and each open bracket looks for its end: thousands in
    # one line would cost seconds.
    is_crowded = any(line.count("|") > MAX_MARKS or line.count("[") > MAX_MARKS for line in lines)
    return _parser(is_crowded)


def _top_level(tokens: Sequence[Token]) -> list[list[Token]]:
    groups: list[list[Token]] = []
    depth = 0
    for token in tokens:
        if depth == 0:
            groups.append([])
        groups[-1].append(token)
        depth += token.nesting
    return groups


def _first_line(group: Sequence[Token]) -> int:
    return group[0].map[0] if group[0].map else 0


def _block(group: list[Token], lines: list[str], *, is_open: bool = False) -> Block:
    first = group[0]
    if first.type in ("fence", "code_block"):
        return _code(first, is_open)
    source = "\n".join(lines[slice(*first.map)] if first.map else lines)
    if max(token.level for token in group) > MAX_LEVEL:
        return _clipped_code(source, "nested too deeply to lay out, so it is shown as it was written", is_open)
    kind = _KINDS.get(first.type, "prose")
    if len(source) > MAX_BLOCK and kind != "table":
        return Block(kind, tuple(_parse_start(source)), note=_shown_note(MAX_BLOCK, len(source)), is_open=is_open)
    return Block(kind, tuple(group), is_open=is_open)


def _parse_start(source: str) -> list[Token]:
    groups = _top_level(_parser_for([source]).parse(source[:MAX_BLOCK]))
    return groups[0] if groups else []


def _code(token: Token, is_open: bool) -> Block:
    language = token.info.strip().split(" ")[0][:40] if token.info.strip() else ""
    code = visible(token.content.removesuffix("\n"))
    note = _shown_note(MAX_BLOCK, len(code)) if len(code) > MAX_BLOCK else ""
    return Block("code", (), code=code, language=language, note=note, is_open=is_open)


def _clipped_code(source: str, reason: str, is_open: bool) -> Block:
    note = f"This part is {reason}."
    if len(source) > MAX_BLOCK:
        note += " " + _shown_note(MAX_BLOCK, len(source))
    return Block("code", (), code=visible(source), language="text", note=note, is_open=is_open)


def _shown_note(shown: int, total: int) -> str:
    return f"The first {shown:,} of {total:,} characters are shown. Copy takes them all."


def _left_out(characters: int) -> Block:
    return Block("note", note=f"{characters:,} more characters are not shown. Copy takes the whole message.")
