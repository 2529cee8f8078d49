"""The bar above the page that shows an error in words: what happened, why, what next. It decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from vpa_desktop.ui.widgets import IconButton, IconLabel, PlainLabel

if TYPE_CHECKING:
    from vpa_desktop.errors import VPAError


class NoticeBar(QFrame):
    """Hidden until there is something to say."""

    retry_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("notice", "error")
        self.setAccessibleName(self.tr("Message of the program"))
        self._what = PlainLabel("", "strong", wraps=True)
        self._rest = PlainLabel("", wraps=True)
        self._retry = QPushButton(self.tr("Try again"))
        self._retry.clicked.connect(self.retry_wanted)
        close = IconButton("x", self.tr("Close this message"), size=16)
        close.clicked.connect(self.hide)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._what)
        words.addWidget(self._rest)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 10, 8)
        row.setSpacing(12)
        row.addWidget(IconLabel("triangle-alert", 18, "danger"))
        row.addLayout(words, 1)
        row.addWidget(self._retry)
        row.addWidget(close)
        self.hide()

    def show_error(self, error: VPAError, *, retry: bool = False) -> None:
        """Shows an error, with a button to try again where that can help."""
        self._what.setText(f"{error.what}.")
        rest = " ".join(f"{part}." for part in (error.why, error.next_step) if part)
        self._rest.setText(rest)
        self._rest.setVisible(bool(rest))
        self._retry.setVisible(retry)
        self.setAccessibleDescription(str(error))
        self.show()

    def has_retry(self) -> bool:
        """Says whether the message waits for another try."""
        return not self._retry.isHidden()

    def text(self) -> str:
        """Returns the words shown."""
        return f"{self._what.text()} {self._rest.text()}".strip()
