"""An answer's Markdown as the words that are shown, for whoever hears it. No Qt, no HTML."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from vpa_desktop.ui.chat.markdown import Block, parse, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

_KEPT = 256
_BREAKS = ("softbreak", "hardbreak")


@lru_cache(_KEPT)
def plain_text(markdown: str) -> str:
    """Returns the text without Markdown's marks: a line for each paragraph, item and row of a table."""
    lines = [line for block in parse(markdown) for line in _lines(block)]
    return "\n".join(visible(line) for line in lines if line.strip())


def _lines(block: Block) -> Iterator[str]:
    if block.kind == "code":
        yield block.code
    else:
        yield from _of_tokens(block.tokens)
    if block.note:
        yield block.note


def _of_tokens(tokens: Sequence[Token]) -> Iterator[str]:
    """The lines of a block; what stands before the text of an item waits for it, and cells for the end of their row."""
    before, cells, in_row = "", list[str](), False
    for token in tokens:
        if token.type == "list_item_open":
            before = f"{token.info}. " if token.info else "• "
        elif token.type == "tr_open":
            cells, in_row = [], True
        elif token.type == "tr_close":
            in_row = False
            yield ", ".join(cell for cell in cells if cell)
        elif token.type in ("fence", "code_block"):
            yield token.content.removesuffix("\n")
        elif token.type == "inline":
            said = _inline(token)
            if in_row:
                cells.append(said)
            else:
                yield f"{before}{said}"
                before = ""


def _inline(token: Token) -> str:
    return "".join(_words(child) for child in token.children or ())


def _words(token: Token) -> str:
    if token.type == "image":
        return f"[image: {token.content or 'no description'}]"
    return " " if token.type in _BREAKS else token.content
