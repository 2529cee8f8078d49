"""The control for one field of a provider, by the field's shape: what is typed goes in and out as text.

Labels and hints come from ``provider_fields`` in English and are translated here.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QWidget

from vpa_desktop.provider_fields import KindField
from vpa_desktop.ui.settings.model_field import ModelField
from vpa_desktop.ui.widgets import ChoiceBox, PlainLabel, Switch

SHORT = ("count", "number", "money")
SHORT_PX, LEAST_PX = 176, 104


def translated(text: str) -> str:
    """Returns a word of the fields' table in the person's language."""
    return QCoreApplication.translate("ProviderFields", text) if text else ""


class FieldInput(QWidget):
    """A control with its hint. ``control`` is what has the focus and the accessible name."""

    changed = Signal()
    choose_wanted = Signal(object)

    def __init__(self, field: KindField, usual: str) -> None:
        super().__init__()
        self.field = field
        self.control: QWidget
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        name, hint = translated(field.label), translated(field.hint)
        usual = translated(usual or field.usual)
        if field.shape == "choice":
            self.control = self._choices(name)
            row.addWidget(self.control, 1)
        elif field.shape == "switch":
            self.control = Switch()
            self.control.toggled.connect(lambda _: self.changed.emit())
            row.addWidget(self.control)
            row.addStretch(1)
        elif field.shape == "model":
            self.model = ModelField(name, usual)
            self.control = self.model.line
            self.model.line.textChanged.connect(lambda _: self.changed.emit())
            row.addWidget(self.model, 1)
        else:
            self.control = self._line(name, usual)
            row.addWidget(self.control, 1)
        if field.shape in ("file", "folder"):
            row.addWidget(self._choose(name))
        self.control.setAccessibleName(name)
        self.control.setAccessibleDescription(hint)
        if hint and self._has_hint_beside():
            beside = PlainLabel(hint, "dim", wraps=True)
            beside.setMinimumWidth(64)
            row.addWidget(beside, 1)
        elif field.shape in SHORT:
            row.addStretch(1)
        self.setFocusProxy(self.control)

    @property
    def below(self) -> str:
        """The hint that stands below the control; "" where it stands beside it."""
        if self._has_hint_beside() or self.field.shape in ("switch", "model"):
            return ""
        return translated(self.field.hint)

    def _has_hint_beside(self) -> bool:
        return self.field.shape in SHORT or (self.field.shape == "choice" and self.field.advanced)

    def _line(self, name: str, usual: str) -> QLineEdit:
        line = QLineEdit()
        line.setPlaceholderText(usual)
        line.setAcceptDrops(False)
        line.textChanged.connect(lambda _: self.changed.emit())
        if self.field.shape in SHORT:
            line.setMinimumWidth(LEAST_PX)
            line.setMaximumWidth(SHORT_PX)
        if self.field.shape == "secret":
            line.setEchoMode(QLineEdit.EchoMode.Password)
            line.setInputMethodHints(Qt.InputMethodHint.ImhSensitiveData | Qt.InputMethodHint.ImhHiddenText)
        return line

    def _choices(self, name: str) -> ChoiceBox:
        box = ChoiceBox()
        box.setMinimumWidth(LEAST_PX)
        box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        if self.field.advanced:
            box.setMaximumWidth(SHORT_PX)
        for value, words in self.field.choices:
            box.addItem(translated(words), value)
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        return box

    def _choose(self, name: str) -> QPushButton:
        button = QPushButton(self.tr("Choose…"))
        button.setAccessibleName(self.tr("Choose: {0}").format(name))
        button.clicked.connect(lambda: self.choose_wanted.emit(self))
        return button

    def text(self) -> str:
        """Returns what is typed or chosen; "" is the default."""
        if isinstance(self.control, ChoiceBox):
            return str(self.control.currentData() or "")
        if isinstance(self.control, Switch):
            return "true" if self.control.isChecked() else ""
        assert isinstance(self.control, QLineEdit)
        return self.control.text().strip()

    def set_text(self, text: str) -> None:
        """Shows a value."""
        if isinstance(self.control, ChoiceBox):
            self.control.setCurrentIndex(max(0, self.control.findData(text)))
        elif isinstance(self.control, Switch):
            self.control.setChecked(text == "true")
        else:
            assert isinstance(self.control, QLineEdit)
            self.control.setText(text)
