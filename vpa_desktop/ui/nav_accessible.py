"""What a screen reader sees of a NavBar: a list of page tabs under the bar's own name, each with a press action.

Qt's own description of a tab bar takes the current tab's text as the bar's name, so that a search by name would
find the bar in the place of the tab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRect
from PySide6.QtGui import QAccessible, QAccessibleActionInterface, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget, QWidget

from vpa_desktop.ui.painted_control import PaintedControl

if TYPE_CHECKING:
    from vpa_desktop.ui.nav import NavBar

_is_installed = False
_bars: dict[int, BarInterface] = {}


def install() -> None:
    """Tells Qt how to describe navigation bars; doing it again changes nothing."""
    global _is_installed
    if not _is_installed:
        QAccessible.installFactory(_factory)
        _is_installed = True


def _factory(name: str, thing: QObject) -> QAccessibleInterface | None:
    from vpa_desktop.ui.nav import NavBar

    if not isinstance(thing, NavBar):
        return None
    key = id(thing)
    _bars[key] = BarInterface(thing)
    thing.destroyed.connect(lambda: _drop(key))
    return _bars[key]


def _drop(key: int) -> None:
    gone = _bars.pop(key, None)
    if gone is not None:
        gone.clear()


class BarInterface(QAccessibleWidget):
    """The bar: a page tab list."""

    def __init__(self, bar: NavBar) -> None:
        super().__init__(bar, QAccessible.Role.PageTabList, bar.accessibleName())
        self._bar = bar
        self._tabs: list[TabInterface] = []
        self._ground = QWidget(bar)
        self._ground.hide()

    def clear(self) -> None:
        """Deletes the tabs' interfaces."""
        tabs, self._tabs = self._tabs, []
        for tab in tabs:
            tab.delete()

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.PageTabList

    def text(self, kind: QAccessible.Text) -> str:
        return self._bar.accessibleName() if kind == QAccessible.Text.Name else ""

    def childCount(self) -> int:
        return self._bar.count()

    def child(self, index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        if not 0 <= index < self._bar.count():
            return None
        while len(self._tabs) <= index:
            self._tabs.append(TabInterface(self._bar, self, self._ground, len(self._tabs)))
        return self._tabs[index]

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return child.index if isinstance(child, TabInterface) else -1

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        found = (self.child(index) for index in range(self._bar.count()))
        return next((tab for tab in found if tab is not None and tab.rect().contains(x, y)), None)

    def focusChild(self) -> QAccessibleInterface | None:  # type: ignore[override]
        return self.child(self._bar.currentIndex()) if self._bar.hasFocus() else None


class TabInterface(PaintedControl):
    """One tab; pressing it from outside opens its page."""

    def __init__(self, bar: NavBar, parent: BarInterface, ground: QWidget, index: int) -> None:
        super().__init__(bar, ground, QAccessible.Role.PageTab, bar.tabText(index))
        self.index = index
        self._bar = bar
        self._parent = parent

    def isValid(self) -> bool:
        return self.index < self._bar.count()

    def parent(self) -> QAccessibleInterface:
        return self._parent

    def text(self, kind: QAccessible.Text) -> str:
        return self._bar.tabText(self.index) if kind == QAccessible.Text.Name else ""

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        state.focusable = True
        state.selectable = True
        state.selected = self._bar.currentIndex() == self.index
        state.focused = state.selected and self._bar.hasFocus()
        return state

    def rect(self) -> QRect:
        place = self._bar.tabRect(self.index)
        return QRect(self._bar.mapToGlobal(place.topLeft()), place.size())

    def doAction(self, name: str) -> None:
        """Opens the page."""
        if name == QAccessibleActionInterface.pressAction():
            self._bar.setCurrentIndex(self.index)
