"""The chat page: header, find, transcript or welcome, progress of adding, composer, and a side panel.

It shows what the presenter tells it and passes on what the person does; it knows no backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import (
    QGraphicsDropShadowEffect,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from vpa_desktop.ui.chat.composer import Composer
from vpa_desktop.ui.chat.find_bar import FindBar
from vpa_desktop.ui.chat.finding import mark_words
from vpa_desktop.ui.chat.header import ChatHeader
from vpa_desktop.ui.chat.transcript import Transcript
from vpa_desktop.ui.chat.welcome import Welcome
from vpa_desktop.ui.documents.strip import IngestStrip
from vpa_desktop.ui.widgets import theme_now
from vpa_desktop.ui.wording import usd, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import MessageRecord
    from vpa_desktop.ui.chat.panel import SidePanel
    from vpa_desktop.ui.documents.ingestion import Ingestion
    from vpa_desktop.ui.theme import Theme


class ChatView(QWidget):
    """Everything of one conversation on the screen."""

    panel_opened = Signal()
    panel_closed = Signal()
    answer_ended = Signal(str)

    def __init__(self, ingestion: Ingestion) -> None:
        super().__init__()
        self.header = ChatHeader()
        self.find_bar = FindBar()
        self.transcript = Transcript(theme=theme_now())
        self.welcome = Welcome()
        self.composer = Composer()
        self._messages: list[MessageRecord] = []
        self._stack = QStackedWidget()
        self._stack.addWidget(self.welcome)
        self._stack.addWidget(self.transcript)
        self._panel: SidePanel | None = None
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._split.setChildrenCollapsible(False)
        self._split.setHandleWidth(1)
        self._split.addWidget(self._middle(ingestion))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.find_bar)
        column.addWidget(self._split, 1)
        self._shade(theme_now())
        self.header.find_wanted.connect(self.find_bar.open_bar)
        self.find_bar.sought.connect(self._seek)
        self.find_bar.closed.connect(self.composer.edit.setFocus)
        self.welcome.example_chosen.connect(self._take_example)
        self.transcript.copy_requested.connect(self._copy)

    def _middle(self, ingestion: Ingestion) -> QWidget:
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._stack, 1)
        strip = IngestStrip(ingestion, is_brief=True)
        strip.setMaximumWidth(800)
        for widget, ends in ((strip, (4, 4)), (self.composer, (4, 14))):
            row = QHBoxLayout()
            row.setContentsMargins(28, ends[0] if widget is self.composer else 0, 28, ends[1])
            row.addStretch(1)
            row.addWidget(widget, 30)
            row.addStretch(1)
            column.addLayout(row)
        return middle

    # What is shown

    def show_conversation(self, title: str, messages: Sequence[MessageRecord], live: MessageRecord | None) -> None:
        """Shows a conversation, with the answer that is coming in it."""
        self.set_title(title)
        self.set_panel(None)
        self._messages = list(messages)
        self.transcript.set_messages(messages)
        if live is not None:
            self.transcript.begin_answer(live)
        self._stack.setCurrentWidget(self.transcript if messages or live else self.welcome)
        self._show_figures()
        if self.find_bar.isVisible():
            self.find_bar.close_bar()

    def append(self, message: MessageRecord) -> None:
        """Adds a message at the end."""
        self._messages.append(message)
        self.transcript.append(message)
        self._stack.setCurrentWidget(self.transcript)

    def begin_answer(self, message: MessageRecord) -> None:
        """Adds an answer that is about to come."""
        self.transcript.begin_answer(message)
        self._stack.setCurrentWidget(self.transcript)

    def finish_answer(self, message: MessageRecord) -> None:
        """Shows how an answer ended."""
        self._messages.append(message)
        self.transcript.finish_answer(message)
        self._show_figures()
        self.answer_ended.emit(message.id)

    def set_title(self, title: str) -> None:
        """Shows the title of the conversation."""
        self.header.set_title(title)

    def message(self, message_id: str) -> MessageRecord | None:
        """Returns a message that is shown, by its id."""
        return next((m for m in self.transcript.messages if m.id == message_id), None)

    def set_panel(self, panel: SidePanel | None) -> None:
        """Shows a panel beside the conversation in the place of the one before, or none."""
        had_panel = self._panel is not None
        if self._panel is not None:
            self._panel.hide()
            self._panel.setParent(None)
            self._panel.deleteLater()
        self._panel = panel
        if panel is not None:
            self.panel_opened.emit()
            self._split.addWidget(panel)
            self._split.setStretchFactor(0, 1)
            self._split.setStretchFactor(1, 0)
            wide = panel.wanted_px(self.width())
            self._split.setSizes([max(320, self.width() - wide), wide])
        elif had_panel:
            self.panel_closed.emit()

    def panel(self) -> SidePanel | None:
        """Returns the panel that is open."""
        return self._panel

    def set_theme(self, theme: Theme) -> None:
        """Changes the colours of what is painted by hand."""
        self.transcript.set_theme(theme)
        if self._panel is not None:
            self._panel.set_theme(theme)
        self._shade(theme)

    def _shade(self, theme: Theme) -> None:
        if theme.is_dark:
            self.composer.setGraphicsEffect(None)  # type: ignore[arg-type]
            return
        shadow = QGraphicsDropShadowEffect(self.composer)
        shadow.setBlurRadius(24)
        shadow.setOffset(0, 4)
        shadow.setColor(QColor(20, 30, 60, 26))
        self.composer.setGraphicsEffect(shadow)

    def _show_figures(self) -> None:
        usages = [m.usage for m in self._messages if m.usage is not None]
        tokens = sum((u.input_tokens or 0) + (u.output_tokens or 0) for u in usages)
        costs = [m.cost_usd for m in self._messages if m.cost_usd is not None]
        about = self.tr("about ") if any(u.estimated for u in usages) else ""
        parts = [about + self.tr("{0} tokens").format(whole(tokens))] if tokens else []
        if any(costs):
            parts.append(usd(sum(costs, start=costs[0] * 0)))
        self.header.set_figures("  ·  ".join(parts))

    # What the person does

    def _take_example(self, question: str) -> None:
        self.composer.set_text(question)
        self.composer.edit.setFocus()

    def _copy(self, message_id: str) -> None:
        if (message := self.message(message_id)) is not None:
            QGuiApplication.clipboard().setText(message.content)

    def _seek(self, words: str, step: int) -> None:
        shown = self.transcript.messages
        places = [n for n, m in enumerate(shown) if words and words.lower() in m.content.lower()]
        if not places:
            self.find_bar.show_place(0, 0)
            return
        at = places.index(self.transcript.current) if self.transcript.current in places else -1
        if at < 0:
            at, step = len(places) - 1, 0
        chosen = (at + step) % len(places)
        self.transcript.make_current(places[chosen])
        mark_words(self.transcript, places[chosen], words)
        self.find_bar.show_place(chosen + 1, len(places))
