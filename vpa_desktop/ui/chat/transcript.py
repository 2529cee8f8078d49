"""The conversation as a list of messages: only what shows is laid out, and a streaming answer grows in place.

It opens no link, loads no picture and asks nobody: what a person does here comes out as signals. Mouse and keys
are in ``gestures``, layout in ``rows``, painting in ``painting``, the screen reader's view in ``accessible``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from vpa_desktop.ui.announcing import announce
from vpa_desktop.ui.chat import accessible, wording
from vpa_desktop.ui.chat.flow import Flow
from vpa_desktop.ui.chat.gestures import Gestures
from vpa_desktop.ui.chat.live import LiveAnswer, Pulse
from vpa_desktop.ui.chat.painting import RowPainter, RowState, paint_empty
from vpa_desktop.ui.chat.segments import SegmentStyle
from vpa_desktop.ui.chat.selection import Selection
from vpa_desktop.ui.theme import LIGHT, Theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.messages import Citation, Seam
    from vpa_desktop.records import MessageRecord
    from vpa_desktop.ui.chat.heights import Heights
    from vpa_desktop.ui.chat.rows import Row, Zone

COLUMN = 760
SIDE = 24
TOP = 20
BOTTOM = 8
FLASH_MS = 1_500


class Transcript(QAbstractScrollArea):
    """Shows the messages of one conversation; see the module's text."""

    link_activated = Signal(str)
    copy_requested = Signal(str)
    regenerate_requested = Signal(str)
    sources_requested = Signal(str)
    receipt_requested = Signal(str)
    citation_clicked = Signal(str, int)
    code_copied = Signal(str)
    thumbs_wanted = Signal(str)
    picture_clicked = Signal(str, int)

    def __init__(self, parent: QWidget | None = None, theme: Theme = LIGHT) -> None:
        super().__init__(parent)
        accessible.install()
        self.flow = Flow(SegmentStyle(theme))
        self.selection = Selection()
        self.current = -1
        self.flashed: Zone | None = None
        self._empty_text = ""
        self._sticks = True
        self._adjusting = False
        self.pulse = Pulse(self._show_pieces, self)
        self.gestures = Gestures(self)
        self._unflash = QTimer(self, singleShot=True, interval=FLASH_MS)
        self._unflash.timeout.connect(lambda: self.flash(None))
        self._prepare()

    def _prepare(self) -> None:
        self.setAccessibleName("Transcript")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(280)
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.verticalScrollBar().setSingleStep(40)
        self.verticalScrollBar().valueChanged.connect(self._value_changed)

    # --- content -----------------------------------------------------------------------------------------------

    def set_messages(self, messages: Sequence[MessageRecord]) -> None:
        """Shows another conversation, at its end. An answer that streams is resumed with ``begin_answer``."""
        self.pulse.stop()
        accessible.forget(self)
        self.flow.show(messages)
        self.selection.clear()
        self.gestures.reset()
        self.current = -1
        self._sticks = True
        self._fit_range()
        self.viewport().update()

    def append(self, record: MessageRecord) -> None:
        """Adds a message at the end, or shows its new state where it is already there."""
        if record.id in self.flow.numbers:
            self._grown(self.flow.replace(record))
            return
        self.flow.add(record)
        if record.role == "user":
            self._sticks = True
        self._fit_range()
        self.viewport().update()

    def begin_answer(self, record: MessageRecord) -> None:
        """Adds an answer that is about to stream; text it already has is shown."""
        self.append(replace(record, content="", reasoning="", state="streaming"))
        self.flow.live[record.id] = LiveAnswer()
        self.feed(record.id, record.content)
        self.feed_reasoning(record.id, record.reasoning)

    def feed(self, message_id: str, text: str) -> None:
        """Adds a piece of the answer's text; a message that does not stream takes none."""
        live = self.flow.live.get(message_id)
        if live is not None and text:
            live.pieces.append(text)
            self.pulse.wake()

    def feed_reasoning(self, message_id: str, text: str) -> None:
        """Adds a piece of the model's reasoning."""
        live = self.flow.live.get(message_id)
        if live is not None and text:
            live.thoughts.append(text)
            self.pulse.wake()

    def flush(self) -> None:
        """Shows at once what has been fed."""
        self.pulse.beat()

    def set_citations(self, message_id: str, citations: Sequence[Citation]) -> None:
        """Gives an answer its sources: chips under it, and links on the marks in its text."""
        number = self.flow.numbers.get(message_id)
        if number is not None:
            self.flush()
            self._grown(self.flow.replace(replace(self.messages[number], citations=tuple(citations))))

    def add_seam(self, message_id: str, seam: Seam) -> None:
        """Marks that another provider goes on after the block that is being written."""
        if message_id in self.flow.live:
            self.flush()
            self._grown(self.flow.add_seam(message_id, seam))

    def finish_answer(self, record: MessageRecord) -> None:
        """Shows the final state of an answer and announces it to screen readers."""
        self.flush()
        self.flow.live.pop(record.id, None)
        self.append(record)
        announce(self, wording.spoken(record)[:400])

    def show_thumbs(self, message_id: str, thumbs: Sequence[QImage]) -> None:
        """Shows a message's pictures in their places."""
        self.flow.show_thumbs(message_id, thumbs)
        self.viewport().update()

    def set_theme(self, theme: Theme) -> None:
        """Changes the colours."""
        self._restyle(theme=theme)

    def set_text_scale(self, scale: float) -> None:
        """Makes all text ``scale`` times its normal size (0.7 to 3)."""
        self._restyle(scale=min(3.0, max(0.7, scale)))

    def set_empty_text(self, text: str) -> None:
        """Sets what is shown while there is no message; its first line is the heading."""
        self._empty_text = text
        self.viewport().update()

    @property
    def empty_text(self) -> str:
        """What is shown while there is no message."""
        return self._empty_text

    def selected_text(self) -> str:
        """Returns the selected text."""
        return self.selection.text(self.messages, self.row)

    # --- rows and scrolling ------------------------------------------------------------------------------------

    @property
    def messages(self) -> list[MessageRecord]:
        """The messages, in order."""
        return self.flow.messages

    @property
    def heights(self) -> Heights:
        """The heights of the rows; exact for what was shown."""
        return self.flow.heights

    def row(self, number: int) -> Row:
        """Returns the laid-out row of a message."""
        self.flow.column = self.column()
        return self.flow.row(number)

    def column(self) -> tuple[float, float]:
        """Returns the left edge and the width of the reading column."""
        room = self.viewport().width()
        width = max(200, min(COLUMN, room - 2 * SIDE))
        return (room - width) // 2, width

    def row_top(self, number: int) -> int:
        """Returns where a row begins in the viewport, in pixels."""
        return TOP + self.heights.top(number) - self.verticalScrollBar().value()

    def row_at(self, y: float) -> tuple[int, float]:
        """Returns the number of the row at a height of the viewport, and the distance from its top."""
        number, rest = self.heights.find(int(y) + self.verticalScrollBar().value() - TOP)
        return number, rest

    def visible_rows(self) -> list[tuple[int, Row]]:
        """Returns the rows that show, measured; the heights of what is on screen are exact afterwards."""
        shown: list[tuple[int, Row]] = []
        for _ in range(8):
            shown, is_settled = self._measure_visible()
            if is_settled:
                break
        return shown

    def toggle_reasoning(self, number: int) -> None:
        """Shows or hides the reasoning of an answer."""
        self.flow.toggle_reasoning(number)
        self._grown(number)

    def make_current(self, number: int) -> None:
        """Makes a message the current one of the keyboard and brings it into view."""
        if not 0 <= number < len(self.messages):
            return
        self.current = number
        self._bring_into_view(number)
        self.viewport().update()
        event = QAccessibleEvent(self, QAccessible.Event.Focus)
        event.setChild(number)
        QAccessible.updateAccessibility(event)

    def scroll_to_end(self) -> None:
        """Goes to the end and stays there while an answer grows."""
        self._sticks = True
        self._fit_range()
        self.viewport().update()

    @property
    def is_at_end(self) -> bool:
        """Whether the end shows, so that a growing answer scrolls along."""
        return self._sticks

    def flash(self, zone: Zone | None) -> None:
        """Shows for a moment that a copy button has done its work."""
        self.flashed = zone
        if zone is not None:
            self._unflash.start()
        self.viewport().update()

    def _show_pieces(self) -> None:
        for number in self.flow.take_pieces():
            self._grown(number)

    def _restyle(self, **changes: object) -> None:
        self.flow.column = self.column()
        self.flow.restyle(**changes)
        self._fit_range()
        self.viewport().update()

    def _grown(self, number: int) -> None:
        if self.flow.settle_height(number):
            self._fit_range()
        self.viewport().update()

    def _measure_visible(self) -> tuple[list[tuple[int, Row]], bool]:
        if not self.messages:
            return [], True
        self.flow.column = self.column()
        first, rest = self.row_at(0)
        y, number, shown, is_settled = self.row_top(first), first, [], True
        while number < len(self.messages) and y < self.viewport().height():
            change = self.flow.settle_height(number)
            row = self.flow.row(number)
            if change:
                is_settled = False
                # A row that begins above the window keeps its lower edge where it is, so that what is read stays put.
                rest += change if number == first and rest > 0 else 0
            shown.append((number, row))
            y += row.height
            number += 1
        if not is_settled:
            self._fit_range(TOP + self.heights.top(first) + max(0, int(rest)) if rest or first else None)
        return shown, is_settled

    def _fit_range(self, value: int | None = None) -> None:
        bar, room = self.verticalScrollBar(), self.viewport().height()
        total = TOP + self.heights.total + BOTTOM if self.messages else 0
        self._adjusting = True
        bar.setPageStep(room)
        bar.setRange(0, max(0, total - room))
        if self._sticks:
            bar.setValue(bar.maximum())
        elif value is not None:
            bar.setValue(value)
        self._adjusting = False

    def _value_changed(self, value: int) -> None:
        if not self._adjusting:
            self._sticks = value >= self.verticalScrollBar().maximum() - 4

    def _bring_into_view(self, number: int) -> None:
        self._grown(number)
        top, height, room = self.row_top(number), self.heights[number], self.viewport().height()
        bar = self.verticalScrollBar()
        if top < 8 or height > room:
            bar.setValue(bar.value() + top - 12)
        elif top + height > room:
            bar.setValue(bar.value() + top + height - room + 8)

    # --- painting and events -----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the rows that show, or the empty state."""
        rows = self.visible_rows()
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.viewport().rect(), QColor(self.flow.style.theme.bg))
        if not rows and self._empty_text:
            left, width = self.column()
            area = QRectF(left, 0, width, self.viewport().height())
            paint_empty(painter, self.flow.style.theme, self.flow.style.scale, area, self._empty_text)
        brush = RowPainter(painter, self.flow.style.theme)
        for number, row in rows:
            if row.record.pictures and row.record.id not in self.flow.thumbs:
                self.flow.thumbs[row.record.id] = ()  # asked for once
                self.thumbs_wanted.emit(row.record.id)
            top = self.row_top(number)
            painter.save()
            painter.translate(0, top)
            brush.paint(row, self._row_state(number, row, top))
            painter.restore()
        painter.end()

    def _row_state(self, number: int, row: Row, top: int) -> RowState:
        places = {id(segment): place for place, segment in enumerate(row.segments)}
        is_current = number == self.current and self.hasFocus()
        hot_row, hot = self.gestures.hot
        return RowState(
            clip=QRectF(0, -top, self.viewport().width(), self.viewport().height()),
            palette=self.palette(),
            selection=lambda segment: self.selection.cursor(number, places[id(segment)], segment),
            hot=hot if hot_row == number else None,
            done=self.flashed if self.gestures.acted_row == number else None,
            focused=self.gestures.focused_zone() if is_current else None,
            is_current=is_current,
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fits the scroll bar; rows are laid out again when they show."""
        super().resizeEvent(event)
        self.flow.column = self.column()
        self._fit_range()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Repaints instead of moving pixels."""
        self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begins a selection or a click."""
        self.gestures.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Extends the selection, or shows what is under the mouse."""
        self.gestures.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ends a click."""
        self.gestures.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Selects a word."""
        self.gestures.double_click(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offers to copy."""
        self.gestures.menu(QPointF(event.pos()), event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Moves between messages and acts on the current one."""
        if not self.gestures.key(event):
            super().keyPressEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        """Shows tool tips."""
        if event.type() == QEvent.Type.ToolTip and self.gestures.tool_tip(event):
            return True
        return super().viewportEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Shows the focus ring; the first time on the last message."""
        super().focusInEvent(event)
        by_keyboard = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if self.messages and self.current < 0 and by_keyboard:
            self.make_current(len(self.messages) - 1)
        self.viewport().update()
