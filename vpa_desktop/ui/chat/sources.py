"""The sources of an answer: each opens in the viewer at its page. And what was left out, and how far they carry it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from vpa_desktop import evidence_words
from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.chat.markdown import visible
from vpa_desktop.ui.chat.panel import SidePanel, label
from vpa_desktop.ui.theme import LIGHT, Theme
from vpa_desktop.ui.widgets import ElidedLabel, IconButton

if TYPE_CHECKING:
    from vpa_desktop.evidence import Feedback, LeftOut
    from vpa_desktop.messages import Citation
    from vpa_desktop.records import MessageRecord

EXCERPT = 160
MOST_LEFT_OUT = 8


class SourceRow(QPushButton):
    """One passage as a button: its document, its place, how it begins."""

    def __init__(self, name: str, lines: tuple[str, ...], spoken: str, theme: Theme) -> None:
        super().__init__()
        self.setAccessibleName(spoken)
        self.setToolTip(spoken)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setObjectName("source")
        self.setStyleSheet(
            f"#source {{ background: {theme.card}; border: 1px solid {theme.line}; border-radius: 10px; padding: 0; }}"
            f"#source:hover {{ background: {theme.soft}; }} #source:focus {{ border: 2px solid {theme.accent}; }}"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(2)
        column.addWidget(_line(name, "strong"))
        for line in lines:
            column.addWidget(_line(line, "dim"))

    def sizeHint(self) -> QSize:
        """As high as its lines need."""
        inner = self.layout()
        return QSize(200, inner.sizeHint().height() if inner is not None else 40)


class SourcePanel(SidePanel):
    """Lists what an answer was made from, and what not."""

    citation_chosen = Signal(int)
    left_out_chosen = Signal(object)
    feedback_given = Signal(str)

    def __init__(self, parent: QWidget | None = None, theme: Theme = LIGHT) -> None:
        self._shown: tuple[MessageRecord, Feedback] | None = None
        super().__init__("Sources", parent, theme)

    def show_sources(self, message: MessageRecord, feedback: Feedback = "") -> None:
        """Lists an answer's citations; choosing one emits ``citation_chosen``."""
        self._shown = (message, feedback)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(20, 4, 20, 16)
        column.setSpacing(8)
        if searched_for := visible(message.evidence.searched_for):
            column.addWidget(label(self.tr("Searched for: {0}").format(searched_for), dim=True))
        if not message.citations:
            column.addWidget(label(self.tr("This answer was given without passages from your documents."), dim=True))
        named = wording.named(message)
        for citation in named:
            column.addWidget(self._choice(citation))
        self._add_quality(column, message)
        if message.citations or message.evidence.quality is not None:
            column.addLayout(self._feedback(feedback))
        self._add_unnamed(column, [c for c in message.citations if c not in named])
        self._add_left_out(column, message.evidence.left_out)
        column.addStretch(1)
        self.show_content(body)

    def restyle(self) -> None:
        """Shows the same in the new colours."""
        if self._shown is not None:
            self.show_sources(*self._shown)

    def _choice(self, citation: Citation) -> SourceRow:
        where = "  ·  ".join(wording.where(citation))
        others = ", ".join(visible(name) for name in citation.also_in)
        also = self.tr("Also in {0}").format(others) if others else ""
        lines = tuple(line for line in (where, _excerpt(citation.text), also) if line)
        name = f"{citation.n}   {visible(citation.document or citation.title)}"
        spoken = ". ".join(part for part in (wording.chip_label(citation), also) if part)
        row = SourceRow(name, lines, spoken, self.theme)
        row.clicked.connect(lambda: self.citation_chosen.emit(citation.n))
        return row

    def _add_quality(self, column: QVBoxLayout, message: MessageRecord) -> None:
        quality = message.evidence.quality
        if quality is None:
            return
        column.addSpacing(8)
        column.addWidget(label(self.tr("How well they carry the answer"), strong=True))
        column.addWidget(label(f"{evidence_words.summary(quality)}.", selectable=True))
        for head, statements in (
            (self.tr("Not in the passages:"), quality.unsupported),
            (self.tr("In other passages than the ones they name:"), quality.misattributed),
        ):
            if statements:
                column.addWidget(label(head, warn=True))
            for statement in statements:
                column.addWidget(label(f"“{visible(statement)}”", selectable=True))

    def _add_unnamed(self, column: QVBoxLayout, citations: list[Citation]) -> None:
        if citations:
            column.addSpacing(8)
            column.addWidget(label(self.tr("Sent too, but not named in the answer"), strong=True))
        for citation in citations:
            column.addWidget(self._choice(citation))

    def _add_left_out(self, column: QVBoxLayout, left_out: tuple[LeftOut, ...]) -> None:
        if not left_out:
            return
        column.addSpacing(8)
        column.addWidget(label(self.tr("Found, but not used"), strong=True))
        for passage in left_out[:MOST_LEFT_OUT]:
            page = self.tr("p. {0}").format(passage.page) if passage.page is not None else ""
            name = "  ".join(part for part in (visible(passage.document), page) if part)
            spoken = self.tr("Not used: {0}. {1}").format(name, passage.reason)
            row = SourceRow(name, (passage.reason, _excerpt(passage.text)), spoken, self.theme)
            row.clicked.connect(lambda _=False, passage=passage: self.left_out_chosen.emit(passage))
            column.addWidget(row)
        if (more := len(left_out) - MOST_LEFT_OUT) > 0:
            column.addWidget(label(self.tr("and {0} more").format(more), dim=True))

    def _feedback(self, given: Feedback) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(0, 8, 0, 0)
        row.addWidget(label(self.tr("Was this answer right?")), 1)
        for name, icon_name, words in (
            ("good", "thumbs-up", self.tr("This answer is right")),
            ("bad", "thumbs-down", self.tr("This answer is wrong")),
        ):
            button = IconButton(icon_name, words, size=18, tone="accent" if given == name else "dim")
            button.setCheckable(True)
            button.setChecked(given == name)
            button.clicked.connect(lambda on, name=name: self._give(name if on else ""))
            row.addWidget(button)
        return row

    def _give(self, feedback: Feedback) -> None:
        self.feedback_given.emit(feedback)
        if self._shown is not None:
            self.show_sources(self._shown[0], feedback)


def _line(text: str, look: str) -> ElidedLabel:
    made = ElidedLabel(text, look)
    made.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    return made


def _excerpt(text: str) -> str:
    return visible(" ".join(text.split())[:EXCERPT])
