"""The card that asks for the passphrase of the key file. It stores none and opens nothing: ``wanted`` carries it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton

from vpa_desktop.ui.settings.verdict_line import VerdictLine
from vpa_desktop.ui.widgets import Card, IconLabel, PlainLabel


class UnlockCard(Card):
    """A field for the passphrase and Unlock."""

    wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__(margins=14, spacing=6)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(IconLabel("lock", 16, "warn"))
        head.addWidget(PlainLabel(self.tr("The key file is locked"), "strong"), 1)
        self.column.addLayout(head)
        self.column.addWidget(
            PlainLabel(
                self.tr(
                    "Type its passphrase to use the keys in it. Where there is no such file yet, you choose the "
                    "passphrase now."
                ),
                "dim",
                wraps=True,
            )
        )
        self.passphrase = QLineEdit()
        self.passphrase.setEchoMode(QLineEdit.EchoMode.Password)
        self.passphrase.setAccessibleName(self.tr("Passphrase of the key file"))
        self.open = QPushButton(self.tr("Unlock"))
        self.open.setAccessibleName(self.tr("Unlock the key file"))
        self.open.setEnabled(False)
        self.passphrase.textChanged.connect(lambda text: self.open.setEnabled(bool(text)))
        self.passphrase.returnPressed.connect(self._ask)
        self.open.clicked.connect(self._ask)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.passphrase, 1)
        row.addWidget(self.open)
        self.column.addLayout(row)
        self._said = VerdictLine()
        self.column.addWidget(self._said)

    def _ask(self) -> None:
        if passphrase := self.passphrase.text():
            self.wanted.emit(passphrase)

    def say(self, error: str) -> None:
        """Shows what went wrong; nothing where it is open now."""
        if not error:
            self.passphrase.clear()
        self._said.say(error, good=False)
