"""The settings page Providers: a card for each with its state and what can be done, and the form to add one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from vpa_desktop.config import LOCAL_PROVIDER_ID
from vpa_desktop.errors import VPAError
from vpa_desktop.records import ProviderDraft, ProviderStatus
from vpa_desktop.ui.dialogs import confirm
from vpa_desktop.ui.links import follow
from vpa_desktop.ui.settings.form import FormPage, Saver
from vpa_desktop.ui.settings.provider_form import ProviderForm
from vpa_desktop.ui.widgets import Card, ElidedLabel, IconLabel, PlainLabel, Switch

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner


class ProvidersPage(FormPage):
    """Lists providers; adds, changes, tests, enables and removes them."""

    changed = Signal()

    def __init__(self, tasks: TaskOwner, save: Saver) -> None:
        super().__init__(
            self.tr("Providers"),
            self.tr("Who can answer. A key goes to your key store and nowhere else."),
            save,
        )
        self._tasks = tasks
        self._backend: Backend | None = None
        self._statuses: list[ProviderStatus] = []
        self.form = ProviderForm()
        self.form.hide()
        self.form.save_wanted.connect(self._save_draft)
        self.form.test_wanted.connect(self._test_draft)
        self.form.cancelled.connect(self._close_form)
        self.form.link_wanted.connect(lambda link: self._tasks.spawn("link", follow(self.window(), link)))
        self.add = QPushButton(self.tr("Add a provider"))
        self.add.setProperty("primary", True)
        self.add.clicked.connect(self.start_adding)
        row = QHBoxLayout()
        row.addWidget(self.add)
        row.addStretch()
        self._cards = QVBoxLayout()
        self._cards.setSpacing(10)
        self._said = PlainLabel("", wraps=True)
        self._said.hide()
        self.column.addLayout(row)
        self.column.addWidget(self._said)
        self.column.addSpacing(6)
        self.column.addWidget(self.form)
        self.column.addLayout(self._cards)
        self.end()

    def attach(self, backend: Backend) -> None:
        """From now on providers can be listed."""
        self._backend = backend
        self.refresh()

    def refresh(self) -> None:
        """Loads the list again."""
        if self._backend is not None:
            self._tasks.spawn("providers", self._load(self._backend))

    async def _load(self, backend: Backend) -> None:
        self._statuses = await backend.list_providers()
        while (item := self._cards.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for status in self._statuses:
            self._cards.addWidget(self._card(status))

    def start_adding(self) -> None:
        """Opens the form for a new provider."""
        self._open_form(None)

    def _open_form(self, status: ProviderStatus | None) -> None:
        self.form.start(status, frozenset(s.id for s in self._statuses))
        self.form.show()
        self.add.hide()
        (self.form.kind if status is None else self.form.key).setFocus()
        self.ensureWidgetVisible(self.form)

    def _close_form(self) -> None:
        self.form.hide()
        self.add.show()

    # What the person does

    def _do(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.spawn(name, work)

    def _save_draft(self, draft: ProviderDraft) -> None:
        if self._backend is not None:
            self._do("save provider", self._store(self._backend, draft))

    async def _store(self, backend: Backend, draft: ProviderDraft) -> None:
        try:
            await backend.save_provider(draft)
        except VPAError as error:
            self.form.say(str(error), good=False)
            return
        self.form.forget_key()
        self._close_form()
        self._say(self.tr("{0} is saved.").format(draft.id), good=True)
        await self._after_change(backend)

    def _test_draft(self, draft: ProviderDraft) -> None:
        if self._backend is not None:
            self._do("test provider", self._try(self._backend, draft))

    async def _try(self, backend: Backend, draft: ProviderDraft) -> None:
        try:
            self.form.show_verdict(await backend.test_provider(draft))
        except VPAError as error:
            self.form.say(str(error), good=False)

    async def _test_saved(self, backend: Backend, status: ProviderStatus) -> None:
        self._say(self.tr("Asking {0}…").format(status.id))
        verdict = await backend.test_provider(draft_of(status))
        self._say(f"{status.id}: {verdict.sentence}", good=verdict.ok)

    async def _enable(self, backend: Backend, status: ProviderStatus, on: bool) -> None:
        await backend.save_settings({f"providers.{status.id}.enabled": on})
        await self._after_change(backend)

    async def _make_default(self, backend: Backend, status: ProviderStatus) -> None:
        await backend.save_settings({"routing.default_provider": status.id})
        await self._after_change(backend)

    async def _remove(self, backend: Backend, status: ProviderStatus) -> None:
        sure = await confirm(
            self.window(),
            self.tr("Remove provider"),
            self.tr("Remove {0}?").format(status.id),
            self.tr("Its key is removed from your key store too. Conversations stay."),
            self.tr("Remove"),
        )
        if sure:
            await backend.remove_provider(status.id)
            self._say(self.tr("{0} is removed.").format(status.id), good=True)
            await self._after_change(backend)

    async def _after_change(self, backend: Backend) -> None:
        await self._load(backend)
        self.changed.emit()

    def _say(self, words: str, *, good: bool | None = None) -> None:
        self._said.setText(words)
        self._said.set_look("ok", good is True)
        self._said.set_look("error", good is False)
        self._said.setVisible(bool(words))

    # One card

    def _card(self, status: ProviderStatus) -> Card:
        card = Card(margins=14, spacing=6)
        card.setAccessibleName(status.id)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(IconLabel("cpu" if status.is_local else "globe", 18, "accent"))
        head.addWidget(PlainLabel(status.id, "strong"))
        head.addWidget(ElidedLabel(" · ".join(p for p in (status.kind_label, status.model) if p), "dim"), 1)
        if status.is_default:
            head.addWidget(PlainLabel(self.tr("asked first"), "chip"))
        enabled = Switch()
        enabled.setAccessibleName(self.tr("Use {0}").format(status.id))
        enabled.setToolTip(self.tr("In use"))
        enabled.setChecked(status.enabled)
        enabled.clicked.connect(lambda on: self._run("enable", status, on=on))
        head.addWidget(enabled)
        card.column.addLayout(head)
        words, tone = self._state(status)
        card.column.addWidget(PlainLabel(words, tone, wraps=True))
        if status.note:
            card.column.addWidget(PlainLabel(status.note, "dim", wraps=True))
        card.column.addWidget(self._actions(status))
        return card

    def _state(self, status: ProviderStatus) -> tuple[str, str]:
        if not status.enabled:
            return self.tr("Not in use."), "dim"
        if status.needs_key and not status.key_source:
            return self.tr("No key yet: choose Change and paste one."), "warn"
        if status.breaker == "open":
            return self.tr("Left alone for a while after failures; it is tried again by itself."), "warn"
        place = {
            "environment": self.tr("Ready. Its key comes from the environment."),
            "vault": self.tr("Ready. Its key is in your key store."),
        }.get(status.key_source)
        return place or self.tr("Ready. It needs no key."), "ok"

    def _actions(self, status: ProviderStatus) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 2, 0, 0)
        row.setSpacing(6)
        entries = [("test", self.tr("Test")), ("change", self.tr("Change"))]
        if not status.is_default:
            entries.append(("default", self.tr("Ask first")))
        if status.id != LOCAL_PROVIDER_ID:
            entries.append(("remove", self.tr("Remove")))
        for action, text in entries:
            button = QPushButton(text)
            button.setProperty("ghost", True)
            button.setAccessibleName(f"{text} {status.id}")
            button.clicked.connect(lambda _=False, action=action: self._run(action, status))
            row.addWidget(button)
        row.addStretch()
        return box

    def _run(self, action: str, status: ProviderStatus, *, on: bool = True) -> None:
        backend = self._backend
        if backend is None:
            return
        if action == "change":
            self._open_form(status)
        elif action == "test":
            self._do("test provider", self._test_saved(backend, status))
        elif action == "enable":
            self._do("change provider", self._enable(backend, status, on))
        elif action == "default":
            self._do("change provider", self._make_default(backend, status))
        else:
            self._do("remove provider", self._remove(backend, status))


def draft_of(status: ProviderStatus) -> ProviderDraft:
    """Returns a configured provider as a draft without a key."""
    return ProviderDraft(
        status.id, status.kind, status.model, status.endpoint, enabled=status.enabled, weight=status.weight
    )
