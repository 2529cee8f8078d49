"""What mouse and keyboard do in a transcript. Keeps what is pressed, hovered and focused; changes no text.

Keys: Up and Down choose a message, Left and Right one of its buttons, Enter presses it (or opens the sources),
C copies the message, R asks again, S shows the sources, T the route receipt, Ctrl+C the selection, Ctrl+A all.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent, QKeyEvent, QKeySequence, QMouseEvent, QTextCursor
from PySide6.QtWidgets import QMenu, QToolTip

from vpa_desktop.ui.chat.selection import THE_END, Place

if TYPE_CHECKING:
    from vpa_desktop.ui.chat.rows import Action, Row, Zone
    from vpa_desktop.ui.chat.segments import Segment
    from vpa_desktop.ui.chat.transcript import Transcript

_KEYS: dict[int, Action] = {
    Qt.Key.Key_C: "copy",
    Qt.Key.Key_R: "regenerate",
    Qt.Key.Key_S: "sources",
    Qt.Key.Key_T: "receipt",
}
_DRAG_PX = 4


class Gestures:
    """The hands of one transcript."""

    def __init__(self, view: Transcript) -> None:
        self._view = view
        self.reset()

    def reset(self) -> None:
        """Forgets everything: another conversation is shown."""
        self.hot: tuple[int, Zone | None] = (-1, None)
        self.acted_row = -1
        self._pressed_at: QPointF | None = None
        self._focus = -1

    # --- mouse ---------------------------------------------------------------------------------------------------

    def press(self, event: QMouseEvent) -> None:
        """Begins a selection or a click with the left button."""
        if event.button() != Qt.MouseButton.LeftButton or not self._view.messages:
            return
        self._pressed_at = event.position()
        place = self._place(event.position())
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and self._view.selection.anchor is not None:
            self._view.selection.extend(place)
        else:
            self._view.selection.start(place)
        self._view.current, self._focus = -1, -1
        self._view.viewport().update()

    def move(self, event: QMouseEvent) -> None:
        """Extends the selection while the button is down; else marks what can be clicked."""
        if not self._view.messages:
            return
        if event.buttons() & Qt.MouseButton.LeftButton and self._pressed_at is not None:
            self._view.selection.extend(self._place(event.position()))
            self._scroll_along(event.position().y())
            self._view.viewport().update()
            return
        number, zone = self._zone(event.position())
        if (number, zone) != self.hot:
            self.hot = (number, zone)
            self._view.viewport().update()
        self._view.viewport().setCursor(self._shape(event.position(), zone))

    def release(self, event: QMouseEvent) -> None:
        """Presses a zone or follows a link when the mouse has not been dragged."""
        start, self._pressed_at = self._pressed_at, None
        if start is None or (event.position() - start).manhattanLength() > _DRAG_PX:
            return
        number, zone = self._zone(event.position())
        if zone is not None:
            self.act(number, zone)
            return
        link, segment = self._link(event.position())
        if link and segment is not None:
            self._follow(number, link, segment)

    def double_click(self, event: QMouseEvent) -> None:
        """Selects the word under the mouse."""
        place = self._place(event.position())
        segments = self._view.row(place.row).segments if self._view.messages else []
        if place.segment >= len(segments):
            return
        cursor = QTextCursor(segments[place.segment].document)
        cursor.setPosition(min(place.position, segments[place.segment].last_position))
        cursor.select(QTextCursor.SelectionType.WordUnderCursor)
        start, end = (Place(place.row, place.segment, at) for at in (cursor.selectionStart(), cursor.selectionEnd()))
        self._view.selection.select(start, end)
        self._view.viewport().update()

    def menu(self, point: QPointF, where: QPoint) -> None:
        """Offers to copy the selection, the message or a link, and to select everything."""
        if not self._view.messages:
            return
        number, _ = self._view.row_at(point.y())
        record = self._view.messages[number]
        link, _segment = self._link(point)
        menu = QMenu(self._view)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        copy = menu.addAction("Copy selection")
        copy.setEnabled(bool(self._view.selection.bounds))
        copy.triggered.connect(self.copy_selection)
        menu.addAction("Copy message").triggered.connect(lambda: self._view.copy_requested.emit(record.id))
        if link and not link.startswith("vpa:"):
            menu.addAction("Copy link").triggered.connect(lambda: _to_clipboard(link))
        menu.addSeparator()
        menu.addAction("Select all").triggered.connect(self.select_all)
        menu.popup(where)

    def tool_tip(self, event: QEvent) -> bool:
        """Shows what a button does, or where a link goes; always as plain text."""
        help_event = cast(QHelpEvent, event)
        point = QPointF(help_event.pos())
        if not self._view.messages:
            return False
        _, zone = self._zone(point)
        link, _segment = self._link(point)
        words = zone.label if zone else "" if link.startswith("vpa:") else link
        if not words:
            QToolTip.hideText()
            return False
        QToolTip.showText(help_event.globalPos(), f"<span>{html.escape(words)}</span>", self._view)
        return True

    # --- keyboard ------------------------------------------------------------------------------------------------

    def key(self, event: QKeyEvent) -> bool:
        """Handles a key; tells whether it was one of ours."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selection()
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
        elif event.modifiers() & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier):
            return False
        else:
            return self._plain_key(event.key())
        return True

    def _plain_key(self, key: int) -> bool:
        view, bar = self._view, self._view.verticalScrollBar()
        if key == Qt.Key.Key_Home:
            bar.setValue(0)
        elif key == Qt.Key.Key_End:
            view.scroll_to_end()
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            bar.setValue(bar.value() + (bar.pageStep() - 60) * (1 if key == Qt.Key.Key_PageDown else -1))
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._step(1 if key == Qt.Key.Key_Down else -1)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._step_zone(1 if key == Qt.Key.Key_Right else -1)
        else:
            return self._act_key(key)
        return True

    def _act_key(self, key: int) -> bool:
        view = self._view
        if not 0 <= view.current < len(view.messages):
            return False
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            zone = self.focused_zone() or view.row(view.current).zone("sources")
        elif key == Qt.Key.Key_C:
            view.copy_requested.emit(view.messages[view.current].id)
            return True
        else:
            zone = view.row(view.current).zone(_KEYS[key]) if key in _KEYS else None
        if zone is not None:
            self.act(view.current, zone)
        return zone is not None

    def _step(self, by: int) -> None:
        view = self._view
        start = view.current if view.current >= 0 else len(view.messages) if by < 0 else -1
        self._focus = -1
        view.make_current(min(max(0, start + by), len(view.messages) - 1))

    def _step_zone(self, by: int) -> None:
        view = self._view
        if not 0 <= view.current < len(view.messages):
            return
        count = len(view.row(view.current).zones)
        self._focus = (self._focus + by) % count if count and self._focus >= 0 else (0 if by > 0 else count - 1)
        view.viewport().update()

    def focused_zone(self) -> Zone | None:
        """Returns the button the keyboard is on."""
        view = self._view
        if not 0 <= view.current < len(view.messages):
            return None
        zones = view.row(view.current).zones
        return zones[self._focus] if 0 <= self._focus < len(zones) else None

    # --- actions -------------------------------------------------------------------------------------------------

    def act(self, number: int, zone: Zone) -> None:
        """Does what a zone stands for."""
        view, record = self._view, self._view.messages[number]
        self.acted_row = number
        if zone.action == "reasoning":
            view.toggle_reasoning(number)
        elif zone.action == "cite":
            view.citation_clicked.emit(record.id, zone.number)
        elif zone.action == "picture":
            view.picture_clicked.emit(record.id, zone.number)
        elif zone.action == "code":
            self._copy_code(view.row(number).body[zone.number].block.code)
            view.flash(zone)
        elif zone.action == "copy":
            view.flash(zone)
            view.copy_requested.emit(record.id)
        elif zone.action == "regenerate":
            view.regenerate_requested.emit(record.id)
        elif zone.action == "sources":
            view.sources_requested.emit(record.id)
        else:
            view.receipt_requested.emit(record.id)

    def copy_selection(self) -> None:
        """Puts the selected text on the clipboard; an empty selection changes nothing."""
        text = self._view.selected_text()
        if text:
            _to_clipboard(text)

    def select_all(self) -> None:
        """Selects all messages."""
        if self._view.messages:
            self._view.selection.select(Place(0), Place(len(self._view.messages) - 1, THE_END))
            self._view.viewport().update()

    def _copy_code(self, code: str) -> None:
        _to_clipboard(code)
        self._view.code_copied.emit(code)

    def _follow(self, number: int, link: str, segment: Segment) -> None:
        kind, _, rest = link.removeprefix("vpa:").partition("/")
        if not link.startswith("vpa:"):
            self._view.link_activated.emit(link)
        elif kind == "cite":
            self._view.citation_clicked.emit(self._view.messages[number].id, int(rest))
        elif kind == "copy" and int(rest) < len(segment.codes):
            self._copy_code(segment.codes[int(rest)])

    # --- where things are ----------------------------------------------------------------------------------------

    def _in_row(self, point: QPointF) -> tuple[int, Row, QPointF]:
        number, rest = self._view.row_at(point.y())
        return number, self._view.row(number), QPointF(point.x(), rest)

    def _zone(self, point: QPointF) -> tuple[int, Zone | None]:
        number, row, inside = self._in_row(point)
        return number, next((zone for zone in row.zones if zone.rect.contains(inside)), None)

    def _link(self, point: QPointF) -> tuple[str, Segment | None]:
        _, row, inside = self._in_row(point)
        for segment in row.segments:
            if segment.rect.contains(inside):
                return segment.link_at(inside), segment
        return "", None

    def _place(self, point: QPointF) -> Place:
        number, row, inside = self._in_row(point)
        segments = row.segments
        for place, segment in enumerate(segments):
            if inside.y() < segment.rect.bottom() or place == len(segments) - 1:
                return Place(number, place, segment.position_at(inside))
        return Place(number)

    def _shape(self, point: QPointF, zone: Zone | None) -> Qt.CursorShape:
        link, segment = self._link(point)
        if zone is not None or link:
            return Qt.CursorShape.PointingHandCursor
        return Qt.CursorShape.IBeamCursor if segment is not None else Qt.CursorShape.ArrowCursor

    def _scroll_along(self, y: float) -> None:
        bar = self._view.verticalScrollBar()
        if y < 0:
            bar.setValue(bar.value() + round(y))
        elif y > self._view.viewport().height():
            bar.setValue(bar.value() + round(y - self._view.viewport().height()))


def _to_clipboard(text: str) -> None:
    QGuiApplication.clipboard().setText(text)
