"""The button that shows and changes which provider and model answers. Choices come from the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt, Signal

from vpa_desktop.ui.widgets import IconButton

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import RouteChoice
    from vpa_desktop.ui.chat.model_popup import ModelPopup


class ProviderPicker(IconButton):
    """The pill named "Provider and model".

    ``chosen`` tells of a change by the person, ``changed`` of any, ``opened`` that the list is shown.
    """

    chosen = Signal(object)
    changed = Signal()
    opened = Signal()
    add_wanted = Signal()

    def __init__(self) -> None:
        super().__init__("chevron-down", "", " ", size=14)
        self.setAccessibleName(self.tr("Provider and model"))
        self.setToolTip(self.tr("Provider and model (Ctrl+Shift+M)"))
        self.setProperty("pill", True)
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self.clicked.connect(self.open_popup)
        self._choices: list[RouteChoice] = []
        self._choice: RouteChoice | None = None
        self._popup: ModelPopup | None = None
        self._show()

    @property
    def choice(self) -> RouteChoice | None:
        """The choice in force; None until there are any."""
        return self._choice

    @property
    def popup(self) -> ModelPopup:
        """The list, made when it is first needed."""
        if self._popup is None:
            from vpa_desktop.ui.chat.model_popup import ModelPopup

            self._popup = ModelPopup(self)
            self._popup.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
            self._popup.chosen.connect(self._choose)
            self._popup.add_wanted.connect(self.add_wanted)
            self._popup.set_choices(self._choices, self._choice)
        return self._popup

    def set_choices(self, choices: Sequence[RouteChoice]) -> None:
        """Offers these choices; the one in force stays if it is among them."""
        kept = next((c for c in choices if self._choice and _key(c) == _key(self._choice)), None)
        self._choices = list(choices)
        self._choice = kept or (choices[0] if choices else None)
        self._show()
        if self._popup is not None:
            self._popup.set_choices(self._choices, self._choice)

    def open_popup(self) -> None:
        """Opens the list, above the button where there is room."""
        place = QRect(self.mapToGlobal(QPoint(0, 0)), self.size())
        self.popup.open_at(place, self.screen().availableGeometry())
        self.opened.emit()

    def _choose(self, choice: RouteChoice) -> None:
        self._choice = choice
        self._show()
        self.popup.set_choices(self._choices, choice)
        self.chosen.emit(choice)

    def _show(self) -> None:
        label = self._choice.label if self._choice else self.tr("No provider")
        short = self.fontMetrics().elidedText(label, Qt.TextElideMode.ElideMiddle, 190)
        self.setText(short.replace("&", "&&") + " ")
        self.setAccessibleDescription(label)
        self.changed.emit()


def _key(choice: RouteChoice) -> tuple[str, str]:
    return choice.provider, choice.model
