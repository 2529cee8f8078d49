"""The messages of a transcript with their rows: which are laid out, how high each is or is guessed to be.

It knows no scroll bar and paints nothing; the transcript asks it for rows in a column of a given width.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from vpa_desktop.ui.chat.heights import Heights, guess_height
from vpa_desktop.ui.chat.live import LiveAnswer
from vpa_desktop.ui.chat.rows import THUMB, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QImage

    from vpa_desktop.messages import Seam
    from vpa_desktop.records import MessageRecord
    from vpa_desktop.ui.chat.segments import SegmentStyle

KEPT_ROWS = 120
LINE_PX = 23


class Flow:
    """Messages in order, their heights, and the rows that were laid out lately."""

    def __init__(self, style: SegmentStyle) -> None:
        self.style = style
        self.messages: list[MessageRecord] = []
        self.numbers: dict[str, int] = {}
        self.heights = Heights()
        self.live: dict[str, LiveAnswer] = {}
        self.column = (0.0, 760.0)
        self.laid_out: OrderedDict[int, Row] = OrderedDict()
        self.thumbs: dict[str, Sequence[QImage]] = {}
        self._seams: dict[str, list[tuple[int, Seam]]] = {}
        self._open_thoughts: set[str] = set()

    def show(self, messages: Sequence[MessageRecord]) -> None:
        """Takes another conversation and forgets everything about the last one."""
        self.live.clear()
        self._seams.clear()
        self.thumbs.clear()
        self._open_thoughts.clear()
        self.messages = list(messages)
        self.numbers = {record.id: number for number, record in enumerate(self.messages)}
        self.measure_again()

    def measure_again(self) -> None:
        """Throws the rows away and guesses all heights: the style has changed."""
        self.laid_out.clear()
        self.heights = Heights(self._guess(record) for record in self.messages)
        for message_id, live in self.live.items():
            live.shown_stable = 0
            live.show(self.row(self.numbers[message_id]))

    def add(self, record: MessageRecord) -> None:
        """Adds a message at the end."""
        self.numbers[record.id] = len(self.messages)
        self.messages.append(record)
        self.heights.append(self._guess(record))

    def replace(self, record: MessageRecord) -> int:
        """Takes another state of a message, builds its row anew, and returns its number."""
        number = self.numbers[record.id]
        self.messages[number] = record
        self.laid_out.pop(number, None)
        live = self.live.get(record.id)
        if live is not None:
            live.shown_stable = 0
            live.show(self.row(number))
        return number

    def row(self, number: int) -> Row:
        """Returns the laid-out row of a message."""
        row = self.laid_out.get(number)
        if row is None:
            row = self.laid_out[number] = self._make_row(self.messages[number])
            self._drop_rows(number)
        else:
            self.laid_out.move_to_end(number)
        row.lay_out(*self.column)
        return row

    def take_pieces(self) -> list[int]:
        """Shows the pieces that wait, and returns the numbers of the messages that grew."""
        grown = []
        for message_id, live in self.live.items():
            if not live.pieces and not live.thoughts:
                continue
            number = self.numbers[message_id]
            row = self.row(number)
            self.messages[number] = live.take(self.messages[number])
            row.change(self.messages[number])
            live.show(row)
            grown.append(number)
        return grown

    def add_seam(self, message_id: str, seam: Seam) -> int:
        """Puts a seam after the block being written, or begins the answer anew; returns the message's number."""
        number = self.numbers[message_id]
        if seam.restarts:
            self.live[message_id] = LiveAnswer()
            self._seams[message_id] = [(-1, seam)]
            return self.replace(replace(self.messages[number], content="", reasoning=""))
        self._seams.setdefault(message_id, []).append((self.live[message_id].last_block, seam))
        row = self.row(number)
        row.seams = list(self._seams[message_id])
        row.invalidate()
        return number

    def toggle_reasoning(self, number: int) -> None:
        """Shows or hides the reasoning of an answer."""
        row = self.row(number)
        row.toggle_thoughts()
        change = self._open_thoughts.add if row.show_thoughts else self._open_thoughts.discard
        change(row.record.id)

    def settle_height(self, number: int) -> int:
        """Makes the height of a row exact, and returns by how much it changed."""
        change = self.row(number).height - self.heights[number]
        if change:
            self.heights[number] += change
        return change

    def restyle(self, **changes: object) -> None:
        """Changes the style of all rows."""
        self.style = replace(self.style, **changes)  # type: ignore[arg-type]
        self.measure_again()

    def _make_row(self, record: MessageRecord) -> Row:
        row = Row(record, self.style, self._seams.get(record.id, ()))
        row.thumbs = self.thumbs.get(record.id, ())
        if record.id in self._open_thoughts:
            row.toggle_thoughts()
        return row

    def show_thumbs(self, message_id: str, thumbs: Sequence[QImage]) -> None:
        """Gives a message its pictures, small; a message that is not here any more takes none."""
        number = self.numbers.get(message_id)
        if number is None:
            return
        self.thumbs[message_id] = thumbs
        if (row := self.laid_out.get(number)) is not None:
            row.thumbs = thumbs

    def _drop_rows(self, needed: int) -> None:
        kept = {needed, *(self.numbers[message_id] for message_id in self.live)}
        for number in list(self.laid_out):
            if len(self.laid_out) <= KEPT_ROWS:
                return
            if number not in kept:
                del self.laid_out[number]

    def _guess(self, record: MessageRecord) -> int:
        pictures = THUMB if record.pictures else 0
        return pictures + guess_height(record.content, int(self.column[1]), round(LINE_PX * self.style.scale))
