"""The settings page Keys: where each provider's keys are and how they stand, never a key. The backend does the rest."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vpa_desktop.errors import VPAError
from vpa_desktop.ui.dialogs import confirm
from vpa_desktop.ui.settings.form import FormPage, Saver
from vpa_desktop.ui.settings.key_card import KeyCard, KeyRow
from vpa_desktop.ui.settings.unlock import UnlockCard
from vpa_desktop.ui.widgets import PlainLabel

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from PySide6.QtGui import QShowEvent

    from vpa_desktop.records import KeyInfo, ProviderStatus, ProviderVerdict
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner


class KeysPage(FormPage):
    """A card for each provider that takes a key."""

    changed = Signal()

    def __init__(self, tasks: TaskOwner, save: Saver) -> None:
        super().__init__(
            self.tr("Keys"),
            self.tr(
                "Where the keys of each provider are. With several, a question goes with one that works. Keys are "
                "never shown again, and never written to a file of ours."
            ),
            save,
        )
        self._tasks = tasks
        self._backend: Backend | None = None
        self._shown: object = None
        self._verdicts: dict[tuple[str, str], tuple[ProviderVerdict, datetime]] = {}
        self.unlock = UnlockCard()
        self.unlock.hide()
        self.unlock.wanted.connect(lambda passphrase: self._do("unlock", self._unlock(passphrase)))
        self.column.addWidget(self.unlock)
        self._cards = QVBoxLayout()
        self._cards.setSpacing(10)
        self.column.addLayout(self._cards)
        self.end()

    def attach(self, backend: Backend) -> None:
        """From now on keys can be listed."""
        self._backend = backend
        self.refresh()

    def cards(self) -> list[KeyCard]:
        """The cards in their order."""
        items = (self._cards.itemAt(n) for n in range(self._cards.count()))
        return [card for item in items if item is not None and isinstance(card := item.widget(), KeyCard)]

    def refresh(self) -> None:
        """Loads the list again."""
        self._do("keys", self._load())

    def showEvent(self, event: QShowEvent) -> None:
        """Looks how the keys stand now."""
        super().showEvent(event)
        self.refresh()

    def _do(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        if self._backend is None:
            work.close()
        else:
            self._tasks.spawn(name, work)

    async def _load(self) -> None:
        if (backend := self._backend) is None:
            return
        keys: dict[str, list[KeyInfo]] = {}
        for info in await backend.key_desk.list_keys():
            keys.setdefault(info.provider, []).append(info)
        statuses = [s for s in await backend.list_providers() if s.needs_key or s.id in keys]
        self.unlock.setVisible(backend.key_desk.is_locked)
        shown = (backend.key_desk.is_locked, [(s.id, s.needs_key, keys.get(s.id)) for s in statuses])
        if shown == self._shown:
            return
        self._shown = shown
        self._show(statuses, keys)

    def _show(self, statuses: list[ProviderStatus], keys: dict[str, list[KeyInfo]]) -> None:
        focused = self.focusWidget()
        name = focused.accessibleName() if focused is not None and focused.hasFocus() else ""
        at = self.verticalScrollBar().value()
        while (item := self._cards.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        cards = [self._card(status, keys.get(status.id, [])) for status in statuses]
        for card in cards:
            self._cards.addWidget(card)
        if not cards and self.unlock.isHidden():
            self._cards.addWidget(PlainLabel(self.tr("No provider that needs a key is set up yet."), "dim"))
        self.verticalScrollBar().setValue(at)
        if name:
            again = [w for card in cards for w in card.findChildren(QWidget) if w.accessibleName() == name]
            gone = [card.key for card in cards if name.endswith(card.provider)]
            for widget in (again or gone)[:1]:
                widget.setFocus()

    def _card(self, status: ProviderStatus, infos: list[KeyInfo]) -> KeyCard:
        card = KeyCard(status, infos)
        card.stored.connect(lambda key, label: self._do(f"set key {status.id}", self._store(card, key, label)))
        card.replaced.connect(lambda key, label: self._do(f"set key {status.id}", self._replace(card, key, label)))
        for row in card.rows:
            row.wanted.connect(partial(self._run, card, row))
            if (kept := self._verdicts.get((status.id, row.label))) is not None:
                row.show_verdict(*kept)
        return card

    def _run(self, card: KeyCard, row: KeyRow, action: str) -> None:
        name = f"test key {card.provider} {row.label}"
        if action == "rotate":
            card.ask_for_replacement(row.label)
        elif action == "test":
            row.set_busy(True)
            self._do(name, self._test(card.provider, row))
        elif action == "stop":
            self._tasks.cancel(name)
            row.set_busy(False)
            row.verdict.say(self.tr("The test was stopped."))
        else:
            self._do("delete key", self._delete(card.provider, row))

    async def _store(self, card: KeyCard, key: str, label: str) -> None:
        assert self._backend is not None
        try:
            await self._backend.key_desk.set_key(card.provider, key, label)
        except VPAError as error:
            card.said.say(str(error), good=False)
            self.unlock.setVisible(self._backend.key_desk.is_locked)
            return
        self._verdicts.pop((card.provider, label or "default"), None)
        await self._after_change()

    async def _replace(self, card: KeyCard, key: str, label: str) -> None:
        assert self._backend is not None
        try:
            verdict = await self._backend.key_desk.rotate_key(card.provider, key, label)
        except VPAError as error:
            card.said.say(str(error), good=False)
            return
        if not verdict.ok:
            card.said.show_verdict(verdict)
            return
        self._verdicts[card.provider, label] = (verdict, datetime.now())
        self._shown = None
        await self._after_change()

    async def _test(self, provider: str, row: KeyRow) -> None:
        assert self._backend is not None
        for verdict in await self._backend.key_desk.test_keys(provider, row.label):
            self._verdicts[provider, row.label] = (verdict, datetime.now())
            row.show_verdict(*self._verdicts[provider, row.label])
        await self._after_change()

    async def _delete(self, provider: str, row: KeyRow) -> None:
        assert self._backend is not None
        is_only = len([i for i in await self._backend.key_desk.list_keys() if i.provider == provider]) == 1
        named = provider if is_only else f"{provider}: {row.info.label or row.label}"
        sure = await confirm(
            self.window(),
            self.tr("Delete key"),
            self.tr("Delete the key of {0}?").format(named),
            self.tr("The provider cannot answer until it has a key again.")
            if is_only
            else self.tr("The others go on. An answer under way with it is finished."),
            self.tr("Delete"),
        )
        if sure:
            await self._backend.key_desk.delete_key(provider, row.label)
            self._verdicts.pop((provider, row.label), None)
            await self._after_change()

    async def _unlock(self, passphrase: str) -> None:
        assert self._backend is not None
        try:
            await self._backend.key_desk.unlock(passphrase)
        except VPAError as error:
            self.unlock.say(str(error))
            return
        self.unlock.say("")
        await self._after_change()

    async def _after_change(self) -> None:
        await self._load()
        self.changed.emit()
