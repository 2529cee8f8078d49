"""What an empty conversation shows: what this is, what answers now, and first steps. Changes nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from vpa_desktop.ui.widgets import Card, IconLabel, PlainLabel, TintedButton

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent

COLUMN_PX = 680
SHORT_PX = 520


class Welcome(QScrollArea):
    """The friendly first page. ``example_chosen`` carries a question for the composer."""

    add_provider_wanted = Signal()
    add_documents_wanted = Signal()
    example_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        page = QWidget()
        outer = self._outer = QHBoxLayout(page)
        middle = QWidget()
        middle.setMaximumWidth(COLUMN_PX)
        outer.addStretch(1)
        outer.addWidget(middle, 30)
        outer.addStretch(1)
        column = self._column = QVBoxLayout(middle)
        column.addStretch(2)
        self._sign = IconLabel("sparkles", 40, "accent")
        column.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self._centred(self.tr("What can I help you with?"), "heading"))
        lead = self.tr("Ask anything, or add your own files and get answers with the page to prove them.")
        self._lead = self._centred(lead, "dim")
        column.addWidget(self._lead)
        self._demo = self._demo_card()
        column.addWidget(self._demo)
        column.addLayout(self._examples())
        column.addStretch(3)
        self.setWidget(page)
        self._fit(short=False)

    def show_demo(self, shown: bool) -> None:
        """Says that the small model answers, where nothing better is set up."""
        self._demo.setVisible(shown)

    def _centred(self, text: str, look: str) -> PlainLabel:
        label = PlainLabel(text, look, wraps=True)
        label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        return label

    def _demo_card(self) -> Card:
        card = Card("notice", True, margins=16, spacing=10)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(IconLabel("cpu", 18, "accent"))
        head.addWidget(PlainLabel(self.tr("It works now, without a key and without a network"), "strong"), 1)
        card.column.addLayout(head)
        text = self.tr(
            "A small demonstration model on this computer answers. It shows how everything works, but it is often "
            "wrong. For answers you can rely on, add a provider; your documents are searched here in either case."
        )
        card.column.addWidget(PlainLabel(text, wraps=True))
        row = QHBoxLayout()
        provider = TintedButton("key", self.tr("Add a provider"), "on_accent")
        provider.setProperty("primary", True)
        provider.clicked.connect(self.add_provider_wanted)
        documents = QPushButton(self.tr("Add documents"))
        documents.clicked.connect(self.add_documents_wanted)
        row.addWidget(provider)
        row.addWidget(documents)
        row.addStretch()
        card.column.addLayout(row)
        return card

    def _examples(self) -> QGridLayout:
        self._grid = QGridLayout()
        self._grid.setSpacing(10)
        questions = (
            self.tr("In one sentence, what is a circuit breaker?"),
            self.tr("Write a Python function that checks an IBAN."),
            self.tr("What do my documents say about deadlines?"),
            self.tr("Make a table of three ways to back up photos."),
        )
        self._buttons = [self._example(question) for question in questions]
        self._columns = 0
        self._arrange(2)
        return self._grid

    def _arrange(self, columns: int) -> None:
        if columns != self._columns:
            self._columns = columns
            for n, button in enumerate(self._buttons):
                self._grid.addWidget(button, n // columns, n % columns)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Puts the examples below each other where there is no room for two, and closer in a low window."""
        super().resizeEvent(event)
        self._arrange(2 if event.size().width() >= 720 else 1)
        self._fit(short=event.size().height() < SHORT_PX)

    def _fit(self, *, short: bool) -> None:
        """Leaves out decoration and air in a low window, so that the examples stay in sight."""
        self._sign.setVisible(not short)
        self._lead.setVisible(not short)
        self._outer.setContentsMargins(*((28, 0, 28, 0) if short else (28, 20, 28, 20)))
        self._column.setSpacing(8 if short else 14)
        self._column.setContentsMargins(*((0, 4, 0, 4) if short else (9, 9, 9, 9)))
        self._grid.setSpacing(4 if short else 10)
        edge = 10 if short else 16
        self._demo.column.setContentsMargins(16, edge, 16, edge)
        self._demo.column.setSpacing(6 if short else 10)

    def _example(self, question: str) -> QPushButton:
        button = QPushButton(question)
        button.setProperty("example", True)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(lambda: self.example_chosen.emit(question))
        return button
