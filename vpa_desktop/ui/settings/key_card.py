"""One provider's keys as a card: a row for each, and a field for another one or for the new one of a rotation."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from vpa_desktop.ui.settings.verdict_line import VerdictLine
from vpa_desktop.ui.widgets import Card, ElidedLabel, IconLabel, PlainLabel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import KeyInfo, ProviderStatus, ProviderVerdict

FIRST = "default"
"""What the key without a name is called towards the backend."""

TONES = {"in use": "ok", "waiting": "warn", "old": "dim"}


class KeyRow(QFrame):
    """One key: its name, where it is, how it stands, the last Test. ``wanted`` names an action: test, rotate, delete.

    ``is_only`` where the provider has no other: it needs no name then.
    """

    wanted = Signal(str)

    def __init__(self, info: KeyInfo, *, is_only: bool) -> None:
        super().__init__()
        self.info = info
        self._whole = self._spoken(is_only)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 2)
        column.setSpacing(2)
        tone = TONES.get(info.state, "danger")
        has_name = bool(info.label) or not is_only
        where = {"vault": self.tr("in the key store"), "environment": self.tr("from the environment")}
        place = where.get(info.source, info.source)
        place = self.tr("{0}, ends in {1}").format(place, info.hint) if info.hint else place
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(IconLabel("circle-check" if tone == "ok" else "triangle-alert", 16, tone))
        name = ElidedLabel(self.label if has_name else place, "strong" if has_name else "dim")
        name.setMinimumWidth(32)
        head.addWidget(name, 1)
        self.buttons = [self._button("test", self.tr("Test"))]
        if info.source != "environment":
            self.buttons += [self._button("rotate", self.tr("Replace")), self._button("delete", self.tr("Delete"))]
        for button in self.buttons:
            head.addWidget(button)
        column.addLayout(head)
        state = state_words(self, info)
        self._state = PlainLabel(state, "warn" if tone in ("warn", "danger") else "dim", wraps=True)
        for line in ([PlainLabel(place, "dim", wraps=True)] if has_name else []) + [self._state]:
            line.setMinimumWidth(64)
            line.setIndent(22)
            column.addWidget(line)
        self.verdict = VerdictLine()
        self.verdict.stop_wanted.connect(lambda: self.wanted.emit("stop"))
        column.addWidget(self.verdict)
        self.setAccessibleName(f"{self._whole}: {place}. {state}")

    @property
    def label(self) -> str:
        """What the key is called towards the backend."""
        return self.info.label or FIRST

    def _spoken(self, is_only: bool) -> str:
        if is_only and not self.info.label:
            return self.tr("the key for {0}").format(self.info.provider)
        return self.tr("the key {0} for {1}").format(self.info.label or FIRST, self.info.provider)

    def _button(self, action: str, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("ghost", True)
        button.setAccessibleName(f"{text} {self._whole}")
        button.clicked.connect(lambda: self.wanted.emit(action))
        return button

    def set_busy(self, busy: bool) -> None:
        """Says that a test is running."""
        self.buttons[0].setEnabled(not busy)
        if busy:
            self.verdict.wait_for(self.info.provider)

    def show_verdict(self, verdict: ProviderVerdict, at: datetime) -> None:
        """Shows the last Test and when it was."""
        self.set_busy(False)
        self.verdict.show_verdict(verdict, at)


class KeyCard(Card):
    """The keys of one provider. ``stored`` carries a new key and its name, ``replaced`` a new key and whose place."""

    stored = Signal(str, str)
    replaced = Signal(str, str)

    def __init__(self, status: ProviderStatus, infos: Sequence[KeyInfo]) -> None:
        super().__init__(margins=14, spacing=6)
        self.provider = status.id
        self._infos = infos
        self._replaces = ""
        self._from_environment = any(info.source == "environment" for info in infos)
        self.column.addLayout(self._head(status))
        self.rows = [KeyRow(info, is_only=len(infos) == 1) for info in infos]
        for row in self.rows:
            self.column.addWidget(row)
        self._told = PlainLabel("", "dim", wraps=True)
        self._told.hide()
        self.column.addWidget(self._told)
        self.column.addLayout(self._entry())
        self.said = VerdictLine()
        self.column.addWidget(self.said)
        self._ask_for("")

    def _head(self, status: ProviderStatus) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(IconLabel("key", 16, "accent" if self._infos else "warn"))
        head.addWidget(PlainLabel(status.id, "strong"))
        head.addWidget(PlainLabel(summary(self, self._infos), "dim"), 1)
        return head

    def _entry(self) -> QHBoxLayout:
        self.key = QLineEdit()
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.key.setAccessibleName(self.tr("New key for {0}").format(self.provider))
        self.name = QLineEdit()
        self.name.setAccessibleName(self.tr("Name of the new key for {0}").format(self.provider))
        self.name.setPlaceholderText(self.tr("name, if you like"))
        self.name.setMaxLength(32)
        self.name.setFixedWidth(140)
        self.set = QPushButton()
        self.set.setAccessibleName(self.tr("Store the key for {0}").format(self.provider))
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.setProperty("ghost", True)
        self.cancel.clicked.connect(lambda: self._ask_for(""))
        self.key.textChanged.connect(lambda text: self.set.setEnabled(bool(text.strip())))
        for field in (self.key, self.name):
            field.returnPressed.connect(self._store)
        self.set.clicked.connect(self._store)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.key, 1)
        for widget in (self.name, self.set, self.cancel):
            row.addWidget(widget)
        return row

    def ask_for_replacement(self, label: str) -> None:
        """Lets the person type the key that takes the place of this one."""
        self._ask_for(label)
        self.key.setFocus(Qt.FocusReason.OtherFocusReason)

    def _ask_for(self, label: str) -> None:
        """Asks for another key, or for the one in the place of ``label``."""
        self._replaces = label
        self.key.clear()
        self.name.clear()
        self.set.setEnabled(False)
        self.cancel.setVisible(bool(label))
        self.name.setVisible(bool(self._infos) and not label and not self._from_environment)
        self.set.setText(self.tr("Test and replace") if label else self.tr("Add") if self._infos else self.tr("Store"))
        self.key.setPlaceholderText(self.tr("paste another key") if self._infos else self.tr("paste a key"))
        if label:
            self.key.setPlaceholderText(self.tr("paste the new key"))
        if self._from_environment:
            self.key.setPlaceholderText(self.tr("comes from the environment, which wins over a stored key"))
        self._told.setText(
            self.tr(
                "The new key in the place of {0} is tested first. Answers under way end with the old one, which "
                "helps out for ten minutes more and is then deleted."
            ).format(label)
        )
        self._told.setVisible(bool(label))

    def _store(self) -> None:
        if not (key := self.key.text().strip()):
            return
        self.said.clear()
        if self._replaces:
            self.said.wait_for(self.provider)
            self.said.stop.hide()
            self.replaced.emit(key, self._replaces)
        else:
            self.stored.emit(key, self.name.text().strip() or self._free_name())

    def _free_name(self) -> str:
        """No name for the first key, key-2 and so on for the others."""
        taken = {info.label for info in self._infos}
        if not self._infos or "" not in taken:
            return ""
        return next(name for n in range(2, len(taken) + 3) if (name := f"key-{n}") not in taken)

    def event(self, event: QEvent) -> bool:
        """Keeps Esc from the window's own shortcut while a key is being replaced."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._replaces:
            event.setAccepted(event.key() == Qt.Key.Key_Escape)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc gives the replacing up."""
        if event.key() == Qt.Key.Key_Escape and self._replaces:
            self._ask_for("")
        else:
            super().keyPressEvent(event)


def summary(widget: QWidget, infos: Sequence[KeyInfo]) -> str:
    """Returns how many keys there are, and how many of them cannot be used now."""
    if not infos:
        return widget.tr("none stored")
    if len(infos) == 1:
        return ""
    count = widget.tr("{0} keys").format(len(infos))
    bad = len([info for info in infos if info.state in ("refused", "held back")])
    resting = len([info for info in infos if info.state == "waiting"])
    parts = [count]
    if bad:
        parts.append(widget.tr("{0} refused").format(bad))
    if resting:
        parts.append(widget.tr("{0} waiting").format(resting))
    return ", ".join(parts)


def state_words(widget: QWidget, info: KeyInfo) -> str:
    """Returns how a key stands, as sentences."""
    until = clock_time(info.until) if info.until else ""
    reason = info.reason.rstrip(".") + "." if info.reason else ""
    if info.state == "old":
        return widget.tr("The old key: it helps out where the new one is refused, until {0}.").format(until)
    if info.state == "held back":
        return reason
    if info.state in ("waiting", "refused"):
        again = widget.tr("Asked again at {0}, or when it passes a Test.").format(until) if until else ""
        return f"{reason} {again}".strip()
    if info.last_used is None:
        return widget.tr("In use.")
    return widget.tr("In use, last at {0}.").format(clock_time(info.last_used))


def clock_time(moment: datetime) -> str:
    """Returns a time of day, with its date where that is not today."""
    local = moment.astimezone()
    is_today = local.date() == datetime.now().astimezone().date()
    return local.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")
