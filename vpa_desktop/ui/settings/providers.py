"""The settings page Providers: a card for each in the order they are asked, and the form to add or change one."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton

from vpa_desktop.errors import VPAError
from vpa_desktop.records import ProviderDraft, ProviderStatus, ProviderVerdict
from vpa_desktop.ui.dialogs import choose_file, choose_folder, confirm
from vpa_desktop.ui.links import follow
from vpa_desktop.ui.settings.form import FormPage, Saver
from vpa_desktop.ui.settings.provider_card import ProviderCard
from vpa_desktop.ui.settings.provider_form import ProviderForm
from vpa_desktop.ui.settings.provider_list import ProviderList
from vpa_desktop.ui.settings.verdict_line import VerdictLine
from vpa_desktop.ui.widgets import PlainLabel

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from vpa_desktop.config import RoutingSettings
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.settings.field_inputs import FieldInput
    from vpa_desktop.ui.tasks import TaskOwner

TEST_DRAFT = "test provider"


class ProvidersPage(FormPage):
    """Lists providers; adds, changes, tests, orders, enables and removes them."""

    changed = Signal()

    def __init__(self, tasks: TaskOwner, save: Saver) -> None:
        super().__init__(
            self.tr("Providers"),
            self.tr("Who can answer. A key goes to your key store and nowhere else."),
            save,
        )
        self._tasks = tasks
        self._backend: Backend | None = None
        self._shown: tuple[list[ProviderStatus], RoutingSettings] | None = None
        self._testing: set[str] = set()
        self._verdicts: dict[str, tuple[ProviderVerdict, datetime]] = {}
        self.form = ProviderForm()
        self.form.hide()
        self.form.save_wanted.connect(self._save_draft)
        self.form.test_wanted.connect(self._test_draft)
        self.form.models_wanted.connect(self._load_models)
        self.form.stop_wanted.connect(self._stop_draft)
        self.form.choose_wanted.connect(lambda field: self._do("choose", self._choose(field)))
        self.form.cancelled.connect(lambda: self._close_form())
        self.form.link_wanted.connect(lambda link: self._do("link", follow(self.window(), link)))
        self.add = QPushButton(self.tr("Add a provider"))
        self.add.setProperty("primary", True)
        self.add.clicked.connect(self.start_adding)
        row = QHBoxLayout()
        row.addWidget(self.add)
        row.addStretch()
        self.story = PlainLabel("", "dim", wraps=True)
        self.cards = ProviderList()
        self.cards.reordered.connect(self._reorder)
        self.cards.travelled.connect(lambda card: self.ensureWidgetVisible(card))
        self._said = VerdictLine()
        self.column.addLayout(row)
        self.column.addSpacing(4)
        self.column.addWidget(self._said)
        self.column.addWidget(self.form)
        self.column.addSpacing(8)
        self.column.addWidget(self.story)
        self.column.addSpacing(4)
        self.column.addWidget(self.cards)
        self.end()

    def attach(self, backend: Backend) -> None:
        """From now on providers can be listed."""
        self._backend = backend
        self.form.offer(backend.provider_kinds)
        self.refresh()

    def refresh(self) -> None:
        """Loads the list again."""
        if self._backend is not None:
            self._do("providers", self._load(self._backend))

    async def _load(self, backend: Backend) -> None:
        statuses = await backend.list_providers()
        routing = backend.settings.routing
        if (statuses, routing) == self._shown:
            return
        self._shown = (statuses, routing)
        at = self.verticalScrollBar().value()
        self.story.setText(self._story(routing))
        cards = [self._card(status, weighted=routing.strategy == "weighted") for status in statuses]
        self.cards.show_cards(cards, numbered=routing.strategy in ("failover", "fixed"))
        QTimer.singleShot(0, self, lambda: self.verticalScrollBar().setValue(at))  # when the cards are laid out

    def _go_to(self, provider_id: str) -> None:
        """Gives the focus to a card, where there is none to Add, and brings it into sight."""
        (self.cards.card(provider_id) or self.add).setFocus(Qt.FocusReason.OtherFocusReason)
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self.cards.card(provider_id) or self.add))

    def _story(self, routing: RoutingSettings) -> str:
        told = {
            "failover": self.tr("They are asked in this order: when one fails, the next goes on. Drag to change it."),
            "fixed": self.tr("Only the first one is asked. Drag a card to the top to ask another."),
            "fastest": self.tr("The fastest is asked first; this order decides between equals."),
            "cheapest": self.tr("The cheapest is asked first; this order decides between equals."),
            "weighted": self.tr("Requests are shared out by weight; when one fails, the others go on."),
        }[routing.strategy]
        if not routing.fallback_enabled and routing.strategy != "fixed":
            return told.partition(":")[0].rstrip(".") + self.tr(". Going on with another one is off, see Routing.")
        return told

    def _card(self, status: ProviderStatus, *, weighted: bool) -> ProviderCard:
        card = ProviderCard(status, weighted=weighted)
        card.wanted.connect(partial(self._run, status))
        card.weighed.connect(lambda weight: self._do("weigh", self._set(f"providers.{status.id}.weight", weight)))
        if status.id in self._testing:
            card.set_busy(True)
        elif status.id in self._verdicts:
            card.show_verdict(*self._verdicts[status.id])
        return card

    def start_adding(self) -> None:
        """Opens the form for a new provider."""
        self._open_form(None)

    def _open_form(self, status: ProviderStatus | None) -> None:
        self._stop_draft()
        statuses = self._shown[0] if self._shown is not None else []
        self.form.start(status, frozenset(s.id for s in statuses))
        self.form.show()
        self.add.hide()
        self._said.clear()
        (self.form.kind if status is None else next(iter(self.form.rows.inputs.values())).control).setFocus()
        QTimer.singleShot(0, self, lambda: self.verticalScrollBar().setValue(0))  # the form stands at the top

    def _close_form(self, to: str = "") -> None:
        self._stop_draft()
        self.add.show()
        self._go_to(to or self.form.provider_id)
        self.form.hide()

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
            self.form.complain(str(error))
            return
        self.form.forget_key()
        self._verdicts.pop(draft.id, None)
        await self._load(backend)
        self._close_form(draft.id)
        self._said.say(self.tr("{0} is saved.").format(draft.id), good=True)
        self.changed.emit()

    def _test_draft(self, draft: ProviderDraft) -> None:
        if self._backend is not None:
            self.form.set_busy(True)
            self._do(TEST_DRAFT, self._try(self._backend, draft))

    async def _try(self, backend: Backend, draft: ProviderDraft) -> None:
        try:
            self.form.show_verdict(await backend.test_provider(draft))
        except VPAError as error:
            self.form.set_busy(False)
            self.form.say(str(error), good=False)

    def _load_models(self, draft: ProviderDraft) -> None:
        if self._backend is not None:
            self.form.set_loading()
            self._do(TEST_DRAFT, self._list_models(self._backend, draft))

    async def _list_models(self, backend: Backend, draft: ProviderDraft) -> None:
        verdict = await backend.test_provider(draft, ask=False)
        self.form.show_models(verdict)
        if not verdict.ok:
            self.form.show_verdict(verdict)
        elif verdict.model_facts:
            self.form.verdict.clear()
            self.form.rows.inputs["model"].model.show_list()
        else:
            self.form.say(self.tr("It has no list of models: type the model's name."))

    def _stop_draft(self) -> None:
        if self._tasks.running(TEST_DRAFT):
            self._tasks.cancel(TEST_DRAFT)
            self.form.set_busy(False)
            self.form.say(self.tr("The test was stopped."))

    async def _choose(self, field: FieldInput) -> None:
        title = self.tr("Choose: {0}").format(field.control.accessibleName())
        if field.field.shape == "folder":
            found = await choose_folder(self.window(), title)
        else:
            found = await choose_file(self.window(), title, field.field.pattern)
        if found:
            field.set_text(str(found[0]))

    async def _test_saved(self, backend: Backend, status: ProviderStatus) -> None:
        self._testing.add(status.id)
        try:
            verdict = await backend.test_provider(draft_of(status))
        finally:
            self._testing.discard(status.id)
        self._verdicts[status.id] = (verdict, datetime.now())
        if (card := self.cards.card(status.id)) is not None:
            card.show_verdict(*self._verdicts[status.id])
        await self._load(backend)

    def _stop_test(self, status: ProviderStatus) -> None:
        self._tasks.cancel(f"test {status.id}")
        if (card := self.cards.card(status.id)) is not None:
            card.set_busy(False)
            card.verdict.say(self.tr("The test was stopped."))

    async def _set(self, key: str, value: object) -> None:
        if self._backend is not None:
            await self._backend.save_settings({key: value})
            await self._after_change(self._backend)

    def _reorder(self, ids: list[str]) -> None:
        self._do("order providers", self._save_order(ids))

    async def _save_order(self, ids: list[str]) -> None:
        if (backend := self._backend) is None:
            return
        try:
            await backend.set_provider_order(ids)
        except VPAError as error:
            self._said.say(str(error), good=False)
            self._shown = None  # the cards go back to where they were
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
            ids = self.cards.ids()
            await backend.remove_provider(status.id)
            self._verdicts.pop(status.id, None)
            self._said.say(self.tr("{0} is removed.").format(status.id), good=True)
            await self._load(backend)
            if self.form.isVisible() and self.form.provider_id == status.id:
                self._close_form()
            below = ids[ids.index(status.id) + 1 :] if status.id in ids else []
            self._go_to(next((i for i in below if self.cards.card(i) is not None), ""))
            self.changed.emit()

    async def _after_change(self, backend: Backend) -> None:
        await self._load(backend)
        self.changed.emit()

    def _run(self, status: ProviderStatus, action: str) -> None:
        backend = self._backend
        if backend is None:
            return
        if action == "change":
            self._open_form(status)
        elif action == "test":
            if (card := self.cards.card(status.id)) is not None:
                card.set_busy(True)
            self._do(f"test {status.id}", self._test_saved(backend, status))
        elif action == "stop":
            self._stop_test(status)
        elif action in ("enable", "disable"):
            self._do("change provider", self._set(f"providers.{status.id}.enabled", action == "enable"))
        else:
            self._do("remove provider", self._remove(backend, status))


def draft_of(status: ProviderStatus) -> ProviderDraft:
    """Returns a configured provider as a draft without a key; what it does not name stays as it is stored."""
    return ProviderDraft(
        status.id, status.kind, status.model, status.endpoint, enabled=status.enabled, weight=status.weight
    )
