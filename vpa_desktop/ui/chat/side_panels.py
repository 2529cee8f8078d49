"""What opens beside a conversation: the sources of an answer, its route receipt. And links, which lead outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from vpa_desktop.ui.widgets import theme_now

if TYPE_CHECKING:
    from vpa_desktop.messages import Citation
    from vpa_desktop.records import MessageRecord
    from vpa_desktop.ui.chat.panel import SidePanel
    from vpa_desktop.ui.chat.sources import SourcePanel
    from vpa_desktop.ui.chat.view import ChatView
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner


class SidePanels(QObject):
    """Answers the transcript's wishes for something to look at."""

    def __init__(self, view: ChatView, tasks: TaskOwner) -> None:
        super().__init__(view)
        self._view, self._tasks = view, tasks
        self._backend: Backend | None = None
        transcript = view.transcript
        transcript.citation_clicked.connect(self._show_citation)
        transcript.sources_requested.connect(self._show_sources)
        transcript.receipt_requested.connect(self._show_receipt)
        transcript.link_activated.connect(self.follow)

    def attach(self, backend: Backend) -> None:
        """From now on passages can be shown with what stands around them."""
        self._backend = backend

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
            panel.citation_chosen.connect(lambda n: self._show_passage(panel, message, n))
            panel.show_list(message.citations)
            self._open(panel)

    def _show_citation(self, message_id: str, n: int) -> None:
        from vpa_desktop.ui.chat.sources import SourcePanel

        message = self._view.message(message_id)
        if message is not None and any(c.n == n for c in message.citations):
            panel = SourcePanel(theme=theme_now())
            self._open(panel)
            self._show_passage(panel, message, n)

    def _open(self, panel: SidePanel) -> None:
        panel.closed.connect(lambda: self._view.set_panel(None))
        self._view.set_panel(panel)

    def _show_passage(self, panel: SourcePanel, message: MessageRecord, n: int) -> None:
        citation = next(c for c in message.citations if c.n == n)
        panel.show_citation(citation)
        if self._backend is not None:
            self._tasks.spawn("passage", self._fetch(self._backend, panel, citation))

    async def _fetch(self, backend: Backend, panel: SourcePanel, citation: Citation) -> None:
        before, passage, after = await backend.passage_context(citation.chunk_id)
        if self._view.panel() is panel:
            panel.show_citation(citation, before, passage, after)
