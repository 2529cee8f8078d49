"""The help: the README's sections beside a list that can be searched. What they say is the README's business."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from vpa_desktop.errors import VPAError
from vpa_desktop.manual import Topic, find_topics, read_topics
from vpa_desktop.ui.chat.markdown import parse
from vpa_desktop.ui.chat.markup import MarkupWriter
from vpa_desktop.ui.chat.segments import SafeDocument, SegmentStyle
from vpa_desktop.ui.theme import text_font
from vpa_desktop.ui.widgets import PlainLabel, SearchLine, theme_now

_HERE = "help.invalid"
"""The host that stands for another section: the writer lets web addresses through and nothing else."""


class HelpDialog(QDialog):
    """The help. Typing searches all sections; the list shows those that have the words.

    ``link_wanted`` comes with the address of a link that leads elsewhere.
    """

    link_wanted = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Help"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(980, 700)
        self.search = SearchLine(self.tr("Search the help"), self.tr("Search the help"), has_icon=True)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Topics"))
        self.list.setFixedWidth(250)
        self.page = QTextBrowser()
        self.page.setAccessibleName(self.tr("Help text"))
        self.page.setOpenLinks(False)
        self.nothing = PlainLabel(self.tr("No section has these words."), "dim", wraps=True)
        self.nothing.hide()
        self._lay_out()
        self.search.textChanged.connect(self._show_found)
        self.search.returnPressed.connect(self.list.setFocus)
        self.list.currentRowChanged.connect(self._show_topic)
        self.page.anchorClicked.connect(self._follow)
        self._topics: list[Topic] = []
        self._found: list[Topic] = []
        self._load()
        self.search.setFocus()

    def _lay_out(self) -> None:
        side = QVBoxLayout()
        side.addWidget(self.search)
        side.addWidget(self.nothing)
        side.addWidget(self.list, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 16, 16, 16)
        row.setSpacing(16)
        row.addLayout(side)
        row.addWidget(self.page, 1)

    def _load(self) -> None:
        try:
            self._topics = [topic for topic in read_topics() if topic.level > 1 and topic.text]
        except VPAError as error:
            self.page.setPlainText(str(error))
        self._show_found("")

    def _show_found(self, text: str) -> None:
        words = text.split()
        self._found = find_topics(words, self._topics) if words else self._topics
        self.list.blockSignals(True)
        self.list.clear()
        for topic in self._found:
            indent = "" if words else "    " * (topic.level - 2)
            QListWidgetItem(indent + topic.title, self.list)
        self.list.blockSignals(False)
        self.nothing.setVisible(not self._found)
        if self._found:
            self.list.setCurrentRow(0)
            self._show_topic(0)

    def _show_topic(self, row: int) -> None:
        if 0 <= row < len(self._found):
            self._render(self._found[row])

    def _render(self, topic: Topic) -> None:
        style = SegmentStyle(theme_now())
        document = SafeDocument(self.page)
        document.setDefaultFont(text_font(style.text_px))
        document.setDefaultStyleSheet(
            style.sheet() + f" h2{{color:{style.text_colour}}} a{{color:{style.theme.accent}}}"
        )
        document.setDocumentMargin(20)
        document.setHtml(_as_html(topic, style))
        self.page.setDocument(document)
        if words := self.search.text().split():
            self.page.find(words[0])

    def _follow(self, url: QUrl) -> None:
        """Shows the section that a link names; any other address is asked about first, as in an answer."""
        if url.host() != _HERE:
            self.link_wanted.emit(url.toString())
            return
        self.search.clear()
        anchors = [topic.anchor for topic in self._found]
        if url.fragment() in anchors:
            self.list.setCurrentRow(anchors.index(url.fragment()))


def _as_html(topic: Topic, style: SegmentStyle) -> str:
    writer = MarkupWriter(style.theme)
    text = topic.text.replace("](#", f"](https://{_HERE}/#")
    return "".join(writer.write(block) for block in parse(f"## {topic.title}\n\n{text}"))
