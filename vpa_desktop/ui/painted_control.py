"""What a screen reader sees of a control that is painted and no widget: a leaf with a name, a place and one action.

Overriding ``interface_cast`` in Python crashes (PySide 6.11), so such an interface is a ``QAccessibleWidget`` over one
hidden widget: that brings the action interface, and everything else is answered here.
"""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleActionInterface, QAccessibleInterface, QColor, QWindow
from PySide6.QtWidgets import QAccessibleWidget, QWidget

Relations = list[tuple[QAccessibleInterface, QAccessible.RelationFlag]]


class PaintedControl(QAccessibleWidget):
    """The base: subclasses say their parent, name, state, place and what pressing does."""

    def __init__(self, owner: QWidget, ground: QWidget, role: QAccessible.Role, name: str) -> None:
        super().__init__(ground, role, name)
        self._owner = owner
        self._role = role
        self._id = QAccessible.registerAccessibleInterface(self)

    def delete(self) -> None:
        """Takes the control out of Qt's registry."""
        QAccessible.deleteAccessibleInterface(self._id)

    def object(self) -> QObject | None:  # type: ignore[override]
        return None

    def window(self) -> QWindow:
        return self._owner.window().windowHandle()

    def childCount(self) -> int:
        return 0

    def child(self, index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return None

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return None

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return -1

    def focusChild(self) -> QAccessibleInterface | None:  # type: ignore[override]
        return None

    def relations(self, match: QAccessible.RelationFlag = QAccessible.RelationFlag.AllRelations) -> Relations:
        return []

    def role(self) -> QAccessible.Role:
        return self._role

    def setText(self, kind: QAccessible.Text, text: str) -> None:
        """Does nothing: the name is fixed."""

    def foregroundColor(self) -> QColor:
        return self._owner.palette().text().color()

    def backgroundColor(self) -> QColor:
        return self._owner.palette().base().color()

    def actionNames(self) -> list[str]:
        return [QAccessibleActionInterface.pressAction()]
