"""One laid-out piece of a message: a QTextDocument for each top-level block, and its place in the row.

The documents can load nothing: no picture, style sheet or font, neither from the network nor from the disk.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt, QUrl
from PySide6.QtGui import QColor, QPixmap, QTextBlockFormat, QTextCharFormat, QTextCursor, QTextDocument, QTextOption

from vpa_desktop.locate import find_passage
from vpa_desktop.ui.chat.markdown import MAX_BLOCK, Block, breakable, visible
from vpa_desktop.ui.chat.markup import MarkupWriter
from vpa_desktop.ui.theme import CODE_FAMILY, Theme, code_font, text_font

CODE_HEAD = 34
CODE_PAD = 14
QUOTE_INDENT = 14
RULE_HEIGHT = 17.0
TEXT_PX = 15
CODE_PX = 13
_CITATION = re.compile(r"\[[\d ,;–-]+\]")


class SafeDocument(QTextDocument):
    """A document that answers every wish for a resource with one transparent pixel.

    Returning nothing would not do: Qt's image handler then opens the path itself.
    """

    def loadResource(self, kind: int, url: QUrl | str) -> QPixmap:
        """Refuses: returns a transparent pixel whatever is asked for."""
        pixel = QPixmap(1, 1)
        pixel.fill(Qt.GlobalColor.transparent)
        return pixel


@dataclass(frozen=True, slots=True)
class SegmentStyle:
    """What a segment's look depends on besides its block; ``doubtful`` are statements to be underlined."""

    theme: Theme
    scale: float = 1.0
    citations: frozenset[int] = frozenset()
    is_dim: bool = False
    doubtful: tuple[str, ...] = ()

    @property
    def text_colour(self) -> str:
        """The colour of prose."""
        return self.theme.dim if self.is_dim else self.theme.text

    @property
    def text_px(self) -> int:
        """The size of prose in pixels."""
        return round((TEXT_PX - 2 * self.is_dim) * self.scale)

    @property
    def code_px(self) -> int:
        """The size of code in pixels."""
        return round(CODE_PX * self.scale)

    def sheet(self) -> str:
        """The documents' default style sheet."""
        ink, code = self.text_colour, f"font-family:'{CODE_FAMILY}';font-size:{self.code_px}px"
        return (
            f"p,li{{line-height:148%;color:{ink}}} td,th{{color:{ink}}} "
            f"code{{{code}}} pre{{{code};color:{self.theme.text};line-height:122%}}"
        )


class Segment:
    """A block with its document. ``rect`` is its place in the row, ``origin`` where the text begins."""

    def __init__(self, block: Block, style: SegmentStyle) -> None:
        self.style = style
        self.document = _document(style, is_code=block.kind == "code")
        self.rect = QRectF()
        self.codes: list[str] = []
        self.block = block
        self.update(block)

    @property
    def kind(self) -> str:
        """The kind of its block."""
        return self.block.kind

    def update(self, block: Block) -> None:
        """Shows another state of the same block; an unchanged one costs nothing."""
        if block == self.block and not self.document.isEmpty():
            return
        self.block = block
        writer = MarkupWriter(self.style.theme, self.style.scale, self.style.citations)
        body = writer.write(block)
        if block.kind == "code" and block.note:
            px = round(12 * self.style.scale)
            body += f'<p style="color:{self.style.theme.dim};font-size:{px}px">{html.escape(block.note)}</p>'
        self.document.setHtml(body)
        self.codes = writer.codes
        if block.kind != "code":
            _underline(self.document, self.style)

    def place(self, x: float, y: float, width: float) -> float:
        """Lays the segment out at ``x``, ``y`` and returns its height."""
        inner = max(40.0, width - 2 * self._inset)
        if self.document.textWidth() != inner:
            self.document.setTextWidth(inner)
        height = self.document.size().height() if self.kind != "rule" else RULE_HEIGHT
        height += CODE_HEAD + 2 * CODE_PAD - 2 if self.kind == "code" else 0
        self.rect = QRectF(x, y, width, height)
        return height

    @property
    def _inset(self) -> float:
        return {"code": CODE_PAD + 2.0, "quote": float(QUOTE_INDENT)}.get(self.kind, 0.0)

    @property
    def origin(self) -> QPointF:
        """Where the document's corner is, in the row's coordinates."""
        down = CODE_HEAD + CODE_PAD - 1 if self.kind == "code" else 0
        return self.rect.topLeft() + QPointF(self._inset, down)

    @property
    def last_position(self) -> int:
        """The position after the last character."""
        return max(0, self.document.characterCount() - 1)

    def position_at(self, point: QPointF) -> int:
        """Returns the character position nearest to ``point`` (row coordinates)."""
        return max(0, self.document.documentLayout().hitTest(point - self.origin, Qt.HitTestAccuracy.FuzzyHit))

    def link_at(self, point: QPointF) -> str:
        """Returns the link under ``point`` (row coordinates), or nothing."""
        return self.document.documentLayout().anchorAt(point - self.origin)


class PlainSegment(Segment):
    """Text shown exactly as it is: the person's own message."""

    def __init__(self, text: str, style: SegmentStyle) -> None:
        self._text = text
        super().__init__(Block("prose"), style)

    def update(self, block: Block) -> None:
        """Writes the text as it is, a paragraph for each line."""
        self.block = block
        shown = visible(self._text[:MAX_BLOCK].replace("\r\n", "\n").replace("\r", "\n"))
        if len(self._text) > MAX_BLOCK:
            shown += f"\n\n[The first {MAX_BLOCK:,} of {len(self._text):,} characters are shown. Copy takes them all.]"
        self.document.setPlainText(breakable(shown))
        _dress(self.document, self.style)

    def natural_width(self, most: float) -> float:
        """Returns the width the text wants, at most ``most``."""
        self.document.setTextWidth(-1)
        return min(self.document.idealWidth() + 1, most)


def _dress(document: QTextDocument, style: SegmentStyle) -> None:
    cursor = QTextCursor(document)
    cursor.select(QTextCursor.SelectionType.Document)
    lines, letters = QTextBlockFormat(), QTextCharFormat()
    lines.setLineHeight(148, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    letters.setForeground(QColor(style.text_colour))
    cursor.mergeBlockFormat(lines)
    cursor.mergeCharFormat(letters)


def _underline(document: QTextDocument, style: SegmentStyle) -> None:
    """Underlines the doubtful statements, each as far as it stands in this document."""
    if not style.doubtful:
        return
    text = _CITATION.sub(lambda mark: " " * len(mark[0]), document.toPlainText())
    drawn = QTextCharFormat()
    drawn.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
    drawn.setUnderlineColor(QColor(style.theme.warn))
    for statement in style.doubtful:
        for start, end in find_passage(text, statement):
            cursor = QTextCursor(document)
            cursor.setPosition(_units(text[:start]))
            cursor.setPosition(_units(text[:end]), QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(drawn)


def _units(text: str) -> int:
    """The length of a text as Qt counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _document(style: SegmentStyle, *, is_code: bool) -> SafeDocument:
    document = SafeDocument()
    document.setDocumentMargin(0)
    document.setUndoRedoEnabled(False)
    document.setDefaultFont(code_font(style.code_px) if is_code else text_font(style.text_px))
    document.setDefaultStyleSheet(style.sheet())
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    document.setDefaultTextOption(option)
    return document
