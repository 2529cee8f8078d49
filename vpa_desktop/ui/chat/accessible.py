"""What a screen reader sees of a transcript: a list, an item for each message, its buttons with a press action.

The buttons are painted, not widgets: see ``ui.painted_control``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QRect
from PySide6.QtGui import (
    QAccessible,
    QAccessibleActionInterface,
    QAccessibleInterface,
    QAccessibleObject,
    QColor,
    QWindow,
)
from PySide6.QtWidgets import QWidget

from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.rows import BUTTONS, Action
from vpa_desktop.ui.painted_control import PaintedControl, Relations

if TYPE_CHECKING:
    from vpa_desktop.ui.chat.transcript import Transcript

_is_installed = False
_lists: dict[int, MessageList] = {}


def install() -> None:
    """Tells Qt how to describe transcripts; doing it again changes nothing."""
    global _is_installed
    if not _is_installed:
        QAccessible.installFactory(_factory)
        _is_installed = True


def forget(view: Transcript) -> None:
    """Drops the items of a transcript whose messages change."""
    known = _lists.get(id(view))
    if known is not None:
        known.clear()


def _factory(name: str, thing: QObject) -> QAccessibleInterface | None:
    from vpa_desktop.ui.chat.transcript import Transcript

    if not isinstance(thing, Transcript):
        return None
    key = id(thing)
    _lists[key] = MessageList(thing)
    thing.destroyed.connect(lambda: _drop(key))
    return _lists[key]


def _drop(key: int) -> None:
    gone = _lists.pop(key, None)
    if gone is not None:
        gone.clear()


class MessageList(QAccessibleObject):
    """The list named Transcript."""

    def __init__(self, view: Transcript) -> None:
        super().__init__(view)
        self._view = view
        self._items: dict[int, MessageItem] = {}
        self.ground = QWidget(view)
        self.ground.hide()

    def clear(self) -> None:
        """Deletes the items and their buttons."""
        items, self._items = self._items, {}
        for item in items.values():
            item.delete()

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.List

    def text(self, kind: QAccessible.Text) -> str:
        if kind == QAccessible.Text.Name:
            return self._view.accessibleName()
        empty = kind == QAccessible.Text.Description and not self._view.messages
        return self._view.empty_text if empty else ""

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        state.focusable = True
        state.focused = self._view.hasFocus()
        return state

    def parent(self) -> QAccessibleInterface:
        return QAccessible.queryAccessibleInterface(self._view.parentWidget() or self._view.window())

    def childCount(self) -> int:
        return len(self._view.messages)

    def child(self, index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        if not 0 <= index < len(self._view.messages):
            return None
        if index not in self._items:
            self._items[index] = MessageItem(self._view, self, index)
        return self._items[index]

    def focusChild(self) -> QAccessibleInterface | None:  # type: ignore[override]
        return self.child(self._view.current) if self._view.hasFocus() else None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return child.number if isinstance(child, MessageItem) else -1

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        number, _ = self._view.row_at(self._view.viewport().mapFromGlobal(QPoint(x, y)).y())
        return self.child(number)

    def rect(self) -> QRect:
        return QRect(self._view.mapToGlobal(QPoint(0, 0)), self._view.size())

    def window(self) -> QWindow:
        return self._view.window().windowHandle()

    def foregroundColor(self) -> QColor:
        return self._view.palette().text().color()

    def backgroundColor(self) -> QColor:
        return self._view.palette().base().color()

    def relations(self, match: QAccessible.RelationFlag = QAccessible.RelationFlag.AllRelations) -> Relations:
        return []


class MessageItem(QAccessibleInterface):
    """One message; its children are the buttons of an answer."""

    def __init__(self, view: Transcript, messages: MessageList, number: int) -> None:
        super().__init__()
        self.number = number
        self._view = view
        self._list = messages
        self._buttons: list[ActionButton] = []
        self._id = QAccessible.registerAccessibleInterface(self)

    def delete(self) -> None:
        """Takes the item and its buttons out of Qt's registry."""
        buttons, self._buttons = self._buttons, []
        for button in buttons:
            button.delete()
        QAccessible.deleteAccessibleInterface(self._id)

    def _made_buttons(self) -> list[ActionButton]:
        if not self._buttons:
            self._buttons = [ActionButton(self._view, self, self._list.ground, *each) for each in BUTTONS]
        return self._buttons

    def isValid(self) -> bool:
        return self.number < len(self._view.messages)

    def object(self) -> QObject | None:  # type: ignore[override]
        return None

    def window(self) -> QWindow:
        return self._view.window().windowHandle()

    def parent(self) -> QAccessibleInterface:
        return QAccessible.queryAccessibleInterface(self._view)

    def childCount(self) -> int:
        if not self.isValid():
            return 0
        record = self._view.messages[self.number]
        return len(BUTTONS) if record.role == "assistant" and record.state != "streaming" else 0

    def child(self, index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return self._made_buttons()[index] if 0 <= index < self.childCount() else None

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        hit = (button for button in self._made_buttons()[: self.childCount()] if button.rect().contains(x, y))
        return next(hit, None)

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return self._buttons.index(child) if isinstance(child, ActionButton) and child in self._buttons else -1

    def relations(self, match: QAccessible.RelationFlag = QAccessible.RelationFlag.AllRelations) -> Relations:
        return []

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.ListItem

    def text(self, kind: QAccessible.Text) -> str:
        is_name = kind == QAccessible.Text.Name and self.isValid()
        return wording.spoken(self._view.messages[self.number]) if is_name else ""

    def setText(self, kind: QAccessible.Text, text: str) -> None:
        """Does nothing: a message cannot be edited here."""

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        state.focusable = True
        state.focused = self._view.hasFocus() and self._view.current == self.number
        top = self._view.row_top(self.number) if self.isValid() else 0
        state.offscreen = not -self._height() < top < self._view.viewport().height()
        return state

    def _height(self) -> int:
        return self._view.heights[self.number] if self.isValid() else 0

    def rect(self) -> QRect:
        top = self._view.row_top(self.number) if self.isValid() else 0
        corner = self._view.viewport().mapToGlobal(QPoint(0, top))
        return QRect(corner.x(), corner.y(), self._view.viewport().width(), self._height())

    def foregroundColor(self) -> QColor:
        return self._view.palette().text().color()

    def backgroundColor(self) -> QColor:
        return self._view.palette().base().color()


class ActionButton(PaintedControl):
    """One painted button of an answer, which can be pressed from outside."""

    def __init__(self, view: Transcript, item: MessageItem, ground: QWidget, action: Action, label: str) -> None:
        super().__init__(view, ground, QAccessible.Role.Button, label)
        self._view = view
        self._item = item
        self._action: Action = action
        self._label = label

    def isValid(self) -> bool:
        return self._item.isValid()

    def parent(self) -> QAccessibleInterface:
        return self._item

    def text(self, kind: QAccessible.Text) -> str:
        return self._label if kind == QAccessible.Text.Name else ""

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        state.focusable = True
        return state

    def rect(self) -> QRect:
        if not self._item.isValid():
            return QRect()
        zone = self._view.row(self._item.number).zone(self._action)
        if zone is None:
            return QRect()
        place = zone.rect.toRect().translated(0, self._view.row_top(self._item.number))
        return QRect(self._view.viewport().mapToGlobal(place.topLeft()), place.size())

    def doAction(self, name: str) -> None:
        zone = self._view.row(self._item.number).zone(self._action) if self._item.isValid() else None
        if name == QAccessibleActionInterface.pressAction() and zone is not None:
            self._view.gestures.act(self._item.number, zone)

    def keyBindingsForAction(self, name: str) -> list[str]:
        return []
