"""The question where an answer could pass a spending limit: what is spent, what it could cost, and what may be done.

It asks; it sends nothing. Esc is Cancel, and so is Enter: what costs money is never the default.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from vpa_desktop.ui.widgets import IconLabel, PlainLabel
from vpa_desktop.ui.wording import usd

if TYPE_CHECKING:
    from vpa_desktop.errors import BudgetExceeded


WIDTH_PX = 560


class LimitChoice(IntEnum):
    """What the person chose; closing the dialog is CANCEL."""

    CANCEL = QDialog.DialogCode.Rejected
    SEND_ANYWAY = 2
    ASK_LOCAL = 3
    CHANGE_LIMIT = 4


class LimitDialog(QDialog):
    """Shows one refusal; its result is a LimitChoice."""

    def __init__(self, parent: QWidget, error: BudgetExceeded, *, has_local: bool) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Spending limit"))
        self.setAccessibleName(self.tr("Spending limit"))
        self.setAccessibleDescription(str(error))
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(IconLabel("coins", 22, "warn"))
        head.addWidget(PlainLabel(self._heading(error), "heading"), 1)
        lead = PlainLabel(self._lead(error), wraps=True)
        lead.setMinimumWidth(WIDTH_PX)
        lead.setMinimumHeight(lead.heightForWidth(WIDTH_PX))
        column = QVBoxLayout(self)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        column.setContentsMargins(24, 22, 24, 20)
        column.setSpacing(14)
        column.addLayout(head)
        column.addWidget(lead)
        column.addWidget(self._figures(error))
        column.addSpacing(2)
        column.addLayout(self._buttons(has_local, is_own=not error.whose))

    def _heading(self, error: BudgetExceeded) -> str:
        day = error.period == "daily"
        if error.needed is None:
            return self.tr("The price of this answer is not known")
        if error.spent >= error.limit:
            return self.tr("Your daily limit is used up") if day else self.tr("Your monthly limit is used up")
        return self.tr("Your daily limit could be passed") if day else self.tr("Your monthly limit could be passed")

    def _lead(self, error: BudgetExceeded) -> str:
        kept = self.tr("Nothing was sent, and your question is kept.")
        if error.whose:
            kept = f"{self.tr('{0} sets this limit.').format(error.whose)} {kept}"
        if error.needed is None:
            return self.tr("{0}, so your limit could not be kept. {1}").format(error.why, kept)
        return kept

    def _figures(self, error: BudgetExceeded) -> QFrame:
        day = error.period == "daily"
        rows = [
            (self.tr("Limit per day") if day else self.tr("Limit per month"), usd(error.limit)),
            (self.tr("Spent today") if day else self.tr("Spent this month"), usd(error.spent)),
        ]
        if error.reserved:
            rows.append((self.tr("Set aside for answers on their way"), usd(error.reserved)))
        rows.append((self.tr("This answer could cost up to"), usd(error.needed)))
        card = QFrame()
        card.setProperty("card", True)
        card.setAccessibleName(", ".join(f"{name}: {value}" for name, value in rows))
        column = QVBoxLayout(card)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        for name, value in rows:
            line = QHBoxLayout()
            line.addWidget(PlainLabel(name, "dim"), 1)
            shown = PlainLabel(value, "strong")
            shown.setAccessibleName(f"{name}: {value}")
            line.addWidget(shown)
            column.addLayout(line)
        return card

    def _buttons(self, has_local: bool, *, is_own: bool) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        if is_own:
            anyway = self._button(self.tr("&Send once anyway"), LimitChoice.SEND_ANYWAY)
            anyway.setProperty("danger", True)
            row.addWidget(anyway)
        row.addStretch()
        if has_local:
            row.addWidget(self._button(self.tr("Ask the l&ocal model"), LimitChoice.ASK_LOCAL))
        if is_own:
            row.addWidget(self._button(self.tr("Change the &limit"), LimitChoice.CHANGE_LIMIT))
        cancel = self._button(self.tr("Cancel"), LimitChoice.CANCEL)
        cancel.setDefault(True)
        cancel.setFocus()
        row.addWidget(cancel)
        return row

    def _button(self, text: str, choice: LimitChoice) -> QPushButton:
        button = QPushButton(text)
        button.setAccessibleName(text.replace("&", ""))
        button.setAutoDefault(False)
        button.clicked.connect(lambda: self.done(choice))
        return button
