"""What opens beside a conversation: the sources of an answer, its route receipt. And links, which lead outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt

from vpa_desktop.ui.chat import wording
from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from vpa_desktop.evidence import Feedback, LeftOut
    from vpa_desktop.messages import Citation
    from vpa_desktop.page_views import Place
    from vpa_desktop.records import MessageRecord
    from vpa_desktop.ui.chat.panel import SidePanel
    from vpa_desktop.ui.chat.view import ChatView
    from vpa_desktop.ui.documents.viewer import ViewerPanel
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
        view.answer_ended.connect(self._go_along)

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

    def _go_along(self, message_id: str) -> None:
        """Shows a new answer's sources where those of another one are shown; the keys stay where they are."""
        from vpa_desktop.ui.chat.sources import SourcePanel

        if isinstance(panel := self._view.panel(), SourcePanel):
            at = panel.window().focusWidget()
            self._show_sources(message_id, takes_focus=at is not None and (at is panel or panel.isAncestorOf(at)))

    def _show_sources(self, message_id: str, *, takes_focus: bool = True) -> None:
        from vpa_desktop.ui.chat.sources import SourcePanel

        message = self._view.message(message_id)
        if message is not None:
            panel = SourcePanel(theme=theme_now())
            panel.citation_chosen.connect(lambda n: self._show_passage(message, n, from_sources=True))
            panel.left_out_chosen.connect(lambda passage: self._show_left_out(message, passage))
            panel.feedback_given.connect(lambda feedback: self._keep_feedback(message.id, feedback))
            panel.show_sources(message, self._feedback.get(message.id, message.feedback))
            self._open(panel)
            if takes_focus:
                panel.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_citation(self, message_id: str, n: int) -> None:
        message = self._view.message(message_id)
        if message is not None and any(c.n == n for c in message.citations):
            self._show_passage(message, n)

    def step(self, by: int) -> None:
        """Goes on to the next source of the answer, or opens the first of the answer that is current or the last."""
        from vpa_desktop.ui.documents.viewer import ViewerPanel

        if isinstance(panel := self._view.panel(), ViewerPanel):
            panel.step_wanted.emit(by)
        elif (message := self._answer_with_sources()) is not None:
            self._show_passage(message, wording.named(message)[0 if by > 0 else -1].n)

    def _answer_with_sources(self) -> MessageRecord | None:
        """The answer that the keyboard is at where it has sources, else the last one that has."""
        transcript = self._view.transcript
        current = transcript.messages[transcript.current : transcript.current + 1] if transcript.current >= 0 else []
        return next((m for m in (*current, *reversed(transcript.messages)) if m.citations), None)

    def _open(self, panel: SidePanel) -> None:
        panel.closed.connect(lambda: self._view.set_panel(None))
        self._view.set_panel(panel)

    def _show_passage(self, message: MessageRecord, n: int, *, from_sources: bool = False) -> None:
        citation = next(c for c in message.citations if c.n == n)
        panel = self._desk().open(_place(citation), self._heading(citation), from_sources=from_sources)
        panel.sources_wanted.connect(lambda: self._show_sources(message.id))
        panel.step_wanted.connect(lambda by: self._step_from(panel, message, by))
        self._open(panel)
        self._tell(panel, message, citation)

    def _step_from(self, panel: ViewerPanel, message: MessageRecord, by: int) -> None:
        listed, at = _listed(message, panel.place)
        if len(listed) > 1:
            citation = listed[(at + by) % len(listed)]
            panel.move_to(_place(citation), self._heading(citation))
            self._tell(panel, message, citation)

    def _tell(self, panel: ViewerPanel, message: MessageRecord, citation: Citation) -> None:
        """Has a viewer show the source it is at."""
        listed, at = _listed(message, panel.place)
        panel.say_place(citation.document or citation.title, *wording.where(citation))
        panel.stepper.show_place(at + 1, len(listed))
        self._desk().fetch(panel)

    def _heading(self, citation: Citation) -> str:
        return self.tr("Source {0}").format(citation.n)

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


def _listed(message: MessageRecord, place: Place) -> tuple[tuple[Citation, ...], int]:
    """The sources that can be stepped through, and which of them a viewer is at: those that the answer names, and all
    that were sent where it is at another one."""
    for some in (wording.named(message), message.citations):
        for at, citation in enumerate(some):
            if _place(citation) == place:
                return some, at
    return (), 0


def _place(citation: Citation) -> Place:
    from vpa_desktop.page_views import Place

    return Place(citation.document_id, citation.page, citation.chunk_id, citation.text, citation.start, citation.end)
