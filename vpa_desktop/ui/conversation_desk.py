"""The coroutine beside the conversation list: loading, opening, renaming, exporting, deleting. Draws nothing itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from vpa_desktop.ui.dialogs import ask_text, choose_new_file, confirm

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from vpa_desktop.records import ConversationRecord
    from vpa_desktop.ui.chat.presenter import ChatPresenter
    from vpa_desktop.ui.chat.view import ChatView
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.sidebar import Sidebar
    from vpa_desktop.ui.tasks import TaskOwner


class ConversationDesk(QObject):
    """Keeps the list in the sidebar true, and acts on what the person does there."""

    opened = Signal()

    def __init__(
        self, parent: QWidget, sidebar: Sidebar, presenter: ChatPresenter, view: ChatView, tasks: TaskOwner
    ) -> None:
        super().__init__(parent)
        self._window, self._sidebar, self._presenter, self._view, self._tasks = (
            parent,
            sidebar,
            presenter,
            view,
            tasks,
        )
        self._backend: Backend | None = None
        self._records: dict[str, ConversationRecord] = {}
        listing = sidebar.conversations
        listing.opened.connect(self._open)
        listing.renamed.connect(self._rename)
        listing.export_wanted.connect(self._export)
        listing.delete_wanted.connect(self._delete)
        sidebar.search_changed.connect(lambda _: self.refresh())
        presenter.listed_changed.connect(self.refresh)
        presenter.shown_changed.connect(self._on_shown)
        sidebar.export_all_wanted.connect(self.export_all)
        view.header.rename_wanted.connect(self._ask_rename)
        view.header.export_wanted.connect(self.export_shown)
        view.header.delete_wanted.connect(lambda: self._delete(presenter.chat.id or ""))

    def attach(self, backend: Backend) -> None:
        """From now on conversations can be listed."""
        self._backend = backend
        self.refresh()

    def refresh(self) -> None:
        """Loads the list again, with the words searched for."""
        if self._backend is not None:
            self._tasks.spawn("conversations", self._load(self._backend, self._sidebar.search.text().strip()))

    async def _load(self, backend: Backend, words: str) -> None:
        await self._name_new(backend)
        records = await backend.list_conversations(words)
        self._records = {record.id: record for record in records}
        self._sidebar.conversations.set_records(records, self._presenter.chat.id)
        self._sidebar.say_nothing_found(words, len(records))

    async def _name_new(self, backend: Backend) -> None:
        """Gives a conversation that was stored without a title the first words of its first message."""
        chat = self._presenter.chat
        if chat.id is None or not chat.title or chat.named:
            return
        chat.named = True
        listed = {record.id: record for record in await backend.list_conversations()}
        if chat.id in listed and not listed[chat.id].title:
            await backend.rename_conversation(chat.id, chat.title)

    def _on_shown(self, conversation_id: str) -> None:
        self._sidebar.conversations.select(conversation_id or None)
        self._view.header.set_stored(bool(conversation_id))

    def _open(self, conversation_id: str) -> None:
        if (record := self._records.get(conversation_id)) is not None:
            self._presenter.open(record)
            self.opened.emit()

    def _rename(self, conversation_id: str, title: str) -> None:
        if self._backend is not None:
            self._tasks.spawn(f"rename {conversation_id}", self._do_rename(self._backend, conversation_id, title))

    async def _do_rename(self, backend: Backend, conversation_id: str, title: str) -> None:
        await backend.rename_conversation(conversation_id, title)
        self._presenter.retitle(conversation_id, title)
        self.refresh()

    def _ask_rename(self) -> None:
        if self._backend is not None and self._presenter.chat.id:
            self._tasks.spawn("ask rename", self._rename_asked(self._backend, self._presenter.chat.id))

    async def _rename_asked(self, backend: Backend, conversation_id: str) -> None:
        title = await ask_text(
            self._window, self.tr("Rename"), self.tr("Title of the conversation"), self._view.header.title()
        )
        if title:
            await self._do_rename(backend, conversation_id, title)

    def export_shown(self) -> None:
        """Exports the conversation that is shown, where it is stored."""
        self._export(self._presenter.chat.id or "")

    def export_all(self) -> None:
        """Exports every conversation, also those that the search leaves out."""
        if self._backend is not None:
            self._tasks.spawn("export", self._do_export(self._backend, [], self.tr("All conversations")))

    def _export(self, conversation_id: str) -> None:
        if self._backend is not None and conversation_id:
            title = self._title_of(conversation_id)
            self._tasks.spawn("export", self._do_export(self._backend, [conversation_id], title))

    async def _do_export(self, backend: Backend, ids: list[str], title: str) -> None:
        kinds = {
            self.tr("Web page, for reading"): ".html",
            self.tr("Markdown"): ".md",
            self.tr("JSON, to take in again"): ".json",
        }
        name = " ".join(re.sub(r"[^\w-]+", " ", title).split())[:60] or self.tr("Conversation")
        path = await choose_new_file(self._window, self.tr("Export “{0}”").format(title), name, kinds)
        if path is not None:
            await backend.archive.export(ids, path, overwrite=True)

    def _title_of(self, conversation_id: str) -> str:
        record = self._records.get(conversation_id)
        return record.title if record is not None else self._view.header.title()

    def _delete(self, conversation_id: str) -> None:
        if self._backend is not None and conversation_id:
            self._tasks.spawn("delete", self._do_delete(self._backend, conversation_id))

    async def _do_delete(self, backend: Backend, conversation_id: str) -> None:
        title = self._title_of(conversation_id)
        sure = await confirm(
            self._window,
            self.tr("Delete conversation"),
            self.tr("Delete “{0}”?").format(title),
            self.tr("Its messages are removed for good. This cannot be undone."),
            self.tr("Delete"),
        )
        if sure:
            self._presenter.forget(conversation_id)
            await backend.delete_conversation(conversation_id)
            self.refresh()
