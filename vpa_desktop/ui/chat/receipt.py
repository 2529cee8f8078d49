"""The route receipt of an answer: which providers were asked, what each of them said, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.markdown import visible
from vpa_desktop.ui.chat.panel import SidePanel, label
from vpa_desktop.ui.theme import LIGHT, Theme, icon_pixmap

if TYPE_CHECKING:
    from vpa_desktop.messages import Attempt
    from vpa_desktop.records import MessageRecord

OUTCOMES = {
    "ok": ("circle-check", "ok", "Answered"),
    "failed": ("circle-x", "danger", "Failed"),
    "interrupted": ("triangle-alert", "warn", "Broke off"),
    "skipped": ("chevron-right", "dim", "Left out"),
    "cancelled": ("square", "dim", "Stopped"),
    "cached": ("circle-check", "ok", "Not asked again"),
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
        picture, colour, word = OUTCOMES.get(attempt.outcome, ("info", "dim", attempt.outcome))
        card = QFrame()
        card.setProperty("card", True)
        card.setAccessibleName(spoken(number, attempt))
        sign = QLabel()
        sign.setPixmap(icon_pixmap(picture, getattr(self.theme, colour), 18))
        sign.setAlignment(Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(label(visible(_name(attempt)), strong=True))
        took = f"{word}{_after(attempt)}"
        words.addWidget(label(took, dim=True))
        if attempt.reason:
            words.addWidget(label(visible(attempt.reason), selectable=True))
        row = QHBoxLayout(card)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(10)
        row.addWidget(sign)
        row.addLayout(words, 1)
        return card


def spoken(number: int, attempt: Attempt) -> str:
    """Returns an attempt in words."""
    word = OUTCOMES.get(attempt.outcome, ("", "", attempt.outcome))[2]
    took = _after(attempt)
    reason = f": {attempt.reason}" if attempt.reason else ""
    return visible(f"Attempt {number}, {_name(attempt)}: {word.lower()}{took}{reason}")


def _after(attempt: Attempt) -> str:
    return f" after {wording.duration(attempt.ms)}" if attempt.ms and attempt.outcome != "cached" else ""


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
    ]
    return [(name, value) for name, value in rows if value]


def _name(attempt: Attempt) -> str:
    return "  ·  ".join(part for part in (attempt.provider, attempt.model) if part)


def _figure(name: str, value: str) -> QHBoxLayout:
    row = QHBoxLayout()
    shown = label(value, strong=True, selectable=True)
    shown.setAlignment(Qt.AlignmentFlag.AlignRight)
    shown.setAccessibleName(f"{name}: {value}")
    row.addWidget(label(name, dim=True), 1)
    row.addWidget(shown, 1)
    return row
