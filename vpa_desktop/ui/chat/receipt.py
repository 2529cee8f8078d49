"""The route receipt of an answer: which providers were asked, what each of them said, and what it cost.

The words are those of ``receipts``, so that the command line says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from vpa_desktop import receipts
from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.markdown import visible
from vpa_desktop.ui.chat.panel import SidePanel, label
from vpa_desktop.ui.theme import LIGHT, Theme, icon_pixmap

if TYPE_CHECKING:
    from vpa_desktop.messages import Attempt
    from vpa_desktop.records import MessageRecord

SIGNS = {
    "ok": ("circle-check", "ok"),
    "failed": ("circle-x", "danger"),
    "interrupted": ("triangle-alert", "warn"),
    "skipped": ("chevron-right", "dim"),
    "cancelled": ("square", "dim"),
    "cached": ("zap", "ok"),
}


class ReceiptPanel(SidePanel):
    """Lists the attempts of one answer, then its figures."""

    def __init__(self, parent: QWidget | None = None, theme: Theme = LIGHT) -> None:
        self._record: MessageRecord | None = None
        super().__init__("Route receipt", parent, theme)

    def show_receipt(self, record: MessageRecord) -> None:
        """Shows the receipt of an answer."""
        self._record = record
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(20, 4, 20, 16)
        column.setSpacing(10)
        if not record.attempts:
            column.addWidget(label("No provider was asked for this answer.", dim=True))
        for number, attempt in enumerate(record.attempts, 1):
            column.addWidget(self._attempt(number, attempt))
        if told := comparison(record):
            column.addWidget(self._comparison(told))
        for name, value in figures(record):
            column.addLayout(_figure(name, value))
        column.addStretch(1)
        self.show_content(body)
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def restyle(self) -> None:
        """Shows the receipt in the new colours."""
        if self._record is not None:
            self.show_receipt(self._record)

    def _attempt(self, number: int, attempt: Attempt) -> QFrame:
        picture, colour = SIGNS.get(attempt.outcome, ("info", "dim"))
        card = QFrame()
        card.setProperty("card", True)
        card.setAccessibleName(spoken(number, attempt))
        card.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # Tab reads one attempt after the other
        sign = QLabel()
        sign.setPixmap(icon_pixmap(picture, getattr(self.theme, colour), 18))
        sign.setAlignment(Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(label(visible(_name(attempt)), strong=True))
        words.addWidget(label(receipts.outcome(attempt), dim=True))
        if figures_line := receipts.figures(attempt):
            words.addWidget(label(figures_line[:1].upper() + figures_line[1:], dim=True))
        if attempt.reason:
            words.addWidget(label(visible(attempt.reason), selectable=True))
        row = QHBoxLayout(card)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(10)
        row.addWidget(sign)
        row.addLayout(words, 1)
        return card

    def _comparison(self, told: str) -> QFrame:
        """What the first choice would have cost, in a card of its own."""
        card = QFrame()
        card.setProperty("notice", True)
        card.setAccessibleName(told)
        card.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        sign = QLabel()
        sign.setPixmap(icon_pixmap("coins", self.theme.accent, 18))
        sign.setAlignment(Qt.AlignmentFlag.AlignTop)
        row = QHBoxLayout(card)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(10)
        row.addWidget(sign)
        row.addWidget(label(told, selectable=True), 1)
        return card


def comparison(record: MessageRecord) -> str:
    """Returns what the first choice would have cost, in words; empty where it answered itself."""
    told = receipts.comparison(record.provider, record.cost_usd, record.first_choice, record.first_choice_usd)
    return visible(told)


def spoken(number: int, attempt: Attempt) -> str:
    """Returns an attempt in words."""
    told = ", ".join(receipts.figures(attempt).split("  ·  "))
    figures_too = f", {told}" if told else ""
    reason = f": {attempt.reason}" if attempt.reason else ""
    return visible(f"Attempt {number}, {_name(attempt)}: {receipts.outcome(attempt).lower()}{figures_too}{reason}")


def figures(record: MessageRecord) -> list[tuple[str, str]]:
    """Returns the figures of an answer with their names; what is not known is said."""
    usage = record.usage
    tokens = wording.tokens(record) or "not reported"
    cached = f"{usage.cached_input_tokens:,}" if usage and usage.cached_input_tokens else ""
    rows = [
        ("First token", wording.duration(record.ttft_ms) if record.ttft_ms is not None else "not measured"),
        ("Whole answer", wording.duration(record.latency_ms) if record.latency_ms is not None else "not measured"),
        ("Tokens", tokens),
        ("Of these from the provider's cache", cached),
        ("Price", wording.price_of(record)),
        ("Saved by the cache", receipts.price(record.saved_usd) if record.saved_usd else ""),
    ]
    return [(name, value) for name, value in rows if value]


def _name(attempt: Attempt) -> str:
    return "  ·  ".join(part for part in (attempt.provider, receipts.model_words(attempt.model)) if part)


def _figure(name: str, value: str) -> QHBoxLayout:
    row = QHBoxLayout()
    shown = label(value, strong=True, selectable=True)
    shown.setAlignment(Qt.AlignmentFlag.AlignRight)
    shown.setAccessibleName(f"{name}: {value}")
    row.addWidget(label(name, dim=True), 1)
    row.addWidget(shown, 1)
    return row
