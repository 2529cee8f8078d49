"""One message laid out: where its header, blocks, lines in words, chips and buttons are. Paints nothing.

All coordinates are relative to the row's top and the transcript's left edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFont, QFontMetricsF

from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.markdown import Block, parse
from vpa_desktop.ui.chat.segments import CODE_HEAD, PlainSegment, Segment, SegmentStyle
from vpa_desktop.ui.theme import text_font

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from PySide6.QtGui import QImage

    from vpa_desktop.messages import Citation, Seam
    from vpa_desktop.records import MessageRecord

INDENT = 42
BUBBLE_PAD = 16
GAP = 10
THUMB = 112
Action = Literal["copy", "regenerate", "sources", "receipt", "cite", "code", "reasoning", "picture"]
BUTTONS: tuple[tuple[Action, str], ...] = (
    ("copy", "Copy"),
    ("regenerate", "Regenerate"),
    ("sources", "Sources"),
    ("receipt", "Route receipt"),
)


@dataclass(frozen=True, slots=True)
class Zone:
    """Something that can be clicked in a row. ``number`` is the citation's, the segment's or the picture's."""

    action: Action
    rect: QRectF
    label: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line in words that is not part of the answer: a seam, a state, an error, a warning."""

    kind: Literal["seam", "state", "error", "warning"]
    text: str
    rect: QRectF = field(default_factory=QRectF)


class Row:
    """The laid-out message. ``body`` and ``thoughts`` are its segments; ``seams`` are each behind a block's number.

    ``thumbs`` are its pictures small, once they are there; their places are there from the beginning.

    A seam at -1 stands before the text: the answer was begun anew.
    """

    def __init__(self, record: MessageRecord, style: SegmentStyle, seams: Sequence[tuple[int, Seam]] = ()) -> None:
        self.record = record
        self.style = _style_for(record, style)
        self.seams = list(seams)
        self.thumbs: Sequence[QImage] = ()
        self.show_thoughts = False
        self.thoughts: list[Segment] = []
        self.body: list[Segment] = []
        self.zones: list[Zone] = []
        self.lines: list[Line] = []
        self.bubble = QRectF()
        self.head = QRectF()
        self.foot = QRectF()
        self.thoughts_rect = QRectF()
        self.height = 0
        self._column = (-1.0, -1.0)
        self.rebuild()

    @property
    def is_user(self) -> bool:
        """Whether the person wrote it."""
        return self.record.role == "user"

    @property
    def segments(self) -> list[Segment]:
        """What is shown and can be selected, in reading order."""
        return [*(self.thoughts if self.show_thoughts else ()), *self.body]

    @property
    def has_buttons(self) -> bool:
        """Whether Copy, Regenerate, Sources and Route receipt are offered."""
        return not self.is_user and self.record.state != "streaming"

    def rebuild(self) -> None:
        """Makes the segments from the whole record."""
        if self.is_user:
            self.body = [PlainSegment(self.record.content, self.style)]
        else:
            self.body = [Segment(block, self.style) for block in parse(self.record.content)]
        self._think()
        self.invalidate()

    def _think(self) -> None:
        blocks = parse(self.record.reasoning) if self.show_thoughts and self.record.reasoning else []
        self.thoughts = [Segment(block, replace(self.style, is_dim=True)) for block in blocks]

    def toggle_thoughts(self) -> None:
        """Shows or hides the model's reasoning."""
        self.show_thoughts = not self.show_thoughts
        self._think()
        self.invalidate()

    def change(self, record: MessageRecord) -> None:
        """Takes another state of the message without building its text again."""
        thinks = record.reasoning != self.record.reasoning
        self.record = record
        if thinks:
            self._think()
        self.invalidate()

    def show_blocks(self, kept: int, blocks: Sequence[Block]) -> None:
        """Keeps the first ``kept`` segments and shows ``blocks`` after them, re-using documents of the same kind."""
        old = self.body[kept:]
        self.body = self.body[:kept]
        for place, block in enumerate(blocks):
            if place < len(old) and old[place].kind == block.kind:
                old[place].update(block)
                self.body.append(old[place])
            else:
                self.body.append(Segment(block, self.style))
        self.invalidate()

    def invalidate(self) -> None:
        """Makes the next ``lay_out`` do its work."""
        self._column = (-1.0, -1.0)

    def lay_out(self, left: float, width: float) -> int:
        """Places everything in a column at ``left`` and returns the row's height."""
        if self._column == (left, width):
            return self.height
        self._column = (left, width)
        self.zones, self.lines = [], []
        bottom = self._lay_out_bubble(left, width) if self.is_user else self._lay_out_answer(left, width)
        self.height = round(bottom)
        return self.height

    def _lay_out_bubble(self, left: float, width: float) -> float:
        segment = self.body[0]
        assert isinstance(segment, PlainSegment)
        room = width * 0.76 - 2 * BUBBLE_PAD
        step, count = THUMB + GAP, len(self.record.pictures)
        across = max(1, min(count, int((room + GAP) // step)))
        wide = max(segment.natural_width(room), across * step - GAP if count else 0)
        x = left + width - wide - 2 * BUBBLE_PAD
        y = 12.0
        for n, name in enumerate(self.record.pictures):
            corner = QRectF(x + BUBBLE_PAD + n % across * step, y + n // across * step, THUMB, THUMB)
            self.zones.append(Zone("picture", corner, wording.picture_label(name), n))
        y += math.ceil(count / across) * step
        height = segment.place(x + BUBBLE_PAD, y, wide)
        self.bubble = QRectF(x, 0, wide + 2 * BUBBLE_PAD, y + height + 6)
        return self.bubble.bottom() + 26

    def _lay_out_answer(self, left: float, width: float) -> float:
        self.head = QRectF(left, 0, width, 30)
        x, wide = left + INDENT, width - INDENT
        y = self._place_thoughts(x, wide, 34.0)
        y = self._place_seams(-1, x, wide, y)
        y = self._place_body(x, wide, y)
        for line in wording.state_lines(self.record, has_text=bool(self.body)):
            y = self._place_line(Line(line.kind, line.text), x, wide, y)
        for words in () if self.seams else wording.stored_seams(self.record):
            y = self._place_line(Line("seam", words), x, wide, y)
        y = self._place_chips(x, wide, y)
        return self._place_buttons(x, wide, y) + 24

    def _place_thoughts(self, x: float, wide: float, y: float) -> float:
        self.thoughts_rect = QRectF()
        if not self.record.reasoning:
            return y
        label = "Hide the reasoning" if self.show_thoughts else "Show the reasoning"
        self.zones.append(Zone("reasoning", QRectF(x, y, self._advance(label, 12) + 26, 24), label))
        y += 28
        top = y
        for segment in self.thoughts if self.show_thoughts else ():
            y += segment.place(x + 14, y, wide - 14) + 4
        self.thoughts_rect = QRectF(x, top, wide, y - top)
        return y + (6 if y > top else 0)

    def _place_body(self, x: float, wide: float, y: float) -> float:
        for number, segment in enumerate(self.body):
            is_card = segment.kind in ("code", "table")
            y += 4 if is_card else 0
            y += segment.place(x, y, wide) + (GAP if is_card else 6)
            if segment.kind == "code":
                rect = QRectF(segment.rect.right() - 84, segment.rect.top(), 80, CODE_HEAD)
                self.zones.append(Zone("code", rect, "Copy code", number))
            y = self._place_seams(number, x, wide, y)
        return y

    def _place_seams(self, number: int, x: float, wide: float, y: float) -> float:
        for at, seam in self.seams:
            if at == number:
                y = self._place_line(Line("seam", wording.seam(seam)), x, wide, y)
        return y

    def _place_line(self, line: Line, x: float, wide: float, y: float) -> float:
        pad = 12 if line.kind == "error" else 4
        room = wide - 26 - 2 * pad
        bounds = QFontMetricsF(self.font(13)).boundingRect(QRectF(0, 0, room, 10_000), 0x1000, line.text)
        height = bounds.height() + 2 * pad
        self.lines.append(replace(line, rect=QRectF(x, y, wide, height)))
        return y + height + 8

    def _place_chips(self, x: float, wide: float, y: float) -> float:
        if not self.record.citations:
            return y
        at, y = x, y + 2
        for citation in wording.named(self.record):
            width = min(wide, self._chip_width(citation))
            if at > x and at + width > x + wide:
                at, y = x, y + 34
            self.zones.append(Zone("cite", QRectF(at, y, width, 28), wording.chip_label(citation), citation.n))
            at += width + 8
        return y + 38

    def _chip_width(self, citation: Citation) -> float:
        name, where = wording.chip(citation)
        wide = self._advance(name, 12, QFont.Weight.Medium)
        return 33 + wide + (8 + self._advance(where, 12, QFont.Weight.Medium) if where else 0) + 14

    def _place_buttons(self, x: float, wide: float, y: float) -> float:
        if not self.has_buttons:
            return y
        for place, (action, label) in enumerate(BUTTONS):
            self.zones.append(Zone(action, QRectF(x - 6 + place * 30, y, 28, 26), label))
        self.foot = QRectF(x + 124, y, wide - 124, 26)
        return y + 28

    def font(self, px: float, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
        """Returns the text font at ``px`` times the text scale."""
        return text_font(px * self.style.scale, weight)

    def _advance(self, text: str, px: float, weight: QFont.Weight = QFont.Weight.Normal) -> float:
        return QFontMetricsF(self.font(px, weight)).horizontalAdvance(text)

    def zone(self, action: Action) -> Zone | None:
        """Returns the first zone of an action."""
        return next((zone for zone in self.zones if zone.action == action), None)


def buttons(zones: Iterable[Zone]) -> list[Zone]:
    """Returns the four action buttons among ``zones``."""
    names = [action for action, _ in BUTTONS]
    return [zone for zone in zones if zone.action in names]


def _style_for(record: MessageRecord, style: SegmentStyle) -> SegmentStyle:
    """The style with what it has of a message: which citations are links, which statements are doubtful."""
    quality = record.evidence.quality
    return replace(
        style,
        citations=frozenset(citation.n for citation in record.citations),
        doubtful=quality.unsupported if quality is not None else (),
    )
