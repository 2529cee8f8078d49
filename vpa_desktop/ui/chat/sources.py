"""The source of a citation: which document and page, and the passage marked within its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFont, QTextBlockFormat, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QTextEdit, QToolButton, QVBoxLayout, QWidget

from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.markdown import breakable, visible
from vpa_desktop.ui.chat.panel import SidePanel, label
from vpa_desktop.ui.chat.segments import SafeDocument
from vpa_desktop.ui.theme import LIGHT, Theme, text_font

if TYPE_CHECKING:
    from vpa_desktop.messages import Citation

MAX_PASSAGE = 20_000


class SourcePanel(SidePanel):
    """Shows one citation, or the list of an answer's citations to choose from."""

    citation_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None, theme: Theme = LIGHT) -> None:
        self._shown: tuple[Citation, str, str, str] | None = None
        self.passage: QTextEdit | None = None
        super().__init__("Sources", parent, theme)

    def show_citation(self, citation: Citation, before: str = "", passage: str = "", after: str = "") -> None:
        """Shows a citation; without ``passage`` the citation's own text."""
        self._shown = (citation, before, passage or citation.text, after)
        self.heading.setText(f"Source {citation.n}")
        body, column = _page()
        column.addWidget(label(visible(citation.document or citation.title), strong=True, selectable=True))
        for line in _where(citation):
            column.addWidget(label(line, dim=True))
        self.passage = self._passage(before, passage or citation.text, after)
        column.addWidget(self.passage, 1)
        self.show_content(body)
        self.passage.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_list(self, citations: tuple[Citation, ...]) -> None:
        """Lists an answer's citations; choosing one emits ``citation_chosen``."""
        self._shown = None
        self.heading.setText("Sources")
        body, column = _page()
        if not citations:
            column.addWidget(label("This answer was given without passages from your documents.", dim=True))
        for citation in citations:
            column.addWidget(self._choice(citation))
        column.addStretch(1)
        self.show_content(body)
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def restyle(self) -> None:
        """Marks the passage in the new colours."""
        if self._shown is not None:
            self.show_citation(*self._shown)

    def _choice(self, citation: Citation) -> QToolButton:
        button = QToolButton()
        name, where = wording.chip(citation)
        button.setText(f"{citation.n}   {name}   {where}".rstrip().replace("&", "&&"))
        button.setAccessibleName(wording.chip_label(citation))
        button.setProperty("chip", True)
        button.clicked.connect(lambda: self.citation_chosen.emit(citation.n))
        return button

    def _passage(self, before: str, passage: str, after: str) -> QTextEdit:
        view = QTextEdit()
        view.setDocument(_document(view, self.theme, before, passage, after))
        view.setReadOnly(True)
        view.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        view.setFrameShape(QFrame.Shape.NoFrame)
        view.setStyleSheet(f"QTextEdit {{ background: {self.theme.bg}; border: 0; padding: 0; }}")
        view.setAccessibleName("Passage")
        view.setTabChangesFocus(True)
        start = QTextCursor(view.document())
        start.setPosition(len(_plain(before[-MAX_PASSAGE:])))
        view.setTextCursor(start)
        view.ensureCursorVisible()
        return view


def _where(citation: Citation) -> list[str]:
    page = f"Page {citation.page}" if citation.page is not None else ""
    place = "  ·  ".join(part for part in (page, visible(citation.section)) if part)
    path = visible(citation.path) if citation.path and citation.path != citation.document else ""
    return [line for line in (place, path) if line]


def _plain(text: str) -> str:
    return breakable(visible(text.replace("\r\n", "\n").replace("\r", "\n")))


def _document(owner: QWidget, theme: Theme, before: str, passage: str, after: str) -> SafeDocument:
    document = SafeDocument(owner)
    document.setDefaultFont(text_font(14))
    cursor = QTextCursor(document)
    lines = QTextBlockFormat()
    lines.setLineHeight(145, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    cursor.setBlockFormat(lines)
    around, marked = QTextCharFormat(), QTextCharFormat()
    around.setForeground(QColor(theme.dim))
    marked.setForeground(QColor(theme.text))
    marked.setBackground(QColor(theme.mark))
    marked.setFontWeight(QFont.Weight.Medium.value)
    cursor.insertText(_plain(before[-MAX_PASSAGE:]), around)
    cursor.insertText(_plain(passage[:MAX_PASSAGE]), marked)
    cursor.insertText(_plain(after[:MAX_PASSAGE]), around)
    return document


def _page() -> tuple[QWidget, QVBoxLayout]:
    body = QWidget()
    column = QVBoxLayout(body)
    column.setContentsMargins(20, 4, 20, 16)
    column.setSpacing(8)
    return body, column
