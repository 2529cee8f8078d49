"""Writes Markdown tokens as the HTML subset a QTextDocument knows. No Qt here, and never an ``<img>``.

The only attributes that carry anything from the answer are ``href`` of a link that passed the allow-list;
everything else is escaped text. Marks such as [1] become links only where that citation exists.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vpa_desktop.ui.chat.highlight import highlight, language_name
from vpa_desktop.ui.chat.markdown import MAX_BLOCK, Block, breakable, is_safe_link, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

    from vpa_desktop.ui.theme import Theme

MAX_ROWS = 200
MAX_COLUMNS = 40
MAX_INLINE_DEPTH = 16
PADDING = "\xa0"
_MARK = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_INLINE = {"strong": "b", "em": "i", "s": "s"}


@dataclass
class MarkupWriter:
    """Writes blocks for one theme, text scale and set of citations. ``codes`` collects the code inside lists."""

    theme: Theme
    scale: float = 1.0
    citations: frozenset[int] = frozenset()
    codes: list[str] = field(default_factory=list)
    _depth: int = 0
    _in_link: bool = False
    _after_bullet: bool = False
    _row: int = 0
    _column: int = 0

    def write(self, block: Block) -> str:
        """Returns the HTML of a block."""
        if block.kind == "code":
            return self._pre(highlight(breakable(block.code[:MAX_BLOCK]), block.language, self.theme))
        if block.kind == "rule":
            return ""
        tokens = block.tokens[1:-1] if block.kind == "quote" else block.tokens
        self._row = 0
        body = "".join(self._token(token) for token in tokens)
        return body + self._note(self._notes(block))

    def _notes(self, block: Block) -> str:
        if block.kind == "table" and self._row > MAX_ROWS + 1:
            return f"The first {MAX_ROWS} of {self._row - 1:,} rows are shown. Copy takes them all."
        return block.note

    def _note(self, note: str) -> str:
        px = round(12 * self.scale)
        return f'<p style="color:{self.theme.dim};font-size:{px}px">{html.escape(note)}</p>' if note else ""

    def _pre(self, body: str) -> str:
        return f'<pre style="margin:0;white-space:pre-wrap">{body}</pre>'

    def _token(self, token: Token) -> str:
        kind = token.type
        if kind == "inline":
            gap, self._after_bullet = self._gap() if self._after_bullet else "", False
            return "" if self._is_cut() else gap + self._inline(token.children or ())
        if kind in ("fence", "code_block"):
            return self._nested_code(token)
        if kind in ("tr_open", "th_open", "td_open", "tr_close", "th_close", "td_close"):
            return self._cell(token)
        if kind.endswith("_open"):
            return self._open(token)
        if kind.endswith("_close"):
            return self._close(token)
        return "<hr/>" if kind == "hr" else html.escape(visible(token.content), quote=False)

    def _open(self, token: Token) -> str:
        kind = token.type
        if kind == "paragraph_open":
            return "" if token.hidden else '<p style="margin-top:4px;margin-bottom:4px">'
        if kind == "heading_open":
            px = round({"h1": 21, "h2": 18, "h3": 16}.get(token.tag, 15) * self.scale)
            return f'<p style="margin-top:8px;margin-bottom:2px;font-size:{px}px;font-weight:600">'
        if kind == "bullet_list_open":
            return '<ul style="margin-top:2px;margin-bottom:2px">'
        if kind == "ordered_list_open":
            start = token.attrs.get("start")
            return f'<ol style="margin-top:2px;margin-bottom:2px"{f" start={int(start)}" if start else ""}>'
        if kind == "table_open":
            return self._table()
        self._after_bullet = kind == "list_item_open" and token.markup in ("-", "*", "+")
        return {
            "list_item_open": '<li style="margin-bottom:3px">',
            "blockquote_open": f'<blockquote style="color:{self.theme.dim};margin-left:16px">',
        }.get(kind, "")

    def _gap(self) -> str:
        # Qt leaves only the width of a space between a bullet and its text.
        return f'<span style="font-size:{round(10 * self.scale)}px">{PADDING}</span>'

    def _close(self, token: Token) -> str:
        if token.type == "paragraph_close":
            return "" if token.hidden else "</p>"
        return {
            "heading_close": "</p>",
            "bullet_list_close": "</ul>",
            "ordered_list_close": "</ol>",
            "list_item_close": "</li>",
            "blockquote_close": "</blockquote>",
            "table_close": "</table>",
        }.get(token.type, "")

    def _table(self) -> str:
        self._row = 0
        return (
            f'<table cellspacing="0" cellpadding="7" border="1" style="border-collapse:collapse;border-style:solid;'
            f'border-color:{self.theme.line}">'
        )

    def _cell(self, token: Token) -> str:
        if token.type == "tr_open":
            self._row += 1
            self._column = 0
            return "" if self._row > MAX_ROWS + 1 else "<tr>"
        if token.type == "tr_close":
            return "" if self._row > MAX_ROWS + 1 else "</tr>"
        self._column += token.nesting == 1
        if self._is_cut():
            return ""
        if token.nesting < 0:
            return f"</{token.tag}>"
        ground = f' bgcolor="{self.theme.code_head}" style="font-weight:600"' if token.tag == "th" else ""
        found = re.search(r"text-align:(left|right|center)", str(token.attrs.get("style", "")))
        return f"<{token.tag}{ground}{f' align={found[1]}' if found else ' align=left'}>"

    def _is_cut(self) -> bool:
        return self._row > MAX_ROWS + 1 or self._column > MAX_COLUMNS

    def _nested_code(self, token: Token) -> str:
        code = visible(token.content.removesuffix("\n"))
        language = token.info.strip().split(" ")[0][:40] if token.info.strip() else ""
        self.codes.append(code)
        theme, px = self.theme, round(12 * self.scale)
        body = self._pre(highlight(breakable(code[:MAX_BLOCK]), language, theme))
        look = f"color:{theme.dim};font-size:{px}px;text-decoration:none"
        link = f'<a href="vpa:copy/{len(self.codes) - 1}" style="{look}">Copy</a>'
        name = html.escape(visible(language_name(language)))
        return (
            f'<table width="100%" cellspacing="0" cellpadding="7" bgcolor="{theme.code_bg}">'
            f'<tr><td bgcolor="{theme.code_head}"><span style="{look}">{name}</span></td>'
            f'<td bgcolor="{theme.code_head}" align="right">{link}</td></tr>'
            f'<tr><td colspan="2">{body}</td></tr></table>'
        )

    def _inline(self, tokens: Sequence[Token]) -> str:
        self._depth, self._in_link = 0, False
        return "".join(self._inline_token(token) for token in tokens)

    def _inline_token(self, token: Token) -> str:
        kind = token.type
        if kind == "text":
            return self._text(token.content)
        if kind == "code_inline":
            body = html.escape(breakable(visible(token.content)), quote=False)
            ground = f"background-color:{self.theme.chip}"
            pad = f'<span style="{ground};font-size:{round(9 * self.scale)}px">{PADDING}</span>'
            return f'{pad}<code style="{ground}">{body}</code>{pad}'
        if kind in ("link_open", "link_close"):
            return self._link(token)
        if kind == "image":
            return self._image(token)
        name, _, end = kind.rpartition("_")
        if name in _INLINE and end in ("open", "close"):
            return self._emphasis(_INLINE[name], end)
        return {"softbreak": " ", "hardbreak": "<br/>"}.get(kind) or self._text(token.content)

    def _emphasis(self, tag: str, end: str) -> str:
        if end == "open":
            self._depth += 1
            return f"<{tag}>" if self._depth <= MAX_INLINE_DEPTH else ""
        self._depth -= 1
        return f"</{tag}>" if self._depth < MAX_INLINE_DEPTH else ""

    def _link(self, token: Token) -> str:
        if token.type == "link_close":
            was, self._in_link = self._in_link, False
            return "</a>" if was else ""
        url = str(token.attrs.get("href", ""))
        self._in_link = is_safe_link(url)
        return self._anchor(url) if self._in_link else ""

    def _anchor(self, url: str) -> str:
        return f'<a href="{html.escape(url)}" style="color:{self.theme.accent};text-decoration:underline">'

    def _image(self, token: Token) -> str:
        words = visible(token.content) or "no description"
        return f'<span style="color:{self.theme.dim}">[image: {html.escape(breakable(words), quote=False)}]</span>'

    def _text(self, text: str) -> str:
        if not self.citations or self._in_link or "[" not in text:
            return _escaped(text)
        parts, end = [], 0
        for found in _MARK.finditer(text):
            numbers = [int(number) for number in found[1].split(",")]
            if self.citations.isdisjoint(numbers):
                continue
            parts += [_escaped(text[end : found.start()]), self._marks(numbers)]
            end = found.end()
        return "".join([*parts, _escaped(text[end:])])

    def _marks(self, numbers: Sequence[int]) -> str:
        style = f"color:{self.theme.accent};text-decoration:none;font-weight:600"
        return (
            "["
            + ", ".join(
                f'<a href="vpa:cite/{n}" style="{style}">{n}</a>' if n in self.citations else str(n) for n in numbers
            )
            + "]"
        )


def _escaped(text: str) -> str:
    return html.escape(breakable(visible(text)), quote=False)
