"""The settings page Keys: where each provider's key is, never the key. Setting and deleting are the backend's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout

from vpa_desktop.errors import VPAError
from vpa_desktop.ui.dialogs import confirm
from vpa_desktop.ui.settings.form import FormPage, Saver
from vpa_desktop.ui.widgets import Card, IconLabel, PlainLabel

if TYPE_CHECKING:
    from vpa_desktop.records import KeyInfo, ProviderStatus
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner


class KeysPage(FormPage):
    """A card for each provider that takes a key."""

    changed = Signal()

    def __init__(self, tasks: TaskOwner, save: Saver) -> None:
        super().__init__(
            self.tr("Keys"),
            self.tr(
                "Where the key of each provider is. Keys are never shown again, and never written to a file of ours."
            ),
            save,
        )
        self._tasks = tasks
        self._backend: Backend | None = None
        self._cards = QVBoxLayout()
        self._cards.setSpacing(10)
        self.column.addLayout(self._cards)
        self.end()

    def attach(self, backend: Backend) -> None:
        """From now on keys can be listed."""
        self._backend = backend
        self.refresh()

    def refresh(self) -> None:
        """Loads the list again."""
        if self._backend is not None:
            self._tasks.spawn("keys", self._load(self._backend))

    async def _load(self, backend: Backend) -> None:
        keys = {info.provider: info for info in await backend.list_keys()}
        statuses = [s for s in await backend.list_providers() if s.needs_key or s.id in keys]
        while (item := self._cards.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for status in statuses:
            self._cards.addWidget(KeyCard(self, status, keys.get(status.id)))
        if not statuses:
            self._cards.addWidget(PlainLabel(self.tr("No provider that needs a key is set up yet."), "dim"))

    def store(self, card: KeyCard, key: str) -> None:
        """Stores a key and says how that went on its card."""
        if self._backend is not None:
            self._tasks.spawn("set key", self._store(self._backend, card, key))

    async def _store(self, backend: Backend, card: KeyCard, key: str) -> None:
        try:
            await backend.set_key(card.provider, key)
        except VPAError as error:
            card.say(str(error))
            return
        card.key.clear()
        await self._load(backend)
        self.changed.emit()

    def delete(self, card: KeyCard) -> None:
        """Asks, and deletes a key."""
        if self._backend is not None:
            self._tasks.spawn("delete key", self._delete(self._backend, card.provider))

    async def _delete(self, backend: Backend, provider: str) -> None:
        sure = await confirm(
            self.window(),
            self.tr("Delete key"),
            self.tr("Delete the key of {0}?").format(provider),
            self.tr("The provider cannot answer until it has a key again."),
            self.tr("Delete"),
        )
        if sure:
            await backend.delete_key(provider)
            await self._load(backend)
            self.changed.emit()


class KeyCard(Card):
    """One provider's key: where it is, a field to replace it, Delete."""

    def __init__(self, page: KeysPage, status: ProviderStatus, info: KeyInfo | None) -> None:
        super().__init__(margins=14, spacing=6)
        self.provider = status.id
        self._page = page
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(IconLabel("key", 16, "ok" if info else "warn"))
        head.addWidget(PlainLabel(status.id, "strong"))
        place = self.tr("none stored")
        if info is not None:
            place = info.source if not info.hint else self.tr("{0}, ends in {1}").format(info.source, info.hint)
        head.addWidget(PlainLabel(place, "dim"), 1)
        self.column.addLayout(head)
        from_environment = status.key_source == "environment"
        self.key = QLineEdit()
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.key.setAccessibleName(self.tr("New key for {0}").format(status.id))
        self.key.setPlaceholderText(
            self.tr("comes from the environment, which wins over a stored key")
            if from_environment
            else self.tr("paste a key")
        )
        self.set = QPushButton(self.tr("Replace") if info else self.tr("Store"))
        self.set.setAccessibleName(self.tr("Store the key for {0}").format(status.id))
        self.set.setEnabled(False)
        self.key.textChanged.connect(lambda text: self.set.setEnabled(bool(text.strip())))
        self.key.returnPressed.connect(self._store)
        self.set.clicked.connect(self._store)
        delete = QPushButton(self.tr("Delete"))
        delete.setProperty("danger", True)
        delete.setAccessibleName(self.tr("Delete the key for {0}").format(status.id))
        delete.setEnabled(info is not None and not from_environment)
        delete.clicked.connect(lambda: page.delete(self))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.key, 1)
        row.addWidget(self.set)
        row.addWidget(delete)
        self.column.addLayout(row)
        self._said = PlainLabel("", "error", wraps=True)
        self._said.hide()
        self.column.addWidget(self._said)

    def _store(self) -> None:
        if key := self.key.text().strip():
            self.say("")
            self._page.store(self, key)

    def say(self, error: str) -> None:
        """Shows what went wrong."""
        self._said.setText(error)
        self._said.setVisible(bool(error))
