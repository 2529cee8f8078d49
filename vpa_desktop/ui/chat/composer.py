"""Where the person writes: message, pictures, documents on or off, provider, Send and Stop. Sends nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from vpa_desktop.ui.chat.attachment_strip import AttachmentStrip
from vpa_desktop.ui.chat.attachments import is_picture
from vpa_desktop.ui.chat.model_wording import ending_words
from vpa_desktop.ui.chat.picker import ProviderPicker
from vpa_desktop.ui.drop import dropped_paths
from vpa_desktop.ui.theme import text_font
from vpa_desktop.ui.widgets import IconButton, Meter, PlainLabel, restyle
from vpa_desktop.ui.wording import usd

if TYPE_CHECKING:
    from decimal import Decimal

    from PySide6.QtCore import QMimeData
    from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent

LINES_MAX = 8
NARROW_PX = 520


class MessageEdit(QPlainTextEdit):
    """The editor named "Message": grows with its text, Enter sends (or Ctrl+Enter, as the person chose)."""

    submitted = Signal()
    focus_changed = Signal(bool)
    data_pasted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.enter_sends = True
        self.setAccessibleName(self.tr("Message"))
        self.setFont(text_font(14))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAcceptDrops(False)
        self.setTabChangesFocus(True)
        self.document().setDocumentMargin(0)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The space at a wrapped line's end counts as its width: nothing is there to scroll to.
        sideways = self.horizontalScrollBar()
        sideways.rangeChanged.connect(lambda: sideways.setRange(0, 0))
        self.textChanged.connect(self._grow)
        self._grow()

    def set_scale(self, scale: float) -> None:
        """Makes the text ``scale`` times its normal size."""
        self.setStyleSheet(f"font-size: {round(14 * scale)}px")
        self._grow()

    def _grow(self) -> None:
        lines = max(1, min(LINES_MAX, int(self.document().size().height())))
        self.setFixedHeight(self.fontMetrics().lineSpacing() * lines + 10)

    def resizeEvent(self, event: object) -> None:
        """Counts the lines again at the new width."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._grow()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Sends on the chosen key; everything else is typing."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._sends(event.modifiers()):
            self.submitted.emit()
            return
        super().keyPressEvent(event)

    def _sends(self, held: Qt.KeyboardModifier) -> bool:
        held &= ~Qt.KeyboardModifier.KeypadModifier
        if held == Qt.KeyboardModifier.ControlModifier:
            return True
        return self.enter_sends and held == Qt.KeyboardModifier.NoModifier

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Pictures can be pasted too."""
        return shows_picture(source) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Pastes text; a picture is passed on."""
        if shows_picture(source):
            self.data_pasted.emit(source)
        else:
            super().insertFromMimeData(source)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tells the card around it."""
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Tells the card around it."""
        super().focusOutEvent(event)
        self.focus_changed.emit(False)


class Composer(QFrame):
    """The rounded card at the foot of the chat."""

    send_wanted = Signal(str, object)
    stop_wanted = Signal()
    attach_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("composer")
        self.setMaximumWidth(800)
        self._ready = False
        self._answering = False
        self._has_limit = False
        self.edit = MessageEdit()
        self.edit.submitted.connect(self._submit)
        self.edit.textChanged.connect(self._refresh)
        self.edit.focus_changed.connect(self._mark_focus)
        self.pictures = AttachmentStrip(self.edit)
        self.pictures.changed.connect(self._refresh)
        self.attach = IconButton("paperclip", self.tr("Attach files"))
        self.attach.clicked.connect(self.attach_wanted)
        self.documents = IconButton("book-open", self.tr("Answer from my documents"), self.tr(" Documents"), size=15)
        self.documents.setProperty("pill", True)
        self.documents.setCheckable(True)
        self.documents.toggled.connect(lambda on: self.documents.set_icon("book-open", "accent" if on else "dim"))
        self.documents.setChecked(True)
        self.picker = ProviderPicker()
        self.picker.changed.connect(self._show_ending)
        self.ending = PlainLabel("", wraps=True)
        self.ending.setStyleSheet("font-size: 12px")
        self.ending.hide()
        self.send = self._round("arrow-up", self.tr("Send"))
        self.send.clicked.connect(self._submit)
        self.stop = self._round("square", self.tr("Stop"))
        self.stop.clicked.connect(self.stop_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 12, 10)
        column.setSpacing(6)
        column.addWidget(self.ending)
        column.addWidget(self.pictures)
        column.addWidget(self.edit)
        column.addLayout(self._row())
        self.setTabOrder(self.edit, self.attach)
        self._refresh()

    def _row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        for widget in (self.attach, self.documents, self.picker):
            row.addWidget(widget)
        row.addStretch()
        row.addWidget(self._money())
        row.addSpacing(6)
        row.addWidget(self.send)
        row.addWidget(self.stop)
        return row

    def _money(self) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        self._spent = PlainLabel("", "dim")
        self._spent.setStyleSheet("font-size: 11px")
        self._meter = Meter(self.tr("Spent today"), 120)
        column.addWidget(self._spent)
        column.addWidget(self._meter)
        self._money_box = box
        box.hide()
        return box

    def _round(self, icon_name: str, name: str) -> IconButton:
        button = IconButton(icon_name, name, tone="on_accent", size=18 if icon_name == "arrow-up" else 14)
        button.setObjectName("send")
        button.setFixedSize(QSize(34, 34))
        return button

    def _show_ending(self) -> None:
        """Says above the message that the chosen model has ended or is about to; sending stays possible."""
        words, tone = ending_words(self.picker.choice)
        self.ending.set_look("error", tone == "ended")
        self.ending.set_look("warn", tone == "ending")
        self.ending.setText(words)
        self.ending.setVisible(bool(words))

    def set_ready(self, ready: bool) -> None:
        """Allows sending; before that only typing."""
        self._ready = ready
        self._refresh()

    def set_answering(self, answering: bool) -> None:
        """Shows Stop while an answer comes, Send otherwise."""
        had_focus = self.stop.hasFocus() or self.send.hasFocus()
        self._answering = answering
        self._refresh()
        if had_focus:
            self.edit.setFocus()

    def set_money(self, spent: Decimal, limit: Decimal | None) -> None:
        """Shows what was spent today against the limit; nothing where no limit is set."""
        self._has_limit = limit is not None
        self._fit_money()
        if limit is not None:
            share = float(spent / limit) if limit else 1.0
            self._spent.setText(self.tr("{0} of {1} today").format(usd(spent), usd(limit)))
            self._meter.set_share(share, "over" if share >= 1 else "warn" if share >= 0.8 else "")

    def _fit_money(self) -> None:
        self._money_box.setVisible(self._has_limit and self.width() >= NARROW_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leaves the money out where there is no room; the status line has it too."""
        super().resizeEvent(event)
        self._fit_money()

    def text(self) -> str:
        """Returns the message as typed."""
        return self.edit.toPlainText()

    def set_text(self, text: str) -> None:
        """Puts a message into the editor, the cursor at its end."""
        self.edit.setPlainText(text)
        self.edit.moveCursor(self.edit.textCursor().MoveOperation.End)

    def _mark_focus(self, focused: bool) -> None:
        self.setProperty("focused", focused)
        restyle(self)

    def _refresh(self) -> None:
        self.edit.setPlaceholderText(
            self.tr("Message VPA, or drop files here") if self._ready else self.tr("Starting; you can already write")
        )
        self.send.setVisible(not self._answering)
        self.stop.setVisible(self._answering)
        self.send.setEnabled(self._can_send())

    def _can_send(self) -> bool:
        return self._ready and bool(self.text().strip()) and not self.pictures.is_reading

    def _submit(self) -> None:
        text = self.text().strip()
        if self._can_send():
            self.edit.clear()
            self.send_wanted.emit(text, self.pictures.take())


def shows_picture(data: QMimeData) -> bool:
    """Says whether there are pictures in a drag or on the clipboard; text that comes with its own image is text."""
    if paths := dropped_paths(data):
        return any(is_picture(path) for path in paths)
    return data.hasImage() and not data.text().strip()
