"""The button that shows and changes which provider and model answers. Choices come from the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QActionGroup

from vpa_desktop.ui.widgets import MenuButton

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import RouteChoice


class ProviderPicker(MenuButton):
    """The pill named "Provider and model"; ``chosen`` tells of a change by the person."""

    chosen = Signal(object)
    add_wanted = Signal()

    def __init__(self) -> None:
        super().__init__("chevron-down", "", " ", size=14)
        self.setAccessibleName(self.tr("Provider and model"))
        self.setToolTip(self.tr("Provider and model (Ctrl+Shift+M)"))
        self.setProperty("pill", True)
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self._choice: RouteChoice | None = None
        self._show()

    @property
    def choice(self) -> RouteChoice | None:
        """The choice in force; None until there are any."""
        return self._choice

    def set_choices(self, choices: Sequence[RouteChoice]) -> None:
        """Offers these choices; the one in force stays if it is among them."""
        kept = next((c for c in choices if self._choice and _key(c) == _key(self._choice)), None)
        self._choice = kept or (choices[0] if choices else None)
        self.choices.clear()
        group = QActionGroup(self.choices)
        for choice in choices:
            self.choices.addAction(self._action(choice, group))
        self.choices.addSeparator()
        add = self.choices.addAction(self.tr("Add a provider…"))
        add.triggered.connect(self.add_wanted)
        self._show()

    def _action(self, choice: RouteChoice, group: QActionGroup) -> QAction:
        label = choice.label.replace("&", "&&")
        note = choice.note or ("" if choice.is_ready else self.tr("not ready"))
        action = QAction(f"{label}   –  {note}".replace("\n", " ") if note else label, self.choices)
        action.setCheckable(True)
        action.setChecked(choice == self._choice)
        action.setActionGroup(group)
        action.setEnabled(choice.is_ready)
        action.triggered.connect(lambda: self._choose(choice))
        return action

    def _choose(self, choice: RouteChoice) -> None:
        self._choice = choice
        self._show()
        self.chosen.emit(choice)

    def _show(self) -> None:
        label = self._choice.label if self._choice else self.tr("No provider")
        short = self.fontMetrics().elidedText(label, Qt.TextElideMode.ElideMiddle, 190)
        self.setText(short.replace("&", "&&") + " ")
        self.setAccessibleDescription(label)


def _key(choice: RouteChoice) -> tuple[str, str]:
    return choice.provider, choice.model
