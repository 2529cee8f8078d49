"""The groups and control words of RTF (version 1.9) to paragraphs with their level of heading, and rows of cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from vpa_desktop.rag.kinds import damaged

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)|(.)", re.DOTALL
)
_MAX_DEPTH = 2_000
_CODE_PAGES = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 255: "cp850",
}  # fmt: skip
_CHARACTERS = {
    "tab": "\t", "line": "\n", "lbr": "\n", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘",
    "rquote": "’", "ldblquote": "“", "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ",
}  # fmt: skip
_SYMBOLS = {"~": " ", "_": "-", "\\": "\\", "{": "{", "}": "}", "\n": "\n", "\r": "\n"}
_HEADING_NAME = re.compile(r"heading\s*([1-9]);?$", re.IGNORECASE)
# Bullets of symbol fonts, which have no meaning elsewhere.
_BULLETS = dict.fromkeys(range(61472, 61696), "•")
_PARAGRAPH_ENDS = frozenset(("par", "sect", "page", "column"))
# Groups whose text is not the document's. Those that begin with \* are left out but for these two.
_LEFT_OUT = frozenset(
    "fonttbl colortbl stylesheet info pict object objdata header headerl headerr headerf footer footerl footerr "
    "footerf fldinst nonesttables pntext pntxta pntxtb sp themedata colorschememapping datastore latentstyles rsidtbl "
    "generator listtable listoverridetable xmlnstbl mmathPr pgptbl revtbl bkmkstart bkmkend xe tc atnid atnauthor "
    "annotation nonshppict shppict filetbl ftnsep ftnsepc aftnsep aftnsepc".split()
)
_STARRED_READ = frozenset(("shpinst", "shptxt"))


@dataclass(slots=True)
class Paragraph:
    """A paragraph with its level of heading (0 is none), or a row of cells."""

    text: str = ""
    level: int = 0
    cells: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """What counts until the group ends."""

    destination: str = ""
    code_page: str = "cp1252"
    fallback_chars: int = 1
    in_table: bool = False
    level: int = 0


class RtfReader:
    """Reads one file, once. ``title`` is known after its paragraphs were read."""

    def __init__(self, data: bytes, path: Path) -> None:
        self.title = ""
        self._data = data
        self._path = path
        self._group = _Group()
        self._stack: list[_Group] = []
        self._fonts: dict[int, str] = {}
        self._styles: dict[int, int] = {}
        self._defining = -1  # the font or style that a table is just telling of
        self._style_name = ""
        self._page = "cp1252"
        self._text: list[str] = []
        self._raw = bytearray()
        self._cells: list[str] = []
        self._skip_chars = 0
        self._starred = False

    def paragraphs(self) -> Iterator[Paragraph]:
        """Yields paragraphs and rows in their order."""
        at, data = 0, self._data
        while at < len(data) and (token := _TOKEN.match(data, at)):
            at = token.end()
            word, number, code, symbol, brace, run, _ = token.groups()
            if word is not None:
                name = word.decode("ascii")
                if name == "bin":
                    at += max(int(number or 0), 0)
                    continue
                yield from self._word(name, int(number) if number else None)
            elif code is not None:
                self._bytes(bytes([int(code, 16)]))
            elif brace is not None:
                self._brace(brace == b"{")
            elif symbol is not None:
                self._symbol(symbol.decode("latin-1"))
            elif run is not None:
                self._bytes(run)
        yield self._paragraph()

    def _brace(self, opens: bool) -> None:
        self._flush()
        self._skip_chars = 0
        if opens:
            if len(self._stack) >= _MAX_DEPTH:
                raise damaged(self._path, "Its groups are nested too deeply")
            self._stack.append(self._group)
            self._group = replace(self._group)
        elif self._stack:
            if self._group.destination == "stylesheet":
                self._end_style()
            self._group = self._stack.pop()

    def _word(self, name: str, number: int | None) -> Iterator[Paragraph]:
        if name == "u" and number is not None:
            self._unicode(number)
            return
        self._flush()
        self._skip_chars = 0
        starred, self._starred = self._starred, False
        group = self._group
        if (starred and name not in _STARRED_READ) or name in _LEFT_OUT:
            group.destination = name
        elif name == "title" and group.destination == "info":
            group.destination = "title"
        elif group.destination in ("fonttbl", "stylesheet"):
            self._define(name, number)
        elif name in _CHARACTERS:
            self._write(_CHARACTERS[name])
        elif not group.destination:
            yield from self._layout(name, number)
        self._set(name, number)

    def _set(self, name: str, number: int | None) -> None:
        group = self._group
        if name == "uc" and number is not None:
            group.fallback_chars = max(0, min(number, 16))
        elif name == "ansicpg" and number is not None:
            self._page = group.code_page = _known_page(f"cp{number}")
        elif name == "f" and number is not None and group.destination != "fonttbl":
            group.code_page = self._fonts.get(number, self._page)
        elif name == "plain":
            group.code_page = self._page

    def _define(self, name: str, number: int | None) -> None:
        if name == ("f" if self._group.destination == "fonttbl" else "s") and number is not None:
            self._defining = number
        elif name == "fcharset" and number in _CODE_PAGES:
            self._fonts[self._defining] = _CODE_PAGES[number] if number else self._page
        elif name == "outlinelevel" and self._group.destination == "stylesheet" and number is not None:
            self._styles[self._defining] = number + 1

    def _end_style(self) -> None:
        """A style is a heading by its level or, from writers that give none, by its name."""
        named = _HEADING_NAME.match(self._style_name.strip())
        if named is not None:
            self._styles.setdefault(self._defining, int(named[1]))
        self._style_name = ""

    def _layout(self, name: str, number: int | None) -> Iterator[Paragraph]:
        group = self._group
        if name in _PARAGRAPH_ENDS:
            if group.in_table:
                self._write(" ")
            else:
                yield self._paragraph()
        elif name in ("cell", "nestcell"):
            self._cells.append(" ".join("".join(self._text).split()))
            self._text = []
        elif name in ("row", "nestrow"):
            cells, self._cells = self._cells, []
            yield Paragraph(cells=cells)
        elif name == "pard":
            group.in_table, group.level = False, 0
        elif name == "intbl":
            group.in_table = True
        elif name == "s" and number is not None:
            group.level = self._styles.get(number, 0)
        elif name == "outlinelevel" and number is not None:
            group.level = number + 1 if 0 <= number < 9 else 0

    def _symbol(self, symbol: str) -> None:
        self._flush()
        if symbol == "*":
            self._starred = True
        elif symbol in ("\n", "\r"):
            self._write("\n")
        elif symbol in _SYMBOLS:
            self._write(_SYMBOLS[symbol])

    def _unicode(self, number: int) -> None:
        self._flush()
        self._write(chr(number & 0xFFFF))
        self._skip_chars = self._group.fallback_chars

    def _bytes(self, raw: bytes) -> None:
        """Takes text in the code page that holds now; what stands in for a character already written is left out."""
        if self._skip_chars:
            skipped = min(self._skip_chars, len(raw))
            self._skip_chars -= skipped
            raw = raw[skipped:]
        if self._group.destination in ("", "title", "stylesheet"):
            self._raw += raw

    def _flush(self) -> None:
        if self._raw:
            text = bytes(self._raw).decode(self._group.code_page, "replace")
            self._raw.clear()
            self._write(text)

    def _write(self, text: str) -> None:
        if self._group.destination == "title":
            self.title += text
        elif self._group.destination == "stylesheet":
            self._style_name += text
        elif not self._group.destination:
            self._text.append(text)

    def _paragraph(self) -> Paragraph:
        self._flush()
        text, self._text = "".join(self._text), []
        if self._cells:
            text = " | ".join([*self._cells, text])
            self._cells = []
        # Characters outside the first plane are written as two halves.
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return Paragraph(whole.translate(_BULLETS), self._group.level)


def _known_page(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        return "utf-8" if name == "cp65001" else "cp1252"
    return name
