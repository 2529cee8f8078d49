"""What opens beside a conversation: the sources of an answer, its route receipt. And links, which lead outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from vpa_desktop.evidence import Feedback, LeftOut
    from vpa_desktop.messages import Citation
    from vpa_desktop.page_views import Place
    from vpa_desktop.records import MessageRecord
    from vpa_desktop.ui.chat.panel import SidePanel
    from vpa_desktop.ui.chat.view import ChatView
    from vpa_desktop.ui.documents.viewer_desk import ViewerDesk
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner


class SidePanels(QObject):
    """Answers the transcript's wishes for something to look at."""

    def __init__(self, view: ChatView, tasks: TaskOwner) -> None:
        super().__init__(view)
        self._view, self._tasks = view, tasks
        self._backend: Backend | None = None
        self._viewers: ViewerDesk | None = None
        self._feedback: dict[str, Feedback] = {}
        transcript = view.transcript
        transcript.citation_clicked.connect(self._show_citation)
        transcript.sources_requested.connect(self._show_sources)
        transcript.receipt_requested.connect(self._show_receipt)
        transcript.link_activated.connect(self.follow)

    def attach(self, backend: Backend) -> None:
        """From now on documents can be opened at a passage."""
        self._backend = backend
        if self._viewers is not None:
            self._viewers.attach(backend)

    def follow(self, link: str) -> None:
        """Asks about a link and opens it after a yes."""
        from vpa_desktop.ui.links import follow

        self._tasks.spawn("link", follow(self._view.window(), link))

    def _show_receipt(self, message_id: str) -> None:
        from vpa_desktop.ui.chat.receipt import ReceiptPanel

        message = self._view.message(message_id)
        if message is not None:
            panel = ReceiptPanel(theme=theme_now())
            panel.show_receipt(message)
            self._open(panel)

    def _show_sources(self, message_id: str) -> None:
        from vpa_desktop.ui.chat.sources import SourcePanel

        message = self._view.message(message_id)
        if message is not None:
            panel = SourcePanel(theme=theme_now())
            panel.citation_chosen.connect(lambda n: self._show_passage(message, n, from_sources=True))
            panel.left_out_chosen.connect(lambda passage: self._show_left_out(message, passage))
            panel.feedback_given.connect(lambda feedback: self._keep_feedback(message.id, feedback))
            panel.show_sources(message, self._feedback.get(message.id, message.feedback))
            self._open(panel)

    def _show_citation(self, message_id: str, n: int) -> None:
        message = self._view.message(message_id)
        if message is not None and any(c.n == n for c in message.citations):
            self._show_passage(message, n)

    def _open(self, panel: SidePanel) -> None:
        panel.closed.connect(lambda: self._view.set_panel(None))
        self._view.set_panel(panel)

    def _show_passage(self, message: MessageRecord, n: int, *, from_sources: bool = False) -> None:
        from vpa_desktop.ui.chat import wording

        citation = next(c for c in message.citations if c.n == n)
        desk = self._desk()
        panel = desk.open(_place(citation), self.tr("Source {0}").format(n), from_sources=from_sources)
        panel.say_place(citation.document or citation.title, *wording.where(citation))
        panel.sources_wanted.connect(lambda: self._show_sources(message.id))
        self._open(panel)
        desk.fetch(panel)

    def _show_left_out(self, message: MessageRecord, passage: LeftOut) -> None:
        from vpa_desktop.page_views import Place

        desk = self._desk()
        place = Place(passage.document_id, passage.page, passage.chunk_id, passage.text)
        panel = desk.open(place, self.tr("Not used"), from_sources=True)
        page = self.tr("Page {0}").format(passage.page) if passage.page is not None else ""
        panel.say_place(passage.document, page, passage.section)
        panel.sources_wanted.connect(lambda: self._show_sources(message.id))
        self._open(panel)
        desk.fetch(panel)

    def _keep_feedback(self, message_id: str, feedback: Feedback) -> None:
        self._feedback[message_id] = feedback
        if self._backend is not None:
            self._tasks.spawn("feedback", self._backend.give_feedback(message_id, feedback))

    def _desk(self) -> ViewerDesk:
        from vpa_desktop.ui.documents.viewer_desk import ViewerDesk

        if self._viewers is None:
            self._viewers = ViewerDesk(self._tasks, "chat")
            if self._backend is not None:
                self._viewers.attach(self._backend)
        return self._viewers


def _place(citation: Citation) -> Place:
    from vpa_desktop.page_views import Place

    return Place(citation.document_id, citation.page, citation.chunk_id, citation.text, citation.start, citation.end)
