"""A settings page made of rows: each saves its own key at once and says in words when that failed. Knows no key."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, Protocol

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from vpa_desktop.ui.widgets import ChoiceBox, PlainLabel, Switch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpa_desktop.config import Settings


class Saver(Protocol):
    """What stores a value under a dotted key and then calls back with the error's words, or ""."""

    def __call__(self, key: str, value: Any, told: Callable[[str], None] | None = None) -> None: ...


WORDS_PX: Final = 200
"""A name and its hint with less room than this stand above their control, not beside it."""


class Row(QFrame):
    """A name with a hint, a control at its right or, where it is narrow, below it; a line for what went wrong."""

    def __init__(self, name: str, hint: str, control: QWidget) -> None:
        super().__init__()
        self.control = control
        control.setAccessibleName(name)
        control.setAccessibleDescription(hint)
        words = QVBoxLayout()
        words.setSpacing(2)
        label = PlainLabel(name, "strong", wraps=True)
        label.setBuddy(control)
        words.addWidget(label)
        self._hint_label = PlainLabel(hint, "dim", wraps=True)
        if hint:
            words.addWidget(self._hint_label)
        self._line = line = QHBoxLayout()
        line.setSpacing(24)
        line.addLayout(words, 1)
        line.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
        self._hint = hint
        self._said = PlainLabel("", "error", wraps=True)
        self._said.hide()
        self._rule = PlainLabel("", "warn", wraps=True)
        self._rule.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        column.addLayout(line)
        column.addWidget(self._rule)
        column.addWidget(self._said)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Puts the control below its words where these would be pressed into a narrow column."""
        super().resizeEvent(event)
        is_narrow = self.width() < self.control.sizeHint().width() + 24 + WORDS_PX
        ways = QBoxLayout.Direction
        way = ways.TopToBottom if is_narrow else ways.LeftToRight
        if way != self._line.direction():
            self._line.setDirection(way)
            self._line.setSpacing(8 if is_narrow else 24)
            at = Qt.AlignmentFlag.AlignLeft if is_narrow else Qt.AlignmentFlag.AlignVCenter
            self._line.setAlignment(self.control, at)

    def set_hint(self, hint: str) -> None:
        """Changes the hint of a row that has one."""
        self._hint = hint
        self._hint_label.setText(hint)
        self.control.setAccessibleDescription(hint)

    def tell(self, error: str) -> None:
        """Shows what went wrong, or that nothing did."""
        self._said.setText(error)
        self._said.setVisible(bool(error))

    def rule(self, reason: str, *, is_fixed: bool) -> None:
        """Says what a policy has to do with it; where that decides the value, the control can only be read."""
        self._rule.setText(reason)
        self._rule.setVisible(bool(reason))
        self.control.setEnabled(not is_fixed)
        self.control.setAccessibleDescription(" ".join(part for part in (self._hint, reason) if part))


class _Body(QWidget):
    """As high as its words need at its width: the least height of labels that break counts for a narrow column."""

    def minimumSizeHint(self) -> QSize:
        """Returns the least width, and the height at the width it has."""
        least, needed = super().minimumSizeHint(), self.heightForWidth(self.width())
        return QSize(least.width(), min(least.height(), needed) if needed > 0 else least.height())


class FormPage(QScrollArea):
    """A heading, a lead, and rows. Subclasses add rows in their constructor and fill them in ``show_settings``."""

    def __init__(self, heading: str, lead: str, save: Saver) -> None:
        super().__init__()
        self._save = save
        self._readers: list[Callable[[Settings], None]] = []
        self.rows: dict[str, Row] = {}
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(heading)
        body = _Body()
        side = QHBoxLayout(body)
        side.setContentsMargins(32, 22, 32, 22)
        middle = QWidget()
        middle.setMaximumWidth(720)
        side.addWidget(middle, 30)
        side.addStretch(1)
        self.column = QVBoxLayout(middle)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4)
        self.column.addWidget(PlainLabel(heading, "heading"))
        self.column.addWidget(PlainLabel(lead, "dim", wraps=True))
        self.column.addSpacing(8)
        self.setWidget(body)

    def end(self) -> None:
        """Closes the list of rows."""
        self.column.addStretch(1)

    def show_settings(self, settings: Settings) -> None:
        """Fills the rows."""
        for read in self._readers:
            read(settings)
        for key, row in self.rows.items():
            fixed = settings.fixed.get(key, "")
            row.rule(fixed or settings.bounded.get(key, ""), is_fixed=bool(fixed))

    def _put(self, row: Row, key: str, value: Any) -> None:
        self._save(key, value, row.tell)

    def switch(self, key: str, name: str, hint: str, read: Callable[[Settings], bool]) -> Row:
        """Adds a switch."""
        box = Switch()
        row = self._add(key, Row(name, hint, box))
        box.clicked.connect(lambda on: self._put(row, key, on))
        self._readers.append(lambda settings: box.setChecked(read(settings)))
        return row

    def choice(
        self, key: str, name: str, hint: str, options: Sequence[tuple[str, str]], read: Callable[[Settings], str]
    ) -> Row:
        """Adds a choice of (value, words)."""
        box = ChoiceBox()
        box.setMinimumWidth(220)
        for value, words in options:
            box.addItem(words, value)
        row = self._add(key, Row(name, hint, box))
        box.activated.connect(lambda _: self._put(row, key, box.currentData()))

        def fill(settings: Settings) -> None:
            box.setCurrentIndex(max(0, box.findData(read(settings))))

        self._readers.append(fill)
        return row

    def number(
        self, key: str, name: str, hint: str, limits: tuple[int, int], read: Callable[[Settings], int], step: int = 1
    ) -> Row:
        """Adds a whole number."""
        box = QSpinBox()
        box.setRange(*limits)
        box.setSingleStep(step)
        box.setFixedWidth(120)
        box.lineEdit().setTextMargins(8, 0, 8, 0)
        row = self._add(key, Row(name, hint, box))
        box.editingFinished.connect(lambda: self._put_changed(row, key, box.value(), read))
        self._readers.append(lambda settings: box.setValue(read(settings)))
        return row

    def share(
        self, key: str, name: str, hint: str, limits: tuple[float, float], read: Callable[[Settings], float]
    ) -> Row:
        """Adds a number with a fraction."""
        box = QDoubleSpinBox()
        box.setRange(*limits)
        box.setSingleStep(0.1)
        box.setDecimals(2)
        box.setFixedWidth(120)
        box.lineEdit().setTextMargins(8, 0, 8, 0)
        row = self._add(key, Row(name, hint, box))
        box.editingFinished.connect(lambda: self._put_changed(row, key, box.value(), read))
        self._readers.append(lambda settings: box.setValue(read(settings)))
        return row

    def money(self, key: str, name: str, hint: str, read: Callable[[Settings], Decimal | None]) -> Row:
        """Adds an amount in US dollars; empty is none."""
        line = QLineEdit()
        line.setPlaceholderText(self.tr("no limit"))
        line.setFixedWidth(120)
        line.setAlignment(Qt.AlignmentFlag.AlignRight)
        row = self._add(key, Row(name, hint, line))

        def take() -> None:
            text = line.text().strip().lstrip("$").strip().replace(",", ".")
            try:
                amount = Decimal(text) if text else None
            except InvalidOperation:
                row.tell(self.tr("“{0}” is not an amount. Write it like 5 or 2.50, or leave it empty.").format(text))
                return
            if amount is not None and (not amount.is_finite() or amount < 0):
                row.tell(self.tr("The limit cannot be below zero. Write an amount like 5, or leave it empty."))
                return
            self._put_changed(row, key, amount, read)

        def fill(settings: Settings) -> None:
            amount = read(settings)
            line.setText("" if amount is None else _to_edit(amount))

        line.editingFinished.connect(take)
        self._readers.append(fill)
        return row

    def text(self, key: str, name: str, hint: str, read: Callable[[Settings], tuple[str, ...]]) -> Row:
        """Adds names separated by commas."""
        line = QLineEdit()
        line.setMinimumWidth(260)
        row = self._add(key, Row(name, hint, line))

        def take() -> None:
            names = tuple(part.strip() for part in line.text().split(",") if part.strip())
            self._put_changed(row, key, names, read)

        line.editingFinished.connect(take)
        self._readers.append(lambda settings: line.setText(", ".join(read(settings))))
        return row

    def _put_changed(self, row: Row, key: str, value: Any, read: Callable[[Settings], Any]) -> None:
        if self._current is None or value != read(self._current):
            self._put(row, key, value)

    _current: Settings | None = None

    def remember(self, settings: Settings) -> None:
        """Keeps what is in force, so that leaving a field unchanged saves nothing."""
        self._current = settings
        self.show_settings(settings)

    def _add(self, key: str, row: Row) -> Row:
        self.rows[key] = row
        self.column.addWidget(row)
        line = QFrame()
        line.setFixedHeight(1)
        line.setProperty("rule", True)
        self.column.addWidget(line)
        return row


def _to_edit(amount: Decimal) -> str:
    """An amount to the cent, or with all its figures where it has more."""
    exponent = amount.normalize().as_tuple().exponent
    return f"{amount:.2f}" if isinstance(exponent, int) and exponent >= -2 else f"{amount.normalize():f}"
