"""One provider as a card: its place in the order, state, abilities, the last Test, and what can be done. No backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QAction, QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from vpa_desktop.catalog import is_loopback
from vpa_desktop.config import LOCAL_PROVIDER_ID
from vpa_desktop.ui.settings.flow import FlowLayout
from vpa_desktop.ui.settings.model_field import facts_words
from vpa_desktop.ui.settings.verdict_line import VerdictLine
from vpa_desktop.ui.widgets import (
    Card,
    ElidedLabel,
    IconLabel,
    MenuButton,
    PlainLabel,
    Switch,
    restyle,
    theme_now,
)

if TYPE_CHECKING:
    from datetime import datetime

    from vpa_desktop.records import ProviderStatus, ProviderVerdict


LEAST_PX = 64
"""The least width of a card's name, and of its kind and model: longer ones are cut."""


class Grip(IconLabel):
    """The handle a card is drawn by. By keyboard the card itself is moved."""

    drawn = Signal(QPoint)
    dropped = Signal()

    def __init__(self, tip: str) -> None:
        super().__init__("grip-vertical", 18, "faint")
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.setToolTip(tip)
        self._held = False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Takes hold of the card."""
        self._held = event.button() == Qt.MouseButton.LeftButton

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Draws the card along."""
        if self._held:
            self.drawn.emit(event.globalPosition().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Lets the card go."""
        if self._held:
            self._held = False
            self.dropped.emit()


class ProviderCard(Card):
    """``wanted`` names an action: test, stop, change, remove, enable, disable. ``moved`` is a step up or down."""

    wanted = Signal(str)
    weighed = Signal(float)
    moved = Signal(int)
    to_front = Signal()
    let_go = Signal()

    def __init__(self, status: ProviderStatus, *, weighted: bool) -> None:
        super().__init__(margins=12, spacing=8)
        self.status = status
        self._place = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.grip = Grip(self.tr("Drag it to another place, or press Alt+Up and Alt+Down"))
        self._number = PlainLabel("", "dim")
        self._number.setFixedWidth(20)
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.enabled = Switch()
        self.enabled.setAccessibleName(self.tr("Use {0}").format(status.id))
        self.enabled.setToolTip(self.tr("In use"))
        self.enabled.setChecked(status.enabled)
        self.enabled.clicked.connect(lambda on: self.wanted.emit("enable" if on else "disable"))
        self.column.addLayout(self._head())
        words, tone = self._state()
        self._said = words
        self.column.addLayout(self._indented(_line(words, tone)))
        note = "" if status.note in ("No key yet", words) else status.note
        if note:
            self.column.addLayout(self._indented(_line(note, "dim")))
        if chips := self._chips():
            self.column.addLayout(chips)
        if weighted:
            shares = self._indented(PlainLabel(self.tr("Weight"), "dim"))
            shares.insertWidget(2, self._weight())
            self.column.addLayout(shares)
        self.verdict = VerdictLine()
        self.verdict.stop_wanted.connect(lambda: self.wanted.emit("stop"))
        self.column.addLayout(self._indented(self.verdict))
        self.column.addLayout(self._actions())
        self._name_it()

    def _indented(self, *widgets: QWidget) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addSpacing(52)
        for widget in widgets:
            row.addWidget(widget, 1)
        return row

    def controls(self) -> list[QWidget]:
        """What Tab passes, in the order of the screen."""
        weights: list[QWidget] = [*self.findChildren(QDoubleSpinBox)]
        return [self, self.enabled, *weights, self.verdict.stop, *self.buttons, self.menu]

    def _head(self) -> QHBoxLayout:
        status = self.status
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.grip)
        head.addWidget(self._number)
        head.addWidget(IconLabel("cpu" if status.is_local else "globe", 18, "accent"))
        name = ElidedLabel(status.id, "strong")
        name.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        name.setToolTip(status.id)
        about = ElidedLabel(" · ".join(p for p in (status.kind_label, status.model) if p), "dim")
        about.setToolTip(about.whole())
        name.setMinimumWidth(min(name.sizeHint().width(), LEAST_PX))
        about.setMinimumWidth(LEAST_PX)
        head.addWidget(name)
        head.addWidget(about, 1)
        head.addWidget(self.enabled)
        return head

    def _weight(self) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0, 1_000_000)
        box.setDecimals(2)
        box.setSingleStep(0.1)
        box.setFixedWidth(88)
        box.setValue(self.status.weight)
        box.setAccessibleName(self.tr("Weight of {0}").format(self.status.id))
        box.setToolTip(self.tr("Its share of the requests; 0 is only asked when the others fail"))
        box.editingFinished.connect(lambda: self._weigh(box.value()))
        return box

    def _weigh(self, weight: float) -> None:
        if weight != self.status.weight:
            self.weighed.emit(weight)

    def _state(self) -> tuple[str, str]:
        status = self.status
        if status.forbidden:
            return status.forbidden, "warn"
        if not status.enabled:
            return self.tr("Not in use."), "dim"
        if status.needs_key and not status.key_source:
            return self.tr("No key yet: choose Change and paste one."), "warn"
        if status.breaker == "open":
            return self.tr("Left alone for a while after failures; it is tried again by itself."), "warn"
        if status.keys > 1:
            return self._keys_words()
        place = {
            "environment": self.tr("Ready. Its key comes from the environment."),
            "vault": self.tr("Ready. Its key is in your key store."),
        }.get(status.key_source)
        return place or self.tr("Ready. It needs no key."), "ok"

    def _keys_words(self) -> tuple[str, str]:
        keys, refused = self.status.keys, self.status.keys_refused
        if refused == keys:
            return self.tr("None of its {0} keys can be used now, see Keys.").format(keys), "warn"
        if refused:
            return self.tr("Ready. {0} keys, {1} refused or waiting, see Keys.").format(keys, refused), "warn"
        return self.tr("Ready. {0} keys, all in use.").format(keys), "ok"

    def _chips(self) -> QHBoxLayout | None:
        status = self.status
        words = [self.tr("stays on this computer")] if status.is_local else []
        if not status.is_local and is_loopback(status.endpoint):
            words.append(self.tr("on this computer"))
        elif status.endpoint.startswith("http://"):
            words.append(self.tr("not encrypted"))
        if status.facts is not None:
            words += facts_words(status.facts)
        if not words:
            return None
        box = QWidget()
        flow = FlowLayout(box, 6)
        for word in words:
            chip = PlainLabel(word, "chip")
            chip.setFixedHeight(26)  # a lower one could not be round
            flow.addWidget(chip)
        return self._indented(box)

    def _actions(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(38, 0, 0, 0)
        row.setSpacing(4)
        self.test = self._button("test", self.tr("Test"))
        self.buttons = [self.test, self._button("change", self.tr("Change"))]
        if self.status.id != LOCAL_PROVIDER_ID:
            self.buttons.append(self._button("remove", self.tr("Remove")))
        for button in self.buttons:
            row.addWidget(button)
        row.addStretch(1)
        self.menu = MenuButton("ellipsis", self.tr("Order of {0}").format(self.status.id))
        self._first = self.menu.choices.addAction(self.tr("Ask first"))
        self._up = self.menu.choices.addAction(self.tr("Move up\tAlt+Up"))
        self._down = self.menu.choices.addAction(self.tr("Move down\tAlt+Down"))
        self._first.triggered.connect(self.to_front)
        self._up.triggered.connect(lambda: self.moved.emit(-1))
        self._down.triggered.connect(lambda: self.moved.emit(1))
        row.addWidget(self.menu)
        return row

    def _button(self, action: str, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("ghost", True)
        button.setAccessibleName(f"{text} {self.status.id}")
        button.clicked.connect(lambda: self.wanted.emit(action))
        return button

    def order_actions(self) -> list[QAction]:
        """The entries of the menu for the order: first, up, down."""
        return [self._first, self._up, self._down]

    def set_place(self, n: int, count: int, *, numbered: bool) -> None:
        """Shows that it is the ``n``-th of ``count``, from 0."""
        self._place = f"{n + 1}. " if numbered else ""
        self._number.setText(self._place.strip())
        self._number.setVisible(numbered)
        self._first.setEnabled(n > 0)
        self._up.setEnabled(n > 0)
        self._down.setEnabled(n < count - 1)
        self._name_it()

    def _name_it(self) -> None:
        status = self.status
        parts = ", ".join(p for p in (status.id, status.kind_label, status.model) if p)
        self.setAccessibleName(f"{self._place}{parts}. {self._said}")
        self.setAccessibleDescription(self.tr("Alt+Up and Alt+Down change its place in the order"))

    def lift(self, on: bool) -> None:
        """Shows that it is held."""
        self.setProperty("lifted", on)
        self.grip.setCursor(Qt.CursorShape.ClosedHandCursor if on else Qt.CursorShape.OpenHandCursor)
        restyle(self)

    def set_busy(self, busy: bool) -> None:
        """Says that a test is running."""
        had_focus = self.window().focusWidget() in (self.test, self.verdict.stop)
        if busy:
            self.verdict.wait_for(self.status.id)
            if had_focus:
                self.verdict.stop.setFocus()
        self.test.setEnabled(not busy)
        if had_focus and not busy:
            self.test.setFocus()

    def show_verdict(self, verdict: ProviderVerdict, at: datetime) -> None:
        """Shows the last Test and when it was."""
        self.set_busy(False)
        self.verdict.show_verdict(verdict, at)

    def event(self, event: QEvent) -> bool:
        """Keeps Esc from the window's own shortcut while the card is held."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self.property("lifted"):
            event.setAccepted(event.key() == Qt.Key.Key_Escape)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Moves it with Alt and the arrows; Enter changes it, Esc lets a drawn card go back."""
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        key = Qt.Key(event.key())
        if event.modifiers() & Qt.KeyboardModifier.AltModifier and key in steps:
            self.moved.emit(steps[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.wanted.emit("change")
        elif key == Qt.Key.Key_Escape and self.property("lifted"):
            self.let_go.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the card, then the ring that shows the focus."""
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(theme_now().accent), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 11, 11)
            painter.end()


def _line(words: str, look: str) -> PlainLabel:
    """A line of the card that breaks; a long word in it does not widen the page."""
    label = PlainLabel(words, look, wraps=True)
    label.setMinimumWidth(LEAST_PX)
    return label
