"""The sources of an answer, to choose from: each opens in the viewer at its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.panel import SidePanel, label
from vpa_desktop.ui.theme import LIGHT, Theme

if TYPE_CHECKING:
    from vpa_desktop.messages import Citation
    from vpa_desktop.records import MessageRecord


class SourcePanel(SidePanel):
    """Lists what an answer was made from."""

    citation_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None, theme: Theme = LIGHT) -> None:
        super().__init__("Sources", parent, theme)

    def show_sources(self, message: MessageRecord) -> None:
        """Lists an answer's citations; choosing one emits ``citation_chosen``."""
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(20, 4, 20, 16)
        column.setSpacing(8)
        if not message.citations:
            column.addWidget(label("This answer was given without passages from your documents.", dim=True))
        for citation in message.citations:
            column.addWidget(self._choice(citation))
        column.addStretch(1)
        self.show_content(body)
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _choice(self, citation: Citation) -> QToolButton:
        button = QToolButton()
        name, where = wording.chip(citation)
        button.setText(f"{citation.n}   {name}   {where}".rstrip().replace("&", "&&"))
        button.setAccessibleName(wording.chip_label(citation))
        button.setProperty("chip", True)
        button.clicked.connect(lambda: self.citation_chosen.emit(citation.n))
        return button
