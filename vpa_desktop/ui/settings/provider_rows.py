"""The rows of one kind's fields: labels in one column, controls in the other, the seldom ones folded away.

It knows which rows are shown when; what becomes of the values is the form's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from vpa_desktop.catalog import KINDS, is_loopback
from vpa_desktop.provider_fields import KEY, KindField, fields_of
from vpa_desktop.ui.settings.field_inputs import FieldInput, translated
from vpa_desktop.ui.widgets import IconButton, PlainLabel

if TYPE_CHECKING:
    from collections.abc import Mapping

LABEL_PX = 112
PLAIN_HTTP = "allow_plain_http"


def grid() -> QGridLayout:
    """Returns a layout whose labels stand in line with those of every other one."""
    made = QGridLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setHorizontalSpacing(16)
    made.setVerticalSpacing(12)
    made.setColumnMinimumWidth(0, LABEL_PX)
    made.setColumnStretch(1, 1)
    return made


def add_row(to: QGridLayout, text: str, field: QWidget, hint: str = "", *, required: bool = False) -> list[QWidget]:
    """Adds a label, a control and a hint below it; returns what is to be hidden with them."""
    row = to.rowCount()
    label = PlainLabel(f"{text} *" if required else text, "dim")
    label.setFixedWidth(LABEL_PX)
    label.setMinimumHeight(32)
    label.setWordWrap(True)
    label.setBuddy(field)
    to.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
    parts: list[QWidget] = [label, field]
    if not hint:
        to.addWidget(field, row, 1, Qt.AlignmentFlag.AlignVCenter)
        return parts
    box = QVBoxLayout()
    box.setSpacing(4)
    box.addWidget(field)
    below = PlainLabel(hint, "dim", wraps=True)
    box.addWidget(below)
    to.addLayout(box, row, 1)
    return [*parts, below]


class KindRows(QWidget):
    """Every field of a kind. ``address_changed`` comes with each letter of the address."""

    address_changed = Signal()
    link_wanted = Signal()
    choose_wanted = Signal(object)
    load_wanted = Signal()

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.inputs: dict[str, FieldInput] = {}
        self._parts: dict[str, list[QWidget]] = {}
        self.key_page = QPushButton(self.tr("Get a key"))
        self.key_page.setProperty("ghost", True)
        self.key_page.clicked.connect(self.link_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        fields = fields_of(kind)
        main, folded = grid(), grid()
        plain_http = next((field for field in fields if field.key == PLAIN_HTTP), None)
        for field in fields:
            if field is plain_http:
                continue
            to = folded if field.advanced else main
            self._add(to, field)
            if field.key == "api_endpoint" and plain_http is not None:
                self._add(to, plain_http)
        self.more = IconButton("chevron-right", self.tr("Advanced"), self.tr("Advanced"), size=16)
        self.more.setCheckable(True)
        self.more.setToolTip(self.tr("Settings that seldom need a change"))
        self.more.toggled.connect(self.unfold)
        self._folded = QWidget()
        self._folded.setLayout(folded)
        self._folded.hide()
        column.addLayout(main)
        foot = QHBoxLayout()
        foot.addWidget(self.more)
        foot.addStretch(1)
        column.addLayout(foot)
        column.addWidget(self._folded)
        self._on_address()

    def _add(self, to: QGridLayout, field: KindField) -> None:
        made = FieldInput(field, self._usual(field))
        self.inputs[field.key] = made
        made.choose_wanted.connect(self.choose_wanted)
        if field.shape == "model":
            made.model.load_wanted.connect(self.load_wanted)
        if field.key == "api_endpoint":
            made.changed.connect(self._on_address)
        if field.key == KEY:
            row = made.layout()
            assert isinstance(row, QHBoxLayout)
            row.addWidget(self.key_page)
        if field.key == PLAIN_HTTP:
            warning = PlainLabel(translated(field.hint), "warn", wraps=True)
            box = QWidget()
            column = QVBoxLayout(box)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(4)
            column.addWidget(made)
            column.addWidget(warning)
            self._parts[field.key] = add_row(to, translated(field.label), box)
            return
        self._parts[field.key] = add_row(to, translated(field.label), made, made.below, required=field.required)

    def _usual(self, field: KindField) -> str:
        kind = KINDS[self.kind]
        if field.key == "model":
            return str(kind.default_model) or self.tr("the model's name there")
        if field.key == "api_endpoint" and not field.usual:
            return "https://…/v1" if field.required else kind.default_endpoint
        return ""

    def unfold(self, on: bool = True) -> None:
        """Shows or hides the seldom fields."""
        self.more.setChecked(on)
        self.more.set_icon("chevron-down" if on else "chevron-right")
        self._folded.setVisible(on)

    def reveal(self, control: QWidget) -> None:
        """Unfolds the seldom fields where the control is one of them."""
        if self._folded.isAncestorOf(control):
            self.unfold()

    def address(self) -> str:
        """Returns the address that would be asked."""
        typed = self.text("api_endpoint")
        return typed or KINDS[self.kind].default_endpoint

    def _on_address(self) -> None:
        typed = self.text("api_endpoint").lower()
        open_to_all = typed.startswith("http://") and len(typed) > len("http://") and not is_loopback(typed)
        for part in self._parts.get(PLAIN_HTTP, ()):
            part.setVisible(open_to_all)
        if (model := self.inputs.get("model")) is not None and model.field.shape == "model":
            model.model.forget()
        self.address_changed.emit()

    def text(self, key: str) -> str:
        """Returns what stands in a field; "" where the kind has none of that name."""
        return self.inputs[key].text() if key in self.inputs else ""

    def fill(self, values: Mapping[str, str]) -> None:
        """Shows stored values; unfolds where one of the seldom fields has one."""
        for key, text in values.items():
            if key in self.inputs:
                self.inputs[key].set_text(text)
        if any(self.inputs[k].field.advanced and text for k, text in values.items() if k in self.inputs):
            self.unfold()

    def line(self, key: str) -> QLineEdit:
        """Returns the line of a field that is typed."""
        control = self.inputs[key].control
        assert isinstance(control, QLineEdit)
        return control
