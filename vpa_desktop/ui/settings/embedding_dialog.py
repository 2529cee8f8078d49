"""Chooses what finds passages by meaning: the models there are, and what the chosen one costs and where text goes.

It says so before anything is sent, asks nobody itself, and Enter alone never agrees to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from vpa_desktop.embedding_words import cost_in_words, price_in_words, privacy_in_words
from vpa_desktop.ui.widgets import ChoiceBox, IconLabel, PlainLabel, restyle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QKeyEvent

    from vpa_desktop.embedding import EmbeddingOffer, EmbeddingQuote

WIDTH_PX: Final = 580
OTHER: Final = ""
"""The entry under which a name is typed."""


class EmbeddingDialog(QDialog):
    """``wanted`` carries a choice whose quote is to be shown, ``agreed`` the one that is to count from now on."""

    wanted = Signal(str)
    agreed = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Embedding model"))
        self.setAccessibleName(self.tr("Embedding model"))
        self.setFixedWidth(WIDTH_PX + 48)
        self._quote: EmbeddingQuote | None = None
        self._current = ""
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(IconLabel("file-text", 22, "accent"))
        head.addWidget(PlainLabel(self.tr("What finds passages by their meaning"), "heading"), 1)
        lead = self.tr(
            "The model before goes on answering until the new one has read all passages. Words are always searched too."
        )
        self.box = ChoiceBox()
        self.box.setAccessibleName(self.tr("Model"))
        self.box.addItem(self.tr("Looking for models…"))
        self.box.setEnabled(False)
        self.box.activated.connect(self._chosen)
        self.other = QLineEdit()
        self.other.setAccessibleName(self.tr("Name of the model"))
        self.other.setPlaceholderText(self.tr("provider/model, a folder, or a name on the hub"))
        self.other.setAcceptDrops(False)
        self.other.editingFinished.connect(self._typed)
        self.other.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 20)
        column.setSpacing(14)
        column.addLayout(head)
        column.addWidget(PlainLabel(lead, "dim", wraps=True))
        column.addWidget(self.box)
        column.addWidget(self.other)
        column.addWidget(self._figures())
        self._said = PlainLabel("", "error", wraps=True)
        self._said.hide()
        column.addWidget(self._said)
        column.addLayout(self._buttons())

    def _figures(self) -> QFrame:
        self._card = QFrame()
        self._card.setProperty("card", True)
        column = QVBoxLayout(self._card)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        self._price, self._cost = PlainLabel("", "strong", wraps=True), PlainLabel("", wraps=True)
        self._icon = IconLabel("shield", 16, "ok")
        self._privacy = PlainLabel("", wraps=True)
        line = QHBoxLayout()
        line.setSpacing(10)
        line.addWidget(self._icon)
        line.addWidget(self._privacy, 1)
        column.addWidget(self._price)
        column.addWidget(self._cost)
        column.addLayout(line)
        self._card.hide()
        return self._card

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.use = QPushButton(self.tr("Use this model"))
        self.use.setAutoDefault(False)
        self.use.setEnabled(False)
        self.use.clicked.connect(self._agree)
        row.addWidget(self.use)
        row.addStretch()
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.setDefault(True)
        self.cancel.clicked.connect(self.reject)
        row.addWidget(self.cancel)
        return row

    # What is shown

    def show_offers(self, offers: Sequence[EmbeddingOffer]) -> None:
        """Lists the models; one that cannot be used now says why where the pointer rests."""
        self.box.clear()
        for offer in offers:
            self.box.addItem(self._words(offer), offer.choice)
            self.box.setItemData(self.box.count() - 1, offer.note, Qt.ItemDataRole.ToolTipRole)
        self.box.addItem(self.tr("Another model…"), OTHER)
        self.box.setEnabled(True)
        current = next((n for n, offer in enumerate(offers) if offer.is_current), 0)
        self._current = offers[current].choice
        self.box.setCurrentIndex(current)
        self.box.setFocus()
        self.wanted.emit(self._current)

    def _words(self, offer: EmbeddingOffer) -> str:
        parts = [offer.name]
        if offer.note:
            parts.append(self.tr("not now"))
        if offer.is_current:
            parts.append(self.tr("in use"))
        return " · ".join(parts)

    def show_quote(self, quote: EmbeddingQuote, *, keeps_error: bool = False) -> None:
        """Says what a model costs and where text goes; the button says what it does."""
        if quote.choice != self.choice():
            return
        self._quote = quote
        if not keeps_error:
            self.tell("")
        self._price.setText(price_in_words(quote, _tr))
        self._cost.setText(cost_in_words(quote, _tr))
        self._cost.setVisible(bool(self._cost.text()))
        self._privacy.setText(privacy_in_words(quote, _tr))
        self._icon.set_icon("triangle-alert" if quote.host else "shield", "warn" if quote.host else "ok")
        self._card.setAccessibleName(" ".join(w.text() for w in (self._price, self._cost, self._privacy) if w.text()))
        self._card.show()
        if quote.host:
            self._offer(self.tr("Send my text to {0}").format(quote.host), sends=True)
        else:
            self._offer(self.tr("Use this model"), is_ready=quote.choice != self._current)
        self._fit()

    def _offer(self, text: str, *, is_ready: bool = True, sends: bool = False) -> None:
        """What the button says it does; one that sends something looks like what it is."""
        self.use.setText(text)
        self.use.setAccessibleName(text)
        self.use.setEnabled(is_ready)
        self.use.setProperty("danger", sends)
        restyle(self.use)

    def tell(self, error: str) -> None:
        """Shows what went wrong, or that nothing did."""
        self._said.setText(error)
        self._said.setVisible(bool(error))
        if error:
            self.set_busy(False)
        self._fit()

    def set_busy(self, is_busy: bool) -> None:
        """While a choice is tried nothing else can be chosen; it can be left."""
        self.box.setEnabled(not is_busy)
        self.other.setEnabled(not is_busy)
        self.use.setEnabled(not is_busy)
        if is_busy:
            self.use.setText(self.tr("Trying the model…"))

    def refused(self, error: str) -> None:
        """Shows why a model has no quote: it cannot be chosen."""
        self._quote = None
        self._card.hide()
        self.tell(error)
        self._offer(self.tr("Use this model"), is_ready=False)
        self._fit()

    # What is chosen

    def choice(self) -> str:
        """Returns what the setting would say."""
        listed = self.box.currentData()
        return self.other.text().strip() if listed == OTHER else str(listed or "")

    def _chosen(self, _: int) -> None:
        is_other = self.box.currentData() == OTHER
        self.other.setVisible(is_other)
        if is_other:
            self.refused("")
            self.other.setFocus()
        else:
            self._ask()
        self._fit()

    def _typed(self) -> None:
        is_new = self._quote is None or self._quote.choice != self.choice()
        if self.other.isVisible() and self.other.text().strip() and is_new:
            self._ask()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter behind a typed name asks for its price, and closes nothing."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.other.hasFocus():
            self._typed()
            return
        super().keyPressEvent(event)

    def _ask(self) -> None:
        self._quote = None
        self.use.setEnabled(False)
        self.wanted.emit(self.choice())

    def _agree(self) -> None:
        if self._quote is not None and self._quote.choice == self.choice():
            self.set_busy(True)
            self.agreed.emit(self._quote.choice)

    def _fit(self) -> None:
        for label in (self._price, self._cost, self._privacy, self._said):
            label.setMinimumHeight(max(0, label.heightForWidth(WIDTH_PX - 64)))
        self.adjustSize()


def _tr(text: str) -> str:
    """A sentence of ``embedding_words`` in the person's language."""
    return QCoreApplication.translate("EmbeddingWords", text)
